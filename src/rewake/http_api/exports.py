"""Snapshot exports over HTTP, for administrators. Each endpoint needs the scope `read`.

Floor 6, `http_api`.

    POST /api/export/request/zip?includeStorage=true|false    200, or 400 ExportInProgress
    GET  /api/export/zip/{start_ts or id}                      the archive
    POST /api/export/set_expiration/{id}                       {"expirationTsNs"}
    POST /api/export/cancel/{id}

How far an export is, clients follow by the query `_system/cli/exports:getLatest`.

Source: wire 7.6. Not here: making archives (`deployment/exports.py`).
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from rewake.auth import Scope
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import read_json
from rewake.http_api.errors import BadParameter
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response, json_text
from rewake.limits import Limits


class ExpirationBody(msgspec.Struct, frozen=True, rename={"expiration_ts_ns": "expirationTsNs"}):
    """The body of `/api/export/set_expiration/{id}`."""

    expiration_ts_ns: int


class ExportEndpoints:
    """The endpoints for exports of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def request(self, request: Request) -> Response:
        """`POST /api/export/request/zip`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            ExportInProgress: one is being made.
            BadParameter: there are no components here.
        """
        await require_admin(self._backend, request, Scope.READ)
        wanted = request.query_params.get("includeStorage", "false")
        if wanted not in ("true", "false"):
            raise BadParameter(name="includeStorage", detail="expected true or false.")
        if request.query_params.get("component"):
            raise BadParameter(name="component", detail="this deployment has no components.")
        id = await self._backend.exports.request(has_files=wanted == "true")
        return json_response(f'{{"id":{json_text(id)}}}')

    async def fetch(self, request: Request) -> Response:
        """`GET /api/export/zip/{name}`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            ExportNotFound: there is no such archive.
        """
        await require_admin(self._backend, request, Scope.READ)
        _, path = await self._backend.exports.find(request.path_params["name"])
        # As the official command line parses it: no quotes.
        headers = {"content-disposition": f"attachment; filename={path.name}", "cache-control": "no-store"}
        return FileResponse(path, media_type="application/zip", headers=headers)

    async def set_expiration(self, request: Request) -> Response:
        """`POST /api/export/set_expiration/{id}`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            ExportNotFound: there is no such archive.
        """
        await require_admin(self._backend, request, Scope.READ)
        body = await read_json(request.scope, request.receive, ExpirationBody, self._limits)
        if not 0 <= body.expiration_ts_ns < 2**63:
            raise BadParameter(name="expirationTsNs", detail="expected nanoseconds since 1970.")
        await self._backend.exports.set_expiration(
            request.path_params["id"], expiration_ts=body.expiration_ts_ns
        )
        return json_response("null")

    async def cancel(self, request: Request) -> Response:
        """`POST /api/export/cancel/{id}`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            ExportNotFound: no such export is under way.
        """
        await require_admin(self._backend, request, Scope.READ)
        await self._backend.exports.cancel(request.path_params["id"])
        return json_response("null")
