"""CORS: browsers on any origin may call the API, or on those that the operator names.

Floor 6, `http_api`. Callers prove who they are with a header that they must hold, never with a cookie that a
browser adds by itself, so any origin may be let in: it is the default, and the official clients expect it.
HTTP actions under `/http` decide for themselves.

Source: wire 4.3.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = b"GET, POST, OPTIONS, PATCH, DELETE, PUT"
_PREFLIGHT_SECONDS = b"86400"
_SHOWN = ((b"access-control-expose-headers", b"Retry-After"),)
"""What a page may read besides what browsers let it."""


class CorsMiddleware:
    """ASGI middleware: echo the origin on every answer, and answer every `OPTIONS` itself."""

    def __init__(self, app: ASGIApp, origins: frozenset[str] | None = None) -> None:
        """`origins` are those whose pages may call; None: all."""
        self._app = app
        self._origins = None if origins is None else {origin.encode() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _is_http_action(scope):
            await self._app(scope, receive, send)
            return
        origin = _header(scope, b"origin")
        if self._origins is not None and origin not in self._origins:
            origin = None
        if scope["method"] == "OPTIONS":
            await _answer_preflight(scope, send, origin)
            return

        # Vary stands on every answer, also to callers without an origin: a cache in between must not give
        # theirs to a browser.
        added = [(b"vary", b"Origin"), *_allow(origin)]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                shown = _SHOWN if any(name.lower() == b"retry-after" for name, _ in headers) else ()
                message["headers"] = [*headers, *added, *shown]
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _answer_preflight(scope: Scope, send: Send, origin: bytes | None) -> None:
    headers = [
        (b"content-length", b"0"),
        (b"vary", b"Origin, Access-Control-Request-Headers"),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
        *_allow(origin),
    ]
    asked = _header(scope, b"access-control-request-headers")
    if asked is not None:
        headers.append((b"access-control-allow-headers", asked))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _allow(origin: bytes | None) -> list[tuple[bytes, bytes]]:
    if origin is None:
        return []
    return [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]


def _is_http_action(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path == "/http" or path.startswith("/http/")


def _header(scope: Scope, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None
