"""One address, its methods, and a handler for each.

Floor 6, `http_api`. Starlette would answer a wrong method by itself, in plain text when the routes are
mounted in another application; here every answer has the shape of `errors.py`, wherever the routes stand.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewake.environment import Environment
from rewake.http_api.errors import ErrorBoundary, WrongMethod

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """An ASGI application that picks the handler by the method. `HEAD` is `GET` without the body."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)
        if "GET" in self._handlers:
            self._handlers.setdefault("HEAD", self._handlers["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            WrongMethod: no handler for this method.
        """
        method = scope["method"]
        handler = self._handlers.get(method)
        if handler is None:
            raise WrongMethod(path=scope["path"], method=method, allowed=", ".join(sorted(self._handlers)))
        response = await handler(Request(scope, receive))
        await response(scope, receive, _without_body(send) if method == "HEAD" else send)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def route(path: str, environment: Environment, **handlers: Handler) -> Route:
    """A Starlette route at `path`; keywords are methods: `route("/api/query", env, GET=..., POST=...)`."""
    app: ASGIApp = ErrorBoundary(Endpoint(handlers), environment)
    return Route(path, app, name=path)
