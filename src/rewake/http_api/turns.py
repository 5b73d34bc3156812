"""Turns: whose lane a request stands in at the turnstile, and the wait for its turn.

Floor 6, `http_api`. A lane is an address; of one address those who bring an `Authorization` have a few lanes
of their own, by chance, so that one tenant of an office has a share beside another. Nobody has looked at that
header yet, so they are few: who makes tokens up gains little. Questions after health have a lane beside all
of these.

    InTurn -> Router           of an application that is mounted; our own process asks at `server/entrance.py`

Not here: the turnstile (`execution/turnstile.py`).
Source: McKenney, "Stochastic Fairness Queueing" (1990).
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from starlette.types import ASGIApp, Receive, Scope, Send

from rewake.execution import Lane, Turnstile

_BEARERS = 8
"""Lanes of those of one address who say who they are."""
_HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})


def lane_at_turnstile(address: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Lane:
    """The lane of a request. `headers` have lowercase names."""
    if path in _HEALTH:
        return Lane(f"health {address}")
    for name, value in headers:
        if name == b"authorization":
            return Lane(f"address {address} bearer {crc32(value) % _BEARERS}")
    return Lane(f"address {address}")


class InTurn:
    """ASGI middleware: a request begins when it is its turn.

    Raises:
        FrontOverloaded: that would be, or was, too late.
    """

    def __init__(self, app: ASGIApp, turnstile: Turnstile) -> None:
        self._app = app
        self._turnstile = turnstile

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket; sockets do not wait here."""
        turnstile = self._turnstile
        if scope["type"] == "http" and not turnstile.has_room():
            client = scope.get("client")
            path: str = scope["path"].removeprefix(scope.get("root_path", ""))
            await turnstile.turn_of(lane_at_turnstile(client[0] if client else "", path, scope["headers"]))
        await self._app(scope, receive, send)
