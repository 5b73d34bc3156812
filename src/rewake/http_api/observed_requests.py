"""Observed requests: how often the door answers with which status, and whom it turns away.

Floor 6, `http_api`. The outermost layer of the API and of the site: what error boundaries further in decided
lies in the scope.

Source: the statuses of wire 4.1. Not here: connections that never become requests (`server/gate.py`).
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewake.tallies import Tallies

REFUSAL = "rewake.refusal"
"""The key of a scope under which an error boundary leaves the code of an error."""

_REFUSING = frozenset({401, 403, 408, 413, 429, 503})
"""Statuses of requests that were turned away, rather than wrong."""


class ObservedRequests:
    """ASGI middleware that counts."""

    def __init__(self, app: ASGIApp, tallies: Tallies) -> None:
        self._app = app
        self._tallies = tallies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        tallies = self._tallies

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                tallies.responses[status] += 1
                if status in _REFUSING and REFUSAL in scope:
                    tallies.refusals["http", scope[REFUSAL]] += 1
            await send(message)

        await self._app(scope, receive, count)
