"""Deploys over HTTP, for keys with the scope `deploy`.

Floor 6, `http_api`.

    POST /api/deploys/start?message=     the archive -> a plan; nothing is changed
    POST /api/deploys/rollback           {"number"?, "message"?} -> a plan for older sources
    POST /api/deploys/finish             {"plan"} -> the plan, which is carried out, whoever goes away
    GET  /api/deploys/progress?plan=     the plan, as soon as there is news of it
    POST /api/deploys/cancel             {"plan"}
    GET  /api/deploys                    what was deployed, the newest first

A project that cannot be loaded is refused with the usual shape and the author's traceback beside it. These
endpoints are ours; the official server has others.

Not here: what happens (`deployment/deploys.py`), what it looks like on a terminal (`cli`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.execution import ProjectInvalid
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import read_body, read_json
from rewake.http_api.errors import BadParameter, BodyTooSlow
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response
from rewake.limits import Limits

_WAIT_SECONDS = 5.0


class PlanBody(msgspec.Struct, frozen=True):
    """The body of `/api/deploys/finish` and `/api/deploys/cancel`."""

    plan: str


class RollbackBody(msgspec.Struct, frozen=True):
    """The body of `/api/deploys/rollback`; without a number, to the sources from before."""

    number: int | None = None
    message: str = ""


class DeployEndpoints:
    """The endpoints for deploys of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def list(self, request: Request) -> Response:
        """`GET /api/deploys`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        return _json({"deploys": await self._backend.deploys.all()})

    async def start(self, request: Request) -> Response:
        """`POST /api/deploys/start`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            BodyTooLarge, BodyTooSlow, DeploysNotTaken: there is no plan.
            ProjectArchiveInvalid, ProjectTooLarge: nor is there one.
        """
        admin = await require_admin(self._backend, request, Scope.DEPLOY)
        limits = self._limits
        try:
            async with asyncio.timeout(limits.http_body_seconds_max):
                body = await read_body(
                    request.scope, request.receive, bytes_max=limits.deploy_archive_bytes_max
                )
        except TimeoutError:
            raise BodyTooSlow(seconds=limits.http_body_seconds_max) from None
        message = request.query_params.get("message", "")
        try:
            plan = await self._backend.deploys.start(body, key=admin.grant.key_id, message=message)
        except ProjectInvalid as error:
            return _refusal(error)
        return _json(plan)

    async def rollback(self, request: Request) -> Response:
        """`POST /api/deploys/rollback`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            DeploysNotTaken, DeployNotFound: there is no plan.
        """
        admin = await require_admin(self._backend, request, Scope.DEPLOY)
        body = await read_json(request.scope, request.receive, RollbackBody, self._limits)
        try:
            plan = await self._backend.deploys.rollback(
                body.number, key=admin.grant.key_id, message=body.message
            )
        except ProjectInvalid as error:
            return _refusal(error)
        return _json(plan)

    async def finish(self, request: Request) -> Response:
        """`POST /api/deploys/finish`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            DeployPlanNotFound: there is no such plan.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        body = await read_json(request.scope, request.receive, PlanBody, self._limits)
        return _json(self._backend.deploys.finish(body.plan))

    async def progress(self, request: Request) -> Response:
        """`GET /api/deploys/progress?plan=`: with news, or after a few seconds without.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            BadParameter, DeployPlanNotFound: there is no such plan.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        plan = request.query_params.get("plan")
        if plan is None:
            raise BadParameter(name="plan", detail="missing")
        return _json(await self._backend.deploys.progress(plan, wait_seconds=_WAIT_SECONDS))

    async def cancel(self, request: Request) -> Response:
        """`POST /api/deploys/cancel`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            DeployPlanNotFound, DeployUnderWay: there is nothing to cancel.
        """
        await require_admin(self._backend, request, Scope.DEPLOY)
        body = await read_json(request.scope, request.receive, PlanBody, self._limits)
        self._backend.deploys.cancel(body.plan)
        return json_response("{}")


def _refusal(error: ProjectInvalid) -> Response:
    body = {"code": error.code, "message": error.message, "traceback": error.traceback or ""}
    return json_response(msgspec.json.encode(body).decode(), 400)


def _json(value: Any) -> Response:
    return json_response(msgspec.json.encode(value).decode())
