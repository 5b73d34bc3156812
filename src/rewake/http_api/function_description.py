"""The functions of the application described for machines: OpenAPI, made anew when the code changes.

Floor 6, `http_api`. `GET /api/functions/openapi.json` asks for the scope `read`: public functions can be
called by anybody, but a list of all their names is for those who may look into the deployment.

Source: `codegen/openapi.py`. Not here: the server's own API (`description.py`).
"""

from __future__ import annotations

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.execution import Analysis
from rewake.http_api.authorization import require_admin
from rewake.http_api.discovery import public_origin
from rewake.http_api.ports import Backend


class _Written(msgspec.Struct, frozen=True):
    """The latest text, and what it was made of."""

    analysis: Analysis
    url: str
    text: bytes


class FunctionDescription:
    """The endpoint that describes the functions of one deployment."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._latest: _Written | None = None
        """None -> what was asked for first; replaced when code or address differ."""

    async def openapi(self, request: Request) -> Response:
        """`GET /api/functions/openapi.json`.

        Raises:
            AdminRequired: the caller is not an administrator.
            OperationNotPermitted: the key may not read.
        """
        await require_admin(self._backend, request, Scope.READ)
        analysis, url = self._backend.analysis, self._backend.public_url or public_origin(request)
        latest = self._latest
        if latest is None or latest.analysis is not analysis or latest.url != url:
            # In a thread: thousands of functions take longer than the loop may stand still.
            latest = self._latest = await anyio.to_thread.run_sync(self._written, analysis, url)
        return Response(latest.text, media_type="application/json")

    def _written(self, analysis: Analysis, url: str) -> _Written:
        # No server needs it before somebody asks.
        from rewake.codegen import function_spec_of, http_route_of, openapi_of

        document = openapi_of(
            analysis.schema,
            map(function_spec_of, analysis.functions),
            routes=map(http_route_of, analysis.routes or ()),
            title=self._backend.deployment_name,
            url=url,
        )
        return _Written(analysis, url, msgspec.json.encode(document))
