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

from rewake.http_api.bodies import AnyCallBody, BatchBody, CallAtBody, CallBody, RunBody
from rewake.http_api.deploys import PlanBody, RollbackBody
from rewake.http_api.exports import ExpirationBody
from rewake.http_api.importing import FinishUploadBody, ImportIdBody
from rewake.http_api.keys import CreateKeyBody, RevokeKeyBody
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
_REF = "#/components/schemas/{name}"
_TEXT, _BYTES = "text/plain", "application/octet-stream"

_ARGUMENTS = {
    "description": "The object of arguments in encoded form, or an array with it as its one element.",
    "oneOf": [
        {"type": "object"},
        {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 1},
    ],
}
_SCHEMAS: dict[str, Any] = {
    "FunctionResult": {
        "description": "What a function came to; the status is 200 in both cases.",
        "oneOf": [
            {
                "type": "object",
                "required": ["status", "value", "logLines"],
                "properties": {
                    "status": {"const": "success"},
                    "value": {},
                    "logLines": {"type": "array", "items": {"type": "string"}},
                },
            },
            {
                "type": "object",
                "required": ["status", "errorMessage", "logLines"],
                "properties": {
                    "status": {"const": "error"},
                    "errorMessage": {"type": "string"},
                    "errorData": {},
                    "logLines": {"type": "array", "items": {"type": "string"}},
                },
            },
        ],
    },
    "Error": {
        "description": "Whatever goes wrong outside a function.",
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    },
    "Timestamp": {
        "type": "object",
        "required": ["ts"],
        "properties": {"ts": {"type": "string", "description": "Opaque; good for about an hour."}},
    },
    "FunctionResults": {
        "type": "object",
        "required": ["results"],
        "properties": {"results": {"type": "array", "items": {"$ref": _REF.format(name="FunctionResult")}}},
    },
    "EnvironmentVariables": {
        "type": "object",
        "required": ["environmentVariables"],
        "properties": {
            "environmentVariables": {"type": "object", "additionalProperties": {"type": "string"}}
        },
    },
    "LogEntries": {
        "type": "object",
        "required": ["entries", "newCursor"],
        "properties": {
            "entries": {"type": "array", "items": {"type": "object"}},
            "newCursor": {"type": "number"},
        },
    },
    "Series": {"type": "array", "items": {"type": "array"}},
    "Keys": {
        "type": "object",
        "required": ["keys"],
        "properties": {"keys": {"type": "array", "items": {"type": "object"}}},
    },
    "FreshKey": {
        "description": "The one time that the key itself is told.",
        "type": "object",
        "required": ["id", "key"],
        "properties": {"id": {"type": "string"}, "key": {"type": "string"}},
    },
    "Rows": {
        "type": "object",
        "required": ["columns", "rows", "isCut"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array"}},
            "isCut": {"type": "boolean", "description": "There are more rows than one answer holds."},
        },
    },
    "Deploys": {
        "type": "object",
        "required": ["deploys"],
        "properties": {"deploys": {"type": "array", "items": {"type": "object"}}},
    },
    "DeployPlan": {
        "description": "What a deploy changes, and how far it is.",
        "type": "object",
        "required": ["plan", "state", "base", "number", "isUnchanged", "changes", "progress", "error"],
        "properties": {
            "plan": {"type": "string"},
            "state": {"enum": ["planned", "working", "done", "failed"]},
            "changes": {"type": "object"},
        },
    },
    "StorageId": {
        "type": "object",
        "required": ["storageId"],
        "properties": {"storageId": {"type": "string"}},
    },
    "UploadToken": {
        "type": "object",
        "required": ["uploadToken"],
        "properties": {"uploadToken": {"type": "string"}},
    },
    "PartToken": {"type": "string"},
    "ImportId": {
        "type": "object",
        "required": ["importId"],
        "properties": {"importId": {"type": "string"}},
    },
    "Imported": {
        "type": "object",
        "required": ["numWritten"],
        "properties": {"numWritten": {"type": "integer"}},
    },
    "ExportRequested": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}},
    },
    "FeedRows": {
        "description": "Rows of tables, and where to go on.",
        "type": "object",
        "required": ["values", "cursor", "hasMore"],
        "properties": {
            "values": {"type": "array", "items": {"type": "object"}},
            "snapshot": {"type": "integer"},
            "cursor": {},
            "hasMore": {"type": "boolean"},
        },
    },
    "SchemaOrNull": {"type": ["object", "null"]},
    "Null": {"type": "null"},
    "Empty": {"type": "object"},
}

_ADMIN: list[dict[str, Any]] = [{"adminKey": []}]
_ANYBODY: list[dict[str, Any]] = [{}, {"adminKey": []}, {"userToken": []}]


@cache
def description() -> dict[str, Any]:
    """The API as an OpenAPI document."""
    _, components = msgspec.json.schema_components(_BODIES, ref_template=_REF)
    for schema in components.values():
        if "args" in schema.get("properties", {}):
            schema["properties"]["args"] = _ARGUMENTS
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
            "schemas": {**components, **_SCHEMAS},
            "securitySchemes": {
                "adminKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Convex {admin key}`",
                },
                "userToken": {"type": "http", "scheme": "bearer"},
            },
        },
    }


async def openapi(request: Request) -> Response:
    """`GET /api/openapi.json`."""
    return Response(msgspec.json.encode(description()), media_type="application/json")


def _paths() -> dict[str, Any]:
    return {
        **_of_functions(),
        **_of_administration(),
        **_of_imports(),
        **_of_feeds(),
        **_of_everybody(),
    }


def _of_functions() -> dict[str, Any]:
    result, admin = "FunctionResult", _ADMIN
    run: dict[str, Any] = {"body": RunBody, "answer": result}
    return {
        "/api/query": {
            "get": _operation("Run a query", answer=result, parameters=_QUERY_PARAMETERS),
            "post": _operation("Run a query", body=CallBody, answer=result),
        },
        "/api/mutation": {"post": _operation("Run a mutation", body=CallBody, answer=result)},
        "/api/action": {"post": _operation("Run an action", body=CallBody, answer=result)},
        "/api/query_ts": {"post": _operation("A timestamp to ask queries at", answer="Timestamp")},
        "/api/query_at_ts": {"post": _operation("Run a query at a time", body=CallAtBody, answer=result)},
        "/api/query_batch": {
            "post": _operation("Run queries on one snapshot", body=BatchBody, answer="FunctionResults")
        },
        "/api/function": {
            "post": _operation(
                "Call any function, internal ones too", body=AnyCallBody, answer=result, security=admin
            )
        },
        "/api/run": {"post": _operation("Says what is missing", **run)},
        "/api/run/{identifier}": {
            "post": _operation(
                "Call a public function by its own kind", **run, parameters=[_path_parameter("identifier")]
            )
        },
    }


def _of_administration() -> dict[str, Any]:
    admin = _ADMIN
    follow: dict[str, Any] = {"answer": "LogEntries", "security": admin, "parameters": [_CURSOR]}
    change = _operation(
        "Change environment variables, all or none", body=UpdateVariablesBody, answer="", security=admin
    )
    listed = _operation("All environment variables", answer="EnvironmentVariables", security=admin)
    logs, runs = _operation("What runs, as a long poll", **follow), _operation("What has run", **follow)
    planned: dict[str, Any] = {"answer": "DeployPlan", "security": admin}
    plan = _parameter("plan", "The id of the plan.")
    message = _parameter("message", "What the deploy is for.", required=False)
    return {
        "/api/deploys": {"get": _operation("What was deployed", answer="Deploys", security=admin)},
        "/api/deploys/start": {
            "post": _operation("Plan a deploy", body="application/zip", parameters=[message], **planned)
        },
        "/api/deploys/rollback": {
            "post": _operation("Plan to go back to older sources", body=RollbackBody, **planned)
        },
        "/api/deploys/finish": {"post": _operation("Carry a plan out", body=PlanBody, **planned)},
        "/api/deploys/progress": {
            "get": _operation("How far a plan is, as a long poll", parameters=[plan], **planned)
        },
        "/api/deploys/cancel": {
            "post": _operation("Forget a plan", body=PlanBody, answer="Empty", security=admin)
        },
        "/api/check_admin_key": {
            "get": _operation("Whether the key is an administrator's", answer="Empty", security=admin)
        },
        "/api/functions/openapi.json": {
            "get": _operation("The functions of the application, in OpenAPI", answer="Empty", security=admin)
        },
        "/api/keys": {"get": _operation("The keys of administrators", answer="Keys", security=admin)},
        "/api/keys/create": {
            "post": _operation("Make a key", body=CreateKeyBody, answer="FreshKey", security=admin)
        },
        "/api/keys/revoke": {
            "post": _operation("End a key", body=RevokeKeyBody, answer="Empty", security=admin)
        },
        "/api/sql": {
            "post": _operation("Read with SQL, on one snapshot", body=SqlBody, answer="Rows", security=admin)
        },
        "/api/export/request/zip": {
            "post": _operation(
                "Begin a snapshot export",
                answer="ExportRequested",
                security=admin,
                parameters=[_parameter("includeStorage", "true for files as well.", required=False)],
            )
        },
        "/api/export/zip/{name}": {
            "get": _operation(
                "The archive of an export",
                answer="application/zip",
                security=admin,
                parameters=[_path_parameter("name")],
                statuses=(206, 304),
            )
        },
        "/api/export/set_expiration/{id}": {
            "post": _operation(
                "Keep an archive until then",
                body=ExpirationBody,
                answer="Null",
                security=admin,
                parameters=[_path_parameter("id")],
            )
        },
        "/api/export/cancel/{id}": {
            "post": _operation(
                "End an export", answer="Null", security=admin, parameters=[_path_parameter("id")]
            )
        },
        "/api/v1/get_canonical_urls": {
            "get": _operation("Where clients reach the deployment", answer="Empty", security=admin)
        },
        "/api/update_environment_variables": {"post": change},
        "/api/v1/update_environment_variables": {"post": change},
        "/api/list_environment_variables": {"get": listed},
        "/api/v1/list_environment_variables": {"get": listed},
        "/api/stream_function_logs": {"get": logs},
        "/api/app_metrics/stream_function_logs": {"get": logs},
        **_of_charts(),
        "/metrics": {"get": _operation("Everything, as Prometheus reads it", answer=_TEXT, security=admin)},
        "/api/stream_udf_execution": {"get": runs},
        "/api/app_metrics/stream_udf_execution": {"get": runs},
    }


def _of_imports() -> dict[str, Any]:
    admin = _ADMIN
    chosen = [
        _parameter("format", "csv, jsonLines, jsonArray or zip."),
        _parameter("mode", "requireEmpty, append, replace or replaceAll.", required=False),
        _parameter("tableName", "The table, for any format but zip.", required=False),
    ]
    part = [_parameter("uploadToken", "Of the upload."), _parameter("partNumber", "From 1.")]
    decide: dict[str, Any] = {"body": ImportIdBody, "answer": "Empty", "security": admin}
    return {
        "/api/import": {
            "post": _operation(
                "Import the body, without asking",
                body=_BYTES,
                answer="Imported",
                parameters=chosen,
                security=admin,
            )
        },
        "/api/import/start_upload": {
            "post": _operation("Begin an upload", answer="UploadToken", security=admin)
        },
        "/api/import/upload_part": {
            "post": _operation(
                "A part of an upload", body=_BYTES, answer="PartToken", parameters=part, security=admin
            )
        },
        "/api/import/finish_upload": {
            "post": _operation(
                "Begin the import of an upload", body=FinishUploadBody, answer="ImportId", security=admin
            )
        },
        "/api/perform_import": {"post": _operation("Confirm an import", **decide)},
        "/api/cancel_import": {"post": _operation("Take an import back", **decide)},
    }


def _of_feeds() -> dict[str, Any]:
    rows: dict[str, Any] = {"answer": "FeedRows", "security": _ADMIN}
    narrow = [
        _parameter(name, "See the body of POST.", required=False)
        for name in ("cursor", "tableName", "component", "selection", "format")
    ]
    snapshot = [_parameter("snapshot", "From the answer before.", required=False), *narrow]
    look: dict[str, Any] = {"answer": "Empty", "security": _ADMIN}
    return {
        "/api/list_snapshot": {
            "get": _operation("All documents at one time", **rows, parameters=snapshot),
            "post": _operation("All documents at one time", **rows, body=ListSnapshotBody),
        },
        "/api/document_deltas": {
            "get": _operation("What was written since", **rows, parameters=narrow),
            "post": _operation("What was written since", **rows, body=DocumentDeltasBody),
        },
        "/api/streaming_import/get_schema": {
            "get": _operation("The schema, or null", answer="SchemaOrNull", security=_ADMIN)
        },
        "/api/shapes2": {"get": _operation("What tables hold", **look)},
        "/api/get_indexes": {"get": _operation("Indexes, and how far they are", **look)},
        "/api/json_schemas": {"get": _operation("What documents look like", **look)},
        "/api/get_table_column_names": {"get": _operation("The fields of tables", **look)},
        "/api/test_streaming_export_connection": {
            "get": _operation("Whether the key opens the feeds", answer="Null", security=_ADMIN)
        },
    }


def _of_charts() -> dict[str, Any]:
    window = _parameter("window", "JSON: `start` and `end` as `secs_since_epoch`, and `num_buckets`.")
    path = _parameter("udfPath", "The function.")
    kind = _parameter("udfType", "Its kind, where a path may mean several.", required=False)
    most = _parameter("k", "How many functions, 1 to 25.", required=False)
    metric = _parameter("metric", "What is counted.")
    shares = _parameter("percentiles", "A JSON array of numbers.")
    parameters = {
        "udf_rate": ("How often something happened to a function", [path, kind, metric]),
        "cache_hit_percentage": ("How many calls a cache answered", [path, kind]),
        "latency_percentiles": ("How long runs took", [path, kind, shares]),
        "failure_percentage_top_k": ("Functions that fail most", [most]),
        "cache_hit_percentage_top_k": ("Queries that run most in spite of the cache", [most]),
        "function_call_count_top_k": ("Functions that are called most", [most]),
        "subscription_invalidations_top_k": ("Live queries that commits outdate most", [most]),
        "table_rate": ("How often documents were written", [_parameter("name", "The table."), metric]),
        "scheduled_job_lag": ("How late scheduled functions are", []),
        "function_concurrency": ("How many calls run and wait", []),
    }
    return {
        f"/api/app_metrics/{name}": {
            "get": _operation(text, answer="Series", parameters=[*own, window], security=_ADMIN)
        }
        for name, (text, own) in parameters.items()
    }


def _of_everybody() -> dict[str, Any]:
    return {
        "/api/storage/upload": {
            "post": _operation(
                "Store the body as a file",
                body=_BYTES,
                answer="StorageId",
                parameters=[_parameter("token", "The token of an upload URL.")],
            )
        },
        "/api/storage/{name}": {
            "get": _operation(
                "The bytes of a file",
                answer=_BYTES,
                parameters=[_path_parameter("name")],
                statuses=(206, 304),
            )
        },
        "/api/debug_event": {"post": _operation("Told by clients after a long time offline", answer="Empty")},
        "/api/openapi.json": {"get": _operation("This description", answer="Empty")},
        "/healthz": {"get": _operation("The process lives", answer=_TEXT)},
        "/readyz": {"get": _operation("Functions can be called", answer=_TEXT)},
        "/version": {"get": _operation("The version of the server", answer=_TEXT)},
        "/instance_version": {"get": _operation("The version of the server", answer=_TEXT)},
        "/instance_name": {"get": _operation("The name of the deployment", answer=_TEXT)},
        "/echo": {"post": _operation("The body back", body=_BYTES, answer=_BYTES)},
        "/": {"get": _operation("A word for people", answer=_TEXT)},
    }


def _operation(
    summary: str,
    *,
    answer: str,
    body: type[msgspec.Struct] | str | None = None,
    parameters: list[dict[str, Any]] | None = None,
    security: list[dict[str, Any]] = _ANYBODY,
    statuses: tuple[int, ...] = (),
) -> dict[str, Any]:
    """One operation. `answer` and `body` name a schema, or the media type of something without one; an empty
    `answer` has no content.
    """
    operation: dict[str, Any] = {
        "summary": summary,
        "security": security,
        "responses": {
            "200": {"description": "Done.", **({"content": _content(answer)} if answer else {})},
            **{str(status): {"description": "See RFC 9110."} for status in statuses},
            # Errors of the caller, and of a server that cannot now; 500 is our own mistake and not foreseen.
            "4XX": {"description": "Refused; nothing was done.", "content": _content("Error")},
            "503": {"description": "Not now; try again.", "content": _content("Error")},
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        named = body if isinstance(body, str) else body.__name__
        operation["requestBody"] = {"required": not isinstance(body, str), "content": _content(named)}
    return operation


def _content(name: str) -> dict[str, Any]:
    if "/" in name:
        return {name: {"schema": {"type": "string"} if name == _TEXT else {}}}
    return {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}


def _parameter(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


_QUERY_PARAMETERS = [
    _parameter("path", "The function, such as messages:list."),
    _parameter("args", "The object of arguments as JSON text.", required=False),
    _parameter("format", "How values are written.", required=False),
]
_CURSOR = _parameter("cursor", "From the answer before; 0 for what is kept.", required=False)
