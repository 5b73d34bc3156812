"""SQL over HTTP, for administrators whose key has the scope `read`.

Floor 6, `http_api`.

    POST /api/sql    {"query"} -> {"columns": [...], "rows": [[...], ...], "isCut"}

It reads, on one snapshot, and nothing else. The endpoint is ours; the official server has none.

Not here: running it (`deployment/sql.py`), what it may do (`database/sql_reading.py`).
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import read_json
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response
from rewake.limits import Limits


class SqlBody(msgspec.Struct, frozen=True):
    """The body of `/api/sql`."""

    query: str


class SqlEndpoint:
    """The endpoint for SQL of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def run(self, request: Request) -> Response:
        """`POST /api/sql`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            InvalidInput, RateLimited, Unavailable: it cannot be run.
        """
        await require_admin(self._backend, request, Scope.READ)
        body = await read_json(request.scope, request.receive, SqlBody, self._limits)
        answer = await self._backend.sql.run(body.query)
        return json_response(msgspec.json.encode(answer).decode())
