"""What administrators may ask over HTTP, in OpenAPI.

Floor 6, `http_api`. Not here: what anybody may ask, and the document as a whole (`description.py`).
"""

from __future__ import annotations

from typing import Any

from rewake.http_api.deploys import PlanBody, RollbackBody
from rewake.http_api.exports import ExpirationBody
from rewake.http_api.importing import FinishUploadBody, ImportIdBody
from rewake.http_api.keys import CreateKeyBody, RevokeKeyBody
from rewake.http_api.operations import ADMIN, BYTES, TEXT, operation, parameter, path_parameter
from rewake.http_api.sql import SqlBody
from rewake.http_api.streaming_export import DocumentDeltasBody, ListSnapshotBody
from rewake.http_api.variables import UpdateVariablesBody

CURSOR = parameter("cursor", "From the answer before; 0 for what is kept.", required=False)


def administration() -> dict[str, Any]:
    """The paths that want an admin key."""
    admin = ADMIN
    follow: dict[str, Any] = {"answer": "LogEntries", "security": admin, "parameters": [CURSOR]}
    change = operation(
        "Change environment variables, all or none", body=UpdateVariablesBody, answer="", security=admin
    )
    listed = operation("All environment variables", answer="EnvironmentVariables", security=admin)
    logs, runs = operation("What runs, as a long poll", **follow), operation("What has run", **follow)
    return {
        "/api/check_admin_key": {
            "get": operation("Whether the key is an administrator's", answer="Empty", security=admin)
        },
        "/api/functions/openapi.json": {
            "get": operation("The functions of the application, in OpenAPI", answer="Empty", security=admin)
        },
        "/api/keys": {"get": operation("The keys of administrators", answer="Keys", security=admin)},
        "/api/keys/create": {
            "post": operation("Make a key", body=CreateKeyBody, answer="FreshKey", security=admin)
        },
        "/api/keys/revoke": {
            "post": operation("End a key", body=RevokeKeyBody, answer="Empty", security=admin)
        },
        "/api/sql": {
            "post": operation("Read with SQL, on one snapshot", body=SqlBody, answer="Rows", security=admin)
        },
        "/api/v1/get_canonical_urls": {
            "get": operation("Where clients reach the deployment", answer="Empty", security=admin)
        },
        "/api/update_environment_variables": {"post": change},
        "/api/v1/update_environment_variables": {"post": change},
        "/api/list_environment_variables": {"get": listed},
        "/api/v1/list_environment_variables": {"get": listed},
        "/api/stream_function_logs": {"get": logs},
        "/api/app_metrics/stream_function_logs": {"get": logs},
        **_of_deploys(),
        **_of_exports(),
        **_of_imports(),
        **_of_feeds(),
        **_of_charts(),
        "/metrics": {"get": operation("Everything, as Prometheus reads it", answer=TEXT, security=admin)},
        "/api/stream_udf_execution": {"get": runs},
        "/api/app_metrics/stream_udf_execution": {"get": runs},
    }


def _of_imports() -> dict[str, Any]:
    admin = ADMIN
    chosen = [
        parameter("format", "csv, jsonLines, jsonArray or zip."),
        parameter("mode", "requireEmpty, append, replace or replaceAll.", required=False),
        parameter("tableName", "The table, for any format but zip.", required=False),
    ]
    part = [parameter("uploadToken", "Of the upload."), parameter("partNumber", "From 1.")]
    decide: dict[str, Any] = {"body": ImportIdBody, "answer": "Empty", "security": admin}
    return {
        "/api/import": {
            "post": operation(
                "Import the body, without asking",
                body=BYTES,
                answer="Imported",
                parameters=chosen,
                security=admin,
            )
        },
        "/api/import/start_upload": {
            "post": operation("Begin an upload", answer="UploadToken", security=admin)
        },
        "/api/import/upload_part": {
            "post": operation(
                "A part of an upload", body=BYTES, answer="PartToken", parameters=part, security=admin
            )
        },
        "/api/import/finish_upload": {
            "post": operation(
                "Begin the import of an upload", body=FinishUploadBody, answer="ImportId", security=admin
            )
        },
        "/api/perform_import": {"post": operation("Confirm an import", **decide)},
        "/api/cancel_import": {"post": operation("Take an import back", **decide)},
    }


def _of_feeds() -> dict[str, Any]:
    rows: dict[str, Any] = {"answer": "FeedRows", "security": ADMIN}
    narrow = [
        parameter(name, "See the body of POST.", required=False)
        for name in ("cursor", "tableName", "component", "selection", "format")
    ]
    snapshot = [parameter("snapshot", "From the answer before.", required=False), *narrow]
    look: dict[str, Any] = {"answer": "Empty", "security": ADMIN}
    return {
        "/api/list_snapshot": {
            "get": operation("All documents at one time", **rows, parameters=snapshot),
            "post": operation("All documents at one time", **rows, body=ListSnapshotBody),
        },
        "/api/document_deltas": {
            "get": operation("What was written since", **rows, parameters=narrow),
            "post": operation("What was written since", **rows, body=DocumentDeltasBody),
        },
        "/api/streaming_import/get_schema": {
            "get": operation("The schema, or null", answer="SchemaOrNull", security=ADMIN)
        },
        "/api/shapes2": {"get": operation("What tables hold", **look)},
        "/api/get_indexes": {"get": operation("Indexes, and how far they are", **look)},
        "/api/json_schemas": {"get": operation("What documents look like", **look)},
        "/api/get_table_column_names": {"get": operation("The fields of tables", **look)},
        "/api/test_streaming_export_connection": {
            "get": operation("Whether the key opens the feeds", answer="Null", security=ADMIN)
        },
    }


def _of_charts() -> dict[str, Any]:
    window = parameter("window", "JSON: `start` and `end` as `secs_since_epoch`, and `num_buckets`.")
    path = parameter("udfPath", "The function.")
    kind = parameter("udfType", "Its kind, where a path may mean several.", required=False)
    most = parameter("k", "How many functions, 1 to 25.", required=False)
    metric = parameter("metric", "What is counted.")
    shares = parameter("percentiles", "A JSON array of numbers.")
    parameters = {
        "udf_rate": ("How often something happened to a function", [path, kind, metric]),
        "cache_hit_percentage": ("How many calls a cache answered", [path, kind]),
        "latency_percentiles": ("How long runs took", [path, kind, shares]),
        "failure_percentage_top_k": ("Functions that fail most", [most]),
        "cache_hit_percentage_top_k": ("Queries that run most in spite of the cache", [most]),
        "function_call_count_top_k": ("Functions that are called most", [most]),
        "subscription_invalidations_top_k": ("Live queries that commits outdate most", [most]),
        "table_rate": ("How often documents were written", [parameter("name", "The table."), metric]),
        "scheduled_job_lag": ("How late scheduled functions are", []),
        "function_concurrency": ("How many calls run and wait", []),
    }
    return {
        f"/api/app_metrics/{name}": {
            "get": operation(text, answer="Series", parameters=[*own, window], security=ADMIN)
        }
        for name, (text, own) in parameters.items()
    }


def _of_deploys() -> dict[str, Any]:
    admin = ADMIN
    planned: dict[str, Any] = {"answer": "DeployPlan", "security": admin}
    plan = parameter("plan", "The id of the plan.")
    message = parameter("message", "What the deploy is for.", required=False)
    return {
        "/api/deploys": {"get": operation("What was deployed", answer="Deploys", security=admin)},
        "/api/deploys/start": {
            "post": operation("Plan a deploy", body=BYTES, parameters=[message], **planned)
        },
        "/api/deploys/rollback": {
            "post": operation("Plan to go back to older sources", body=RollbackBody, **planned)
        },
        "/api/deploys/finish": {"post": operation("Carry a plan out", body=PlanBody, **planned)},
        "/api/deploys/progress": {
            "get": operation("How far a plan is, as a long poll", parameters=[plan], **planned)
        },
        "/api/deploys/cancel": {
            "post": operation("Forget a plan", body=PlanBody, answer="Empty", security=admin)
        },
    }


def _of_exports() -> dict[str, Any]:
    admin = ADMIN
    return {
        "/api/export/request/zip": {
            "post": operation(
                "Begin a snapshot export",
                answer="ExportRequested",
                security=admin,
                parameters=[parameter("includeStorage", "true for files as well.", required=False)],
            )
        },
        "/api/export/zip/{name}": {
            "get": operation(
                "The archive of an export",
                answer="application/zip",
                security=admin,
                parameters=[path_parameter("name")],
                statuses=(206, 304),
            )
        },
        "/api/export/set_expiration/{id}": {
            "post": operation(
                "Keep an archive until then",
                body=ExpirationBody,
                answer="Null",
                security=admin,
                parameters=[path_parameter("id")],
            )
        },
        "/api/export/cancel/{id}": {
            "post": operation(
                "End an export", answer="Null", security=admin, parameters=[path_parameter("id")]
            )
        },
    }
