"""Under which address a caller reached us, as the proxy in front says it.

Floor 6, `http_api`. Only the scheme is taken from a proxy's word: the host comes in `Host`.

Source: RFC 7239, 4; wire 4.4. Not here: which proxies are believed about the client's address (uvicorn).
"""

from __future__ import annotations

from starlette.types import Scope


def scheme_of(scope: Scope) -> str:
    """`http` or `https`; of a websocket `ws` or `wss`."""
    brought = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
    scheme = brought.get(b"x-forwarded-proto", "").partition(",")[0].strip().lower()
    scheme = scheme or _forwarded_proto(brought.get(b"forwarded", ""))
    if scheme not in ("http", "https"):
        return str(scope.get("scheme", "http"))
    if scope["type"] == "websocket":
        return "wss" if scheme == "https" else "ws"
    return scheme


def _forwarded_proto(forwarded: str) -> str:
    """The `proto` of the first hop."""
    for pair in forwarded.partition(",")[0].split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "proto":
            return value.strip().strip('"').lower()
    return ""
