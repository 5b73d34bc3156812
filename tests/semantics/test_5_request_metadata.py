"""Semantics 5.9: what `ctx.meta.get_request_metadata()` knows of the request behind a call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rewake import (
    ActionCtx,
    BlockingActionCtx,
    Document,
    HttpRouter,
    MutationCtx,
    QueryCtx,
    action,
    mutation,
    query,
)
from rewake.auth import User
from rewake.execution import FunctionCall, Visibility
from rewake.functions import RequestMetadata
from rewake.limits import Limits
from rewake.testing import Backend

AT_HOME = {"ip": "192.0.2.7", "userAgent": "Pigeon/1.0"}
NOWHERE = {"ip": None, "userAgent": None}


class Told(Document, table="told"):
    by: str
    what: Any


def of(ctx: MutationCtx | ActionCtx | BlockingActionCtx) -> Any:
    told = ctx.meta.get_request_metadata()
    assert isinstance(told, RequestMetadata)
    return {
        "ip": told.ip,
        "userAgent": told.user_agent,
        "scheduled": told.scheduled_function_id,
        "token": told.auth_token,
    }


@mutation
def tell(ctx: MutationCtx) -> Any:
    return of(ctx)


@mutation
def tell_nested(ctx: MutationCtx) -> Any:
    return [of(ctx), ctx.run_mutation(tell)]


@action
async def act(ctx: ActionCtx) -> Any:
    return [of(ctx), await ctx.run_mutation(tell_nested), await ctx.run_action(act_blocking)]


@action
def act_blocking(ctx: BlockingActionCtx) -> Any:
    return [of(ctx), ctx.run_mutation(tell)]


@mutation
def plan(ctx: MutationCtx) -> list[str]:
    return [ctx.scheduler.run_after(0, keep, by="mutation"), ctx.scheduler.run_after(0, keep_by_action)]


@mutation
def keep(ctx: MutationCtx, by: str) -> None:
    ctx.db.insert(Told(by=by, what=of(ctx)))


@action
async def keep_by_action(ctx: ActionCtx) -> None:
    assert of(ctx)["scheduled"] is not None
    await ctx.run_mutation(keep, by="action")


@query
def kept(ctx: QueryCtx) -> dict[str, Any]:
    return {row.by: row.what for row in ctx.db.query(Told).collect()}


@query
def ask_in_a_query(ctx: QueryCtx) -> bool:
    return hasattr(ctx.meta, "get_request_metadata")


router = HttpRouter()


@router.route("/told")
async def told(ctx: ActionCtx, request: Request) -> Response:
    return JSONResponse([of(ctx), await ctx.run_mutation(tell)])


@pytest.fixture
def backend() -> Iterator[Backend]:
    http, here = ModuleType("http"), sys.modules[__name__]
    http.__dict__["http"] = router
    with Backend.from_modules(here, http, documents=[Told]) as made:
        yield made


def said(**others: Any) -> dict[str, Any]:
    return {"scheduled": None, "token": None, **others}


def test_5_9_mutations_know_the_request_in_nested_calls_too(backend: Backend) -> None:
    caller = backend.with_request_metadata(ip="192.0.2.7", user_agent="Pigeon/1.0")
    assert caller.mutation(tell_nested) == [said(**AT_HOME)] * 2
    assert caller.as_user("ann").mutation(tell) == said(**AT_HOME)
    assert backend.mutation(tell) == said(**NOWHERE)
    with caller.run() as ctx:
        assert of(ctx) == said(**AT_HOME)


def test_5_9_actions_and_what_they_call_know_it(backend: Backend) -> None:
    caller = backend.with_request_metadata(ip="192.0.2.7", user_agent="Pigeon/1.0")
    home = said(**AT_HOME)
    assert caller.action(act) == [home, [home, home], [home, home]]


def test_5_9_http_actions_know_it(backend: Backend) -> None:
    caller = backend.with_request_metadata(ip="192.0.2.7", user_agent="Pigeon/1.0")
    assert caller.fetch("/told").json() == [said(**AT_HOME)] * 2
    assert caller.fetch("/told", headers={"user-agent": "Other"}).json()[0]["userAgent"] == "Other"


def test_5_9_scheduled_functions_know_their_own_id_and_no_request(backend: Backend) -> None:
    caller = backend.with_request_metadata(ip="192.0.2.7", user_agent="Pigeon/1.0")
    by_mutation, by_action = caller.mutation(plan)
    backend.finish_scheduled()
    assert backend.query(kept) == {
        "mutation": said(**NOWHERE, scheduled=by_mutation),
        "action": said(**NOWHERE, scheduled=by_action),
    }


def test_5_9_queries_are_not_told(backend: Backend) -> None:
    assert backend.query(ask_in_a_query) is False


def test_5_9_the_token_that_a_user_signed_in_with(backend: Backend) -> None:
    user = User('{"issuer":"i","subject":"ann","tokenIdentifier":"i|ann"}', token="a.b.c")
    deployment, loop = backend.deployment, backend._stage.loop
    path = deployment.registry.record_of(act).path.public
    call = FunctionCall(path, "{}")
    result = loop.run(deployment.act(call, user, request_id="r", visibility=Visibility.INTERNAL))
    assert result.value.count('"token":"a.b.c"') == 5  # type: ignore[union-attr]
    assert "a.b.c" not in repr(user)


def test_5_9_the_text_of_the_program_is_bounded() -> None:
    limits = Limits(user_agent_bytes_max=6)
    with Backend.from_functions(tell, limits=limits) as backend:
        assert backend.with_request_metadata(user_agent="Pigeon/1.0").mutation(tell)["userAgent"] == "Pigeon"
