"""The upgrade: from an HTTP request to a socket, or to a refusal.

Floor 6, `sync`. Which paths are the sync endpoint, what the request must carry, which client stands behind
it. Both drivers ask here, so both refuse alike: HTTP 400 with `{"code", "message"}`.

    /api/sync             Rust, Python, Swift, Kotlin
    /api/{version}/sync   npm; with a doubled slash where the address had one at its end

Source: wire 1.1 and 1.2; RFC 6455, section 4.2.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import NamedTuple

from rewake.errors import InvalidInput, RewakeError
from rewake.protocol import ClientVersion, client_version

_SLASHES = re.compile("/{2,}")
_SYNC_PATH = re.compile(r"/api(?:/([^/]+))?/sync")
_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""A constant of RFC 6455, section 1.3."""


class MethodNotGet(InvalidInput):
    """A websocket opens with GET."""

    code, template = "MethodNotGet", "Request method must be `GET`"


class InvalidConnectionHeader(InvalidInput):
    """A websocket opens with `Connection: upgrade`."""

    code, template = "InvalidConnectionHeader", "Connection header did not include 'upgrade'"


class InvalidUpgradeHeader(InvalidInput):
    """A websocket opens with `Upgrade: websocket`."""

    code, template = "InvalidUpgradeHeader", "`Upgrade` header did not include 'websocket'"


class WebSocketKeyMissing(InvalidInput):
    """A websocket opens with a key of 16 bytes in base64."""

    code, template = (
        "WebSocketKeyHeaderMissing",
        "`Sec-WebSocket-Key` header missing or not 16 bytes of base64",
    )


class InvalidWebSocketVersion(InvalidInput):
    """A websocket opens with version 13."""

    code, template = "InvalidWebSocketVersionHeader", "`Sec-WebSocket-Version` header did not include '13'"


class Upgrade(NamedTuple):
    """A request that may become a socket."""

    client: ClientVersion
    accept: str
    """What the server must answer in `Sec-WebSocket-Accept`."""
    offers: str
    """The extensions that the client offers, as the header has them."""


class SyncPath(NamedTuple):
    """A path of the sync endpoint, with the client's version where the path has one."""

    version: str | None


def sync_path(path: str, *, prefixes: tuple[str, ...] = ()) -> SyncPath | None:
    """What `path` says of the client when it is the sync endpoint; None when it is another place.

    A path below one of `prefixes` counts like the rest of it; the bare path counts always, since the Rust
    family drops the prefix of the address it was given.
    """
    path = _SLASHES.sub("/", path)
    for prefix in ("", *prefixes):
        if path.startswith(prefix):
            match = _SYNC_PATH.fullmatch(path, len(prefix))
            if match is not None:
                return SyncPath(match[1])
    return None


def check_client(headers: Mapping[str, str], path: SyncPath) -> ClientVersion:
    """Which client asks. `headers` has lowercase names.

    Raises:
        InvalidClientVersion: it says so in a way that cannot be read.
    """
    return client_version(headers.get("convex-client"), path.version)


def check_upgrade(method: str, headers: Mapping[str, str], path: SyncPath) -> Upgrade:
    """Check a request for a socket. `headers` has lowercase names, repeated ones joined by commas.

    Raises:
        InvalidInput: with the code that tells what is missing.
    """
    if method != "GET":
        raise MethodNotGet()
    if "upgrade" not in _tokens(headers.get("connection", "")):
        raise InvalidConnectionHeader()
    if "websocket" not in _tokens(headers.get("upgrade", "")):
        raise InvalidUpgradeHeader()
    key = headers.get("sec-websocket-key", "")
    if not _is_key(key):
        raise WebSocketKeyMissing()
    if "13" not in _tokens(headers.get("sec-websocket-version", "")):
        raise InvalidWebSocketVersion()
    accept = b64encode(sha1(key.encode() + _ACCEPT_SALT).digest()).decode()
    return Upgrade(check_client(headers, path), accept, headers.get("sec-websocket-extensions", ""))


def refusal_body(error: RewakeError) -> bytes:
    """The JSON body of a refusal, in the one shape that every client reads."""
    return json.dumps({"code": error.code, "message": error.message}, separators=(",", ":")).encode()


def _tokens(header: str) -> list[str]:
    """The comma-separated words of a header, in lower case."""
    return [word.strip().lower() for word in header.split(",")]


def _is_key(key: str) -> bool:
    """Is this the base64 text of 16 bytes?"""
    try:
        return len(b64decode(key.encode(), validate=True)) == 16
    except (ValueError, binascii.Error):
        return False
