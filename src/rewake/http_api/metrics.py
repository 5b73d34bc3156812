"""`GET /metrics`: what the deployment tells Prometheus.

Floor 6, `http_api`. The page names functions and tables and says how much they are used, which is not for
everybody: it wants a key with the scope `read`, as `Authorization: Convex KEY`. Without a key it is served at
a port of its own, if the operator opens one.

Not here: the page itself (`deployment/metrics_page.py`), that port (`server/process.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Router
from starlette.types import ASGIApp

from rewake.auth import Scope
from rewake.environment import Environment
from rewake.http_api.authorization import require_admin
from rewake.http_api.endpoint import route
from rewake.http_api.ports import Backend, Metrics


class MetricsEndpoint:
    """The page of one deployment."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def page(self, request: Request) -> Response:
        """`GET /metrics`.

        Raises:
            AdminRequired: the caller is not an administrator.
        """
        await require_admin(self._backend, request, Scope.READ)
        return await _answer(self._backend.metrics, request)


def build_metrics(
    metrics: Metrics, environment: Environment, ready: Callable[[], Awaitable[bool]]
) -> ASGIApp:
    """The application for a port of its own, where whoever reaches it may read: `/metrics`, and the health
    checks.
    """

    async def page(request: Request) -> Response:
        return await _answer(metrics, request)

    async def alive(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def is_ready(request: Request) -> Response:
        return PlainTextResponse("ok") if await ready() else PlainTextResponse("not ready", 503)

    return Router(
        [
            route("/metrics", environment, GET=page),
            route("/healthz", environment, GET=alive),
            route("/readyz", environment, GET=is_ready),
        ]
    )


async def _answer(metrics: Metrics, request: Request) -> Response:
    body, content_type = await metrics.page(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})
