"""Heads of calls: what the handler of a call wants to know of a request beside its body.

Floor 6, `http_api`. Clients send the same head again and again, with another length. What is in it is found
out once, and lasts for as long as somebody remembers it (`server/known_heads.py`): it depends on nothing but
the head and the address of its peer. So whom a token stands for is not in it: keys are revoked, tokens end.

Not here: the same for requests that go through the layers of `build_app` (`functions.py`).
"""

from __future__ import annotations

import msgspec
from starlette.types import Scope

from rewake.execution import CalledFrom, RequestSource
from rewake.http_api.addressing import client_of
from rewake.http_api.bodies import refuse_other_types
from rewake.http_api.cors import Cors, Headers
from rewake.http_api.errors import BadJsonBody
from rewake.http_api.formats import OutputFormat, output_format
from rewake.http_api.headers import header_text
from rewake.http_api.request_id import brought_request_id
from rewake.http_api.request_source import source_of
from rewake.limits import Limits
from rewake.protocol import ClientVersion, InvalidClientVersion


class CallHead(msgspec.Struct, frozen=True):
    """The head of a call that has nothing wrong with it."""

    path: str
    headers: Headers
    """With lowercase names."""
    authorization: str | None
    request_id: str | None
    """The one that the caller brought."""
    client: ClientVersion
    source: RequestSource
    lines: bytes
    """What stands on its answer for CORS."""
    output_format: OutputFormat = OutputFormat.CLEAN
    """What is meant where the body names no format."""


def call_head(path: str, headers: Headers, address: str, *, cors: Cors, limits: Limits) -> CallHead | None:
    """The head of a POST request to `path`; None where it will be refused."""
    scope: Scope = {"headers": headers, "client": (address, 0)}
    try:
        refuse_other_types(scope)
        client = client_of(scope)
    except (BadJsonBody, InvalidClientVersion):
        return None
    return CallHead(
        path,
        headers,
        header_text(scope, b"authorization"),
        brought_request_id(scope),
        client,
        source_of(scope, limits, CalledFrom.HTTP_API),
        header_lines(cors.added(scope)),
        output_format(None, client),
    )


def header_lines(headers: Headers) -> bytes:
    """Headers as they stand in a response."""
    return b"".join(b"%b: %b\r\n" % each for each in headers)
