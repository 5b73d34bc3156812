"""Output formats: how a result is written for the one who asks.

Floor 6, `http_api`. A request names a format; without one it gets plain JSON, except from clients so old that
they knew only the encoded form. A wrong name is refused before anything runs.

Source: wire 2.5. Not here: the formats themselves (`rewake.values`).
"""

from __future__ import annotations

from enum import Enum

from rewake.protocol import ClientVersion
from rewake.values import UnknownFormat, stored_as_clean, stored_as_export


class OutputFormat(Enum):
    """A way to write values. The member's value is its name on the wire."""

    ENCODED = "convex_encoded_json"
    CLEAN = "json"
    EXPORT = "export_json"


_BY_NAME = {
    **{known.value: known for known in OutputFormat},
    "convex_json": OutputFormat.ENCODED,
    "convex_clean_json": OutputFormat.CLEAN,
}

_ENCODED_BEFORE = {
    "npm": (1, 4, 1),
    "npm-cli": (1, 4, 1),
    "actions": (1, 4, 1),
    "python": (0, 5, 0),
    "python-convex": (0, 5, 0),
}
"""Clients older than this mean the encoded form when they say nothing."""


def output_format(name: str | None, client: ClientVersion) -> OutputFormat:
    """The format that a request asks for, by its name or else by its client.

    Raises:
        UnknownFormat: there is no format of that name.
    """
    if name is None:
        boundary = _ENCODED_BEFORE.get(client.name)
        if boundary is not None and client.release is not None and client.release < boundary:
            return OutputFormat.ENCODED
        return OutputFormat.CLEAN
    known = _BY_NAME.get(name)
    if known is None:
        raise UnknownFormat(format=name)
    return known


def in_format(text: str, wanted: OutputFormat) -> str:
    """Rewrite canonical encoded text in another format."""
    if wanted is OutputFormat.ENCODED:
        return text
    return stored_as_clean(text) if wanted is OutputFormat.CLEAN else stored_as_export(text)
