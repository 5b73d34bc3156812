"""Headers of a request, as they stand in its scope.

Floor 6, `http_api`. ASGI gives names in lower case; of several of one name the first counts.
"""

from __future__ import annotations

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> bytes | None:
    """The header `name`, which is in lower case; None where there is none."""
    for known, value in scope["headers"]:
        if known == name:
            return bytes(value)
    return None


def header_text(scope: Scope, name: bytes) -> str | None:
    """The same as text, one character a byte."""
    value = header(scope, name)
    return None if value is None else value.decode("latin-1")
