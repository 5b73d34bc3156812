"""The HTTP API described for machines: OpenAPI, from the very types that read the bodies.

Floor 6, `http_api`. `GET /api/openapi.json` serves it; tests hold it against the routes, and send what it
allows and what it does not to a running server.

Functions of an application are not in it: `function_description.py` describes those.
Source: the OpenAPI specification, 3.1.0; wire 4. Not here: the routes themselves (`routes.py`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.codegen import SECURITY_SCHEMES
from rewake.http_api.admin_description import administration
from rewake.http_api.bodies import AnyCallBody, BatchBody, CallAtBody, CallBody, RunBody
from rewake.http_api.deploys import PlanBody, RollbackBody
from rewake.http_api.described_shapes import ARGUMENTS, SCHEMAS
from rewake.http_api.exports import ExpirationBody
from rewake.http_api.importing import FinishUploadBody, ImportIdBody
from rewake.http_api.keys import CreateKeyBody, RevokeKeyBody
from rewake.http_api.operations import ADMIN, BYTES, REF, TEXT, operation, parameter, path_parameter
from rewake.http_api.sql import SqlBody
from rewake.http_api.streaming_export import DocumentDeltasBody, ListSnapshotBody
from rewake.http_api.variables import UpdateVariablesBody

_BODIES = (
    CallBody,
    CallAtBody,
    AnyCallBody,
    RunBody,
    BatchBody,
    UpdateVariablesBody,
    CreateKeyBody,
    RevokeKeyBody,
    SqlBody,
    FinishUploadBody,
    ImportIdBody,
    ExpirationBody,
    ListSnapshotBody,
    DocumentDeltasBody,
    PlanBody,
    RollbackBody,
)

_QUERY_PARAMETERS = [
    parameter("path", "The function, such as messages:list."),
    parameter("args", "The object of arguments as JSON text.", required=False),
    parameter("format", "How values are written.", required=False),
]


@cache
def description() -> dict[str, Any]:
    """The API as an OpenAPI document."""
    _, components = msgspec.json.schema_components(_BODIES, ref_template=REF)
    for schema in components.values():
        if "args" in schema.get("properties", {}):
            schema["properties"]["args"] = ARGUMENTS
        schema.pop("title", None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rewake HTTP API",
            "description": "Functions, files and administration of one deployment.",
            "version": "1",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**components, **SCHEMAS},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


async def openapi(request: Request) -> Response:
    """`GET /api/openapi.json`."""
    return Response(msgspec.json.encode(description()), media_type="application/json")


def _paths() -> dict[str, Any]:
    return {
        **_of_functions(),
        **administration(),
        **_of_everybody(),
    }


def _of_functions() -> dict[str, Any]:
    result, admin = "FunctionResult", ADMIN
    run: dict[str, Any] = {"body": RunBody, "answer": result}
    return {
        "/api/query": {
            "get": operation("Run a query", answer=result, parameters=_QUERY_PARAMETERS),
            "post": operation("Run a query", body=CallBody, answer=result),
        },
        "/api/mutation": {"post": operation("Run a mutation", body=CallBody, answer=result)},
        "/api/action": {"post": operation("Run an action", body=CallBody, answer=result)},
        "/api/query_ts": {"post": operation("A timestamp to ask queries at", answer="Timestamp")},
        "/api/query_at_ts": {"post": operation("Run a query at a time", body=CallAtBody, answer=result)},
        "/api/query_batch": {
            "post": operation("Run queries on one snapshot", body=BatchBody, answer="FunctionResults")
        },
        "/api/function": {
            "post": operation(
                "Call any function, internal ones too", body=AnyCallBody, answer=result, security=admin
            )
        },
        "/api/run": {"post": operation("Says what is missing", **run)},
        "/api/run/{identifier}": {
            "post": operation(
                "Call a public function by its own kind", **run, parameters=[path_parameter("identifier")]
            )
        },
    }


def _of_everybody() -> dict[str, Any]:
    return {
        "/api/storage/upload": {
            "post": operation(
                "Store the body as a file",
                body=BYTES,
                answer="StorageId",
                parameters=[parameter("token", "The token of an upload URL.")],
            )
        },
        "/api/storage/{name}": {
            "get": operation(
                "The bytes of a file",
                answer=BYTES,
                parameters=[path_parameter("name")],
                statuses=(206, 304),
            )
        },
        "/api/debug_event": {"post": operation("Told by clients after a long time offline", answer="Empty")},
        "/api/openapi.json": {"get": operation("This description", answer="Empty")},
        "/healthz": {"get": operation("The process lives", answer=TEXT)},
        "/readyz": {"get": operation("Functions can be called", answer=TEXT)},
        "/version": {"get": operation("The version of the server", answer=TEXT)},
        "/instance_version": {"get": operation("The version of the server", answer=TEXT)},
        "/instance_name": {"get": operation("The name of the deployment", answer=TEXT)},
        "/echo": {"post": operation("The body back", body=BYTES, answer=BYTES)},
        "/": {"get": operation("A word for people", answer=TEXT)},
    }
