"""What tables look like, for the official command line and connectors. Nothing can be changed here.

Floor 6, `http_api`. The scope is `read`.

    GET /api/streaming_import/get_schema    the schema that serves; null where none is declared
    GET /api/shapes2                        {table: {"type": "Unknown" | "Never"}}
    GET /api/get_indexes                    indexes, and whether they can be queried

Source: wire 7.4. Not here: documents (`streaming_export.py`).
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.http_api.authorization import require_admin
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response


class SchemaEndpoints:
    """The endpoints that tell of tables of one deployment."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def schema(self, request: Request) -> Response:
        """`GET /api/streaming_import/get_schema`."""
        await require_admin(self._backend, request, Scope.READ)
        schema = self._backend.analysis.schema
        return json_response(msgspec.json.encode(schema if schema["tables"] else None).decode())

    async def shapes(self, request: Request) -> Response:
        """`GET /api/shapes2`: only whether a table has documents is known, not what all of them are."""
        await require_admin(self._backend, request, Scope.READ)
        empty = {} if request.query_params.get("component") else await self._backend.feeds.empty_tables()
        shapes = {table: {"type": "Never" if is_empty else "Unknown"} for table, is_empty in empty.items()}
        return json_response(msgspec.json.encode(shapes).decode())

    async def indexes(self, request: Request) -> Response:
        """`GET /api/get_indexes`."""
        await require_admin(self._backend, request, Scope.READ)
        indexes = await self._backend.feeds.indexes()
        return json_response(msgspec.json.encode({"indexes": indexes}).decode())
