"""The HTTP API put together.

Floor 6, `http_api`. `build_routes` gives plain Starlette routes for an application that mounts Rewake
beside its own pages; `build_app` is the whole door with CORS and the one error shape, which our own
server serves.

    ObservedRequests -> CorsMiddleware -> ErrorBoundary -> InTurn, where mounted -> Router
    Router -> (route -> ErrorBoundary -> Endpoint -> handler) | fallback

Source: wire 4. Not here: the sync socket (`sync`), which `server` adds as one more route.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from rewake.execution import Turnstile
from rewake.http_api.app_metrics import AppMetrics
from rewake.http_api.cors import CorsMiddleware
from rewake.http_api.deploys import DeployEndpoints
from rewake.http_api.discovery import Discovery
from rewake.http_api.endpoint import route
from rewake.http_api.errors import ErrorBoundary, NoSuchEndpoint
from rewake.http_api.exports import ExportEndpoints
from rewake.http_api.files import FileEndpoints
from rewake.http_api.function_description import FunctionDescription
from rewake.http_api.functions import FunctionEndpoints
from rewake.http_api.http_actions import HttpActions
from rewake.http_api.importing import ImportEndpoints
from rewake.http_api.keys import KeyEndpoints
from rewake.http_api.logs import LogEndpoints
from rewake.http_api.metrics import MetricsEndpoint
from rewake.http_api.observed_requests import ObservedRequests
from rewake.http_api.ports import Backend, HttpActionsBackend
from rewake.http_api.schemas import SchemaEndpoints
from rewake.http_api.sql import SqlEndpoint
from rewake.http_api.streaming_export import StreamingExport
from rewake.http_api.turns import InTurn
from rewake.http_api.variables import VariableEndpoints
from rewake.limits import DEFAULT_LIMITS, Limits

API_PREFIXES = ("/api", "/http")
"""Addresses under these belong to the API whether or not something answers there; no page may take them."""


def build_routes(backend: Backend, *, limits: Limits = DEFAULT_LIMITS) -> list[Route | WebSocketRoute]:
    """The routes of one deployment's HTTP API, the most used first.

    Each answers errors in the one shape by itself, also when mounted in another application.
    """
    functions = FunctionEndpoints(backend, limits)
    discovery = Discovery(backend)
    logs = LogEndpoints(backend)
    files = FileEndpoints(backend.files)
    env = backend.environment
    actions = ErrorBoundary(HttpActions(backend, prefix="/http"), env)
    return [
        route("/api/query", env, GET=functions.query_by_url, POST=functions.query),
        route("/api/mutation", env, POST=functions.mutation),
        route("/api/action", env, POST=functions.action),
        route("/api/query_ts", env, POST=functions.query_ts),
        route("/api/query_at_ts", env, POST=functions.query_at_ts),
        route("/api/query_batch", env, POST=functions.query_batch),
        route("/api/function", env, POST=functions.any_function),
        route("/api/run/{identifier:path}", env, POST=functions.run),
        route("/api/run", env, POST=functions.run),
        route("/api/storage/upload", env, POST=files.upload),
        route("/api/storage/{name}", env, GET=files.fetch),
        *_administration(backend, limits),
        *_charts(backend),
        route("/api/check_admin_key", env, GET=discovery.check_admin_key),
        route("/api/v1/get_canonical_urls", env, GET=discovery.canonical_urls),
        route("/api/stream_function_logs", env, GET=logs.function_logs),
        route("/api/app_metrics/stream_function_logs", env, GET=logs.function_logs),
        route("/api/stream_udf_execution", env, GET=logs.executions),
        route("/api/app_metrics/stream_udf_execution", env, GET=logs.executions),
        route("/metrics", env, GET=MetricsEndpoint(backend).page),
        route("/api/debug_event", env, POST=discovery.debug_event),
        route("/api/openapi.json", env, GET=_described),
        route("/api/functions/openapi.json", env, GET=FunctionDescription(backend).openapi),
        route("/healthz", env, GET=discovery.alive),
        route("/readyz", env, GET=discovery.ready),
        route("/version", env, GET=discovery.version),
        route("/instance_name", env, GET=discovery.name),
        route("/instance_version", env, GET=discovery.version),
        route("/echo", env, POST=discovery.echo),
        Route("/http", actions, name="/http"),
        Route("/http/{path:path}", actions, name="/http/{path}"),
        WebSocketRoute("/http", actions),
        WebSocketRoute("/http/{path:path}", actions),
        route("/", env, GET=discovery.welcome),
    ]


async def _described(request: Request) -> Response:
    """`GET /api/openapi.json`. What describes all of this is loaded when somebody asks for it."""
    from rewake.http_api.description import openapi

    return await openapi(request)


def _administration(backend: Backend, limits: Limits) -> list[Route]:
    """What only holders of an admin key may ask."""
    variables = VariableEndpoints(backend, limits)
    exports = ExportEndpoints(backend, limits)
    feed = StreamingExport(backend, limits)
    schemas = SchemaEndpoints(backend)
    keys = KeyEndpoints(backend, limits)
    imports = ImportEndpoints(backend, limits)
    deploys = DeployEndpoints(backend, limits)
    env = backend.environment
    return [
        route("/api/update_environment_variables", env, POST=variables.update),
        route("/api/v1/update_environment_variables", env, POST=variables.update),
        route("/api/list_environment_variables", env, GET=variables.list),
        route("/api/v1/list_environment_variables", env, GET=variables.list),
        route("/api/export/request/zip", env, POST=exports.request),
        route("/api/export/zip/{name}", env, GET=exports.fetch),
        route("/api/export/set_expiration/{id}", env, POST=exports.set_expiration),
        route("/api/export/cancel/{id}", env, POST=exports.cancel),
        route("/api/list_snapshot", env, GET=feed.list_snapshot, POST=feed.list_snapshot),
        route("/api/document_deltas", env, GET=feed.document_deltas, POST=feed.document_deltas),
        route("/api/json_schemas", env, GET=feed.json_schemas),
        route("/api/get_table_column_names", env, GET=feed.column_names),
        route("/api/test_streaming_export_connection", env, GET=feed.test_connection),
        route("/api/streaming_import/get_schema", env, GET=schemas.schema),
        route("/api/shapes2", env, GET=schemas.shapes),
        route("/api/get_indexes", env, GET=schemas.indexes),
        route("/api/keys", env, GET=keys.list),
        route("/api/keys/create", env, POST=keys.create),
        route("/api/keys/revoke", env, POST=keys.revoke),
        route("/api/sql", env, POST=SqlEndpoint(backend, limits).run),
        route("/api/deploys", env, GET=deploys.list),
        route("/api/deploys/start", env, POST=deploys.start),
        route("/api/deploys/rollback", env, POST=deploys.rollback),
        route("/api/deploys/finish", env, POST=deploys.finish),
        route("/api/deploys/progress", env, GET=deploys.progress),
        route("/api/deploys/cancel", env, POST=deploys.cancel),
        route("/api/import", env, POST=imports.at_once),
        route("/api/import/start_upload", env, POST=imports.start_upload),
        route("/api/import/upload_part", env, POST=imports.upload_part),
        route("/api/import/finish_upload", env, POST=imports.finish_upload),
        route("/api/perform_import", env, POST=imports.perform),
        route("/api/cancel_import", env, POST=imports.cancel),
    ]


def _charts(backend: Backend) -> list[Route]:
    """What a dashboard draws."""
    charts = AppMetrics(backend)
    env = backend.environment
    return [
        route("/api/app_metrics/udf_rate", env, GET=charts.udf_rate),
        route("/api/app_metrics/cache_hit_percentage", env, GET=charts.cache_hit_percentage),
        route("/api/app_metrics/latency_percentiles", env, GET=charts.latency_percentiles),
        route("/api/app_metrics/failure_percentage_top_k", env, GET=charts.failure_percentage_top),
        route("/api/app_metrics/cache_hit_percentage_top_k", env, GET=charts.hit_percentage_top),
        route("/api/app_metrics/function_call_count_top_k", env, GET=charts.call_count_top),
        route("/api/app_metrics/subscription_invalidations_top_k", env, GET=charts.invalidations_top),
        route("/api/app_metrics/table_rate", env, GET=charts.table_rate),
        route("/api/app_metrics/scheduled_job_lag", env, GET=charts.scheduled_job_lag),
        route("/api/app_metrics/function_concurrency", env, GET=charts.function_concurrency),
    ]


def build_app(
    backend: Backend,
    *,
    routes: Sequence[BaseRoute] = (),
    front_end: ASGIApp | None = None,
    limits: Limits = DEFAULT_LIMITS,
    origins: frozenset[str] | None = None,
    turnstile: Turnstile | None = None,
) -> ASGIApp:
    """The whole HTTP door of one deployment.

    `routes` are tried before the API's own (the sync socket, a dashboard). `front_end` serves what
    nothing else answers, including `/`; it is never asked for addresses under `API_PREFIXES`. `origins` are
    those whose pages may call; None: all. Requests wait their turn at `turnstile`; None: they have.
    """
    api: list[BaseRoute] = [*build_routes(backend, limits=limits)]
    if front_end is not None:
        api = [one for one in api if not (isinstance(one, Route) and one.path == "/")]
    router: ASGIApp = Router([*routes, *api], redirect_slashes=False, default=_Fallback(front_end))
    if turnstile is not None:
        router = InTurn(router, turnstile)
    app = CorsMiddleware(ErrorBoundary(router, backend.environment), origins)
    return ObservedRequests(app, backend.tallies, backend.tracing)


def build_site(backend: HttpActionsBackend) -> ASGIApp:
    """The HTTP actions of one deployment at an origin of their own."""
    app = ErrorBoundary(HttpActions(backend), backend.environment)
    return ObservedRequests(app, backend.tallies, backend.tracing)


class _Fallback:
    """What answers when no route does."""

    def __init__(self, front_end: ASGIApp | None) -> None:
        self._front_end = front_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if self._front_end is None or is_api_path(path):
            raise NoSuchEndpoint(method=scope["method"], path=path)
        await self._front_end(scope, receive, send)


def is_api_path(path: str) -> bool:
    """Whether `path` lies under one of `API_PREFIXES`."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in API_PREFIXES)
