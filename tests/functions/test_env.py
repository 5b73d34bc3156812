"""`ctx.env` in queries, mutations and actions of a real deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rewake.auth import ANONYMOUS
from rewake.execution import Failure, FunctionCall, Success
from rewake.functions import Env, VariableNotSet
from rewake.values import decode
from tests.deployment.stage import CallFailed, Stage, play
from tests.deployment.watcher import Watcher

MODULE = """
    from typing import Any
    from rewake import ActionCtx, BlockingActionCtx, MutationCtx, QueryCtx, action, mutation, query

    @query
    def greeting(ctx: QueryCtx) -> Any:
        return [ctx.env.get("GREETING"), ctx.env.get("GREETING", "hi"), "GREETING" in ctx.env]

    @query
    def other(ctx: QueryCtx) -> Any:
        return ctx.env.get("OTHER")

    @query
    def needed(ctx: QueryCtx) -> str:
        return ctx.env["GREETING"]

    @query
    def needed_or_not(ctx: QueryCtx) -> str:
        try:
            return ctx.env["GREETING"]
        except KeyError as error:
            return str(error)

    @mutation
    def change(ctx: MutationCtx) -> str:
        return ctx.env["GREETING"]

    @action
    async def act(ctx: ActionCtx) -> str:
        return ctx.env["GREETING"] + ctx.env["CONVEX_SITE_URL"]

    @action
    def block(ctx: BlockingActionCtx) -> Any:
        return ctx.env.get("GREETING")
"""


class Dictionary:
    def read_variable(self, name: str) -> str | None:
        return {"A": "1", "EMPTY": ""}.get(name)


def test_it_looks_names_up_one_by_one() -> None:
    env: Any = Env(Dictionary())
    assert (env["A"], env["EMPTY"], env.get("B"), env.get("B", 3)) == ("1", "", None, 3)
    assert "EMPTY" in env
    assert "B" not in env
    assert 3 not in env
    with pytest.raises(VariableNotSet, match="Set it with `rewake env set B`"):
        env["B"]
    with pytest.raises(TypeError, match="by its name"):
        env[0]
    with pytest.raises(TypeError):
        list(env)


def test_each_kind_of_function_reads_them(tmp_path: Path) -> None:
    async def act(stage: Stage, path: str) -> Success | Failure:
        return await stage.deployment.act(FunctionCall(path, "{}"), ANONYMOUS, request_id="r")

    async def story(stage: Stage) -> None:
        variables = stage.deployment.variables
        assert await stage.query("m:greeting") == [None, "hi", False]
        missing = "The environment variable GREETING is not set. Set it with `rewake env set GREETING`."
        assert await stage.query("m:needed_or_not") == missing
        with pytest.raises(CallFailed) as failed:
            await stage.query("m:needed")
        assert failed.value.failure.message == missing + "\n"
        await variables.announce(cloud_url="http://c", site_url="http://s")
        await variables.change({"GREETING": "hello"})
        assert await stage.query("m:greeting") == ["hello", "hello", True]
        assert await stage.mutate("m:change") == "hello"
        done = await act(stage, "m:act")
        assert isinstance(done, Success)
        assert decode(done.value) == "hellohttp://s"
        await variables.change({"GREETING": None})
        done = await act(stage, "m:block")
        assert isinstance(done, Success)
        assert decode(done.value) is None
        assert isinstance(await act(stage, "m:act"), Failure)

    play(tmp_path, story, m=MODULE)


def test_a_change_wakes_the_queries_that_read_it_and_no_others(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        watcher = Watcher(deployment)
        greeting, other = watcher.add("m:greeting"), watcher.add("m:other")
        await watcher.reached(deployment.last_ts)
        for value in ("one", "two", None):
            before = len([record for record in deployment.call_log.records if record.path == "m:other"])
            await deployment.variables.change({"GREETING": value})
            await watcher.reached(deployment.last_ts)
            assert watcher.shown[greeting] == [value, value or "hi", value is not None]
            assert watcher.shown[other] is None
            runs = [record for record in deployment.call_log.records if record.path == "m:other"]
            assert len(runs) == before, "it read another variable"

    play(tmp_path, story, m=MODULE)
