"""Observed requests: statuses and refusals are counted, and each has a span where traces are wanted.

Floor 6, `http_api`. The outermost layer of the API and of the site: what error boundaries further in decided
lies in the scope. A span goes on with the caller's trace, and is named by the route: an address may hold what
only its sender should know.

Source: the statuses of wire 4.1. Not here: connections that never become requests (`server/gate.py`).
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewake.tallies import Tallies
from rewake.tracing import Tracing, mark_failed

REFUSAL = "rewake.refusal"
"""The key of a scope under which an error boundary leaves the code of an error."""

_REFUSING = frozenset({401, 403, 408, 413, 429, 503})
"""Statuses of requests that were turned away, rather than wrong."""


class ObservedRequests:
    """ASGI middleware that counts."""

    def __init__(self, app: ASGIApp, tallies: Tallies, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing
        self._tallies = tallies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._tracing.is_on:
            with self._tracing.span(str(scope["method"]), parent=_traceparent(scope), is_door=True) as span:
                await self._serve(scope, receive, send, span)
            return
        await self._serve(scope, receive, send, None)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: Any) -> None:
        tallies = self._tallies

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                if span is not None:
                    _describe(span, scope, status)
                count_response(tallies, scope, status)
            await send(message)

        await self._app(scope, receive, count)


def count_response(tallies: Tallies, scope: Scope, status: int) -> None:
    """Count an answer with this status, and its refusal where it is one."""
    tallies.responses[status] += 1
    if status in _REFUSING and REFUSAL in scope:
        tallies.refusals["http", scope[REFUSAL]] += 1


def _traceparent(scope: Scope) -> str:
    """What the caller says of its own span, if anything (W3C Trace Context)."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return str(value, "latin-1")
    return ""


def _describe(span: Any, scope: Scope, status: int) -> None:
    """Name a span once the route is known. Source: semantic conventions for HTTP servers."""
    route = getattr(scope.get("route"), "path", "")
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("http.response.status_code", status)
    if route:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    if status >= 500:
        mark_failed(span, str(scope.get(REFUSAL, status)))
