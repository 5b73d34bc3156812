"""Request sources: from where a request came, as functions are told.

Floor 6, `http_api`. The address is that of the peer, as the ASGI server tells it: a proxy's word about it is
the server's to believe or not.

Not here: the same for websockets (`sync`).
Source: semantics 5.9.
"""

from __future__ import annotations

from starlette.types import Scope

from rewake.execution import CalledFrom, RequestSource
from rewake.limits import Limits


def source_of(scope: Scope, limits: Limits, called_from: CalledFrom) -> RequestSource:
    """Where this request came from, and through which door."""
    peer = scope.get("client")
    header = next((value for name, value in scope["headers"] if name == b"user-agent"), None)
    return RequestSource.of(
        ip=None if peer is None else str(peer[0]),
        user_agent=None if header is None else header.decode("latin-1"),
        limits=limits,
        called_from=called_from,
    )
