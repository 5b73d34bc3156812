"""Environment variables over HTTP, for administrators.

Floor 6, `http_api`.

    POST /api/update_environment_variables    {"changes": [{"name", "value": string | null}]}; null removes
    GET  /api/list_environment_variables      {"environmentVariables": {name: value}}

Both stand under `/api/v1/` too. A change is atomic. Values appear in no error and no log line.

Source: wire 7.5. Not here: limits (`database`).
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


class VariableChange(msgspec.Struct, frozen=True):
    """One variable to set, or to remove where the value is null."""

    name: str
    value: str | None


class UpdateVariablesBody(msgspec.Struct, frozen=True):
    """The body of `/api/update_environment_variables`."""

    changes: list[VariableChange]


class VariableEndpoints:
    """The endpoints for environment variables of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def update(self, request: Request) -> Response:
        """`POST /api/update_environment_variables`.

        Raises:
            AdminRequired: the caller is not an administrator.
            InvalidInput: a change is refused; none was made.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        body = await read_json(
            request.scope,
            request.receive,
            UpdateVariablesBody,
            self._limits,
        )
        await self._backend.variables.change({change.name: change.value for change in body.changes})
        return Response(status_code=200)

    async def list(self, request: Request) -> Response:
        """`GET /api/list_environment_variables`.

        Raises:
            AdminRequired: the caller is not an administrator.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        variables = await self._backend.variables.all()
        return json_response(msgspec.json.encode({"environmentVariables": variables}).decode())
