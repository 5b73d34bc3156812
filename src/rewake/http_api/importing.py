"""Imports over HTTP, for administrators: what the official command line speaks.

Floor 6, `http_api`. Files come in parts and are never held in memory.

    POST /api/import/start_upload                             {"uploadToken"}
    POST /api/import/upload_part?uploadToken=&partNumber=     a part, as the raw body; its token as JSON text
    POST /api/import/finish_upload                            {"importId"}
    POST /api/perform_import, /api/cancel_import              {"importId"} in the body
    POST /api/import?tableName=&format=&mode=                 a whole file at once; {"numWritten"}

What becomes of an import is asked with the live query `_system/cli/queryImport`. An import needs the scope
`deploy`, as pushing code does, which may change every document too.

Not here: uploads and imports themselves (`deployment/importing.py`). Source: wire 7.7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import read_json
from rewake.http_api.errors import BadJsonBody
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response, json_text
from rewake.limits import Limits


class ImportArguments(msgspec.Struct, frozen=True, rename="camel"):
    """How something is to be imported."""

    mode: str
    format: str
    table_name: str | None = None
    component_path: str | None = None


class FinishUploadBody(msgspec.Struct, frozen=True, rename={"import_": "import"}):
    """The body of `/api/import/finish_upload`."""

    import_: ImportArguments
    uploadToken: str
    partTokens: list[str]


class ImportIdBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `/api/perform_import` and `/api/cancel_import`."""

    import_id: str


class ImportEndpoints:
    """The endpoints for imports of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def start_upload(self, request: Request) -> Response:
        """`POST /api/import/start_upload`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not. TooManyImports: too many are under way.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        token = await self._backend.imports.start_upload()
        return json_response(msgspec.json.encode({"uploadToken": token}).decode())

    async def upload_part(self, request: Request) -> Response:
        """`POST /api/import/upload_part?uploadToken=&partNumber=`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            BadJsonBody: the query lacks something. See `Imports.upload_part` for the rest.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        token, number = request.query_params.get("uploadToken"), request.query_params.get("partNumber", "")
        if token is None or not (number.isascii() and number.isdigit() and len(number) < 10):
            raise BadJsonBody("The query names `uploadToken` and `partNumber`, a whole number.")
        part = await self._backend.imports.upload_part(token, int(number), _pieces(request))
        return json_response(json_text(part))

    async def finish_upload(self, request: Request) -> Response:
        """`POST /api/import/finish_upload`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            ImportInvalid, UploadNotFound, UploadPartInvalid: nothing was begun.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        body = await read_json(request.scope, request.receive, FinishUploadBody, self._limits)
        _refuse_component(body.import_.component_path)
        id = await self._backend.imports.begin(
            body.uploadToken,
            body.partTokens,
            mode=body.import_.mode,
            format=body.import_.format,
            table=body.import_.table_name,
        )
        return json_response(msgspec.json.encode({"importId": id}).decode())

    async def perform(self, request: Request) -> Response:
        """`POST /api/perform_import`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            ImportNotFound, ImportNotWaiting: it cannot be confirmed.
        """
        await self._backend.imports.perform(await self._import_id(request))
        return json_response("{}")

    async def cancel(self, request: Request) -> Response:
        """`POST /api/cancel_import`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not. ImportNotFound: there is none.
        """
        await self._backend.imports.cancel(await self._import_id(request))
        return json_response("{}")

    async def at_once(self, request: Request) -> Response:
        """`POST /api/import?tableName=&format=&mode=`: answers when the import is over.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not. ImportFailed: nothing was changed.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        asked = request.query_params
        _refuse_component(asked.get("componentPath"))
        written = await self._backend.imports.all_at_once(
            _pieces(request),
            mode=asked.get("mode", "requireEmpty"),
            format=asked.get("format", ""),
            table=asked.get("tableName"),
        )
        return json_response(msgspec.json.encode({"numWritten": written}).decode())

    async def _import_id(self, request: Request) -> str:
        await require_admin(self._backend, request, Scope.DEPLOY)
        body = await read_json(request.scope, request.receive, ImportIdBody, self._limits)
        return body.import_id


def _refuse_component(path: str | None) -> None:
    if path:
        raise BadJsonBody("Rewake has no components: leave `componentPath` out.")


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece
