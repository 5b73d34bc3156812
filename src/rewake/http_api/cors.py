"""CORS: browsers on any origin may call the API, or on those that the operator names.

Floor 6, `http_api`. Callers prove who they are with a header that they must hold, never with a cookie that a
browser adds by itself, so any origin may be let in: it is the default, and the official clients expect it.
HTTP actions under `/http` decide for themselves.

Source: wire 4.3.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewake.http_api.headers import header

Headers = list[tuple[bytes, bytes]]

_METHODS = b"GET, POST, OPTIONS, PATCH, DELETE, PUT"
_PREFLIGHT_SECONDS = b"86400"
_SHOWN = [(b"access-control-expose-headers", b"Retry-After")]


class Cors:
    """Which pages may call, and what their browsers are told."""

    def __init__(self, origins: frozenset[str] | None = None) -> None:
        """`origins` are those whose pages may call; None: all."""
        self._origins = None if origins is None else {origin.encode() for origin in origins}

    def allowed(self, scope: Scope) -> bytes | None:
        """The origin of the page that asks, where it may."""
        origin = header(scope, b"origin")
        return None if self._origins is not None and origin not in self._origins else origin

    def added(self, scope: Scope) -> Headers:
        """What stands on every answer. Vary also on those to callers without an origin: a cache in between
        must not give theirs to a browser.
        """
        return [(b"vary", b"Origin"), *_allow(self.allowed(scope))]


def shown(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What a page may read of an answer that has these headers, besides what browsers let it."""
    return _SHOWN if any(name.lower() == b"retry-after" for name, _ in headers) else []


class CorsMiddleware:
    """ASGI middleware: echo the origin on every answer, and answer every `OPTIONS` itself."""

    def __init__(self, app: ASGIApp, origins: frozenset[str] | None = None) -> None:
        """`origins` as for `Cors`."""
        self._app = app
        self._cors = Cors(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _is_http_action(scope):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await _answer_preflight(scope, send, self._cors.allowed(scope))
            return
        added = self._cors.added(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message["headers"] = [*headers, *added, *shown(headers)]
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
    asked = header(scope, b"access-control-request-headers")
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
