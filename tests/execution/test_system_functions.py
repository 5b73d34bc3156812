"""What the house itself does in transactions, called as the scheduler and actions call it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import ANONYMOUS, Admin
from rewake.execution import Failure, FunctionCall, Success
from rewake.execution.calls import SYSTEM_PREFIX
from rewake.execution.system_functions import system_registry
from tests.deployment.stage import CallFailed, Stage, play

SOURCE = """
    from typing import Any
    from rewake import MutationCtx, QueryCtx, mutation, query

    @mutation
    def work(ctx: MutationCtx) -> None: ...

    @query
    def jobs(ctx: QueryCtx) -> Any:
        return [
            [job["state"]["kind"], job["name"], job["args"]]
            for job in ctx.db.system.query("_scheduled_functions").collect()
        ]
"""
FAR_MS = 4e12


async def call(stage: Stage, function: str, /, **args: Any) -> Any:
    result = await stage.deployment.run_system(f"_system/scheduler:{function}", json.dumps(args))
    assert isinstance(result, Success), result
    return json.loads(result.value)


async def add(stage: Stage, parent: str | None = None) -> Any:
    return await call(stage, "schedule", name="m.js:work", arguments={}, at_ms=FAR_MS, parent=parent)


async def begin(stage: Stage, id: str) -> Any:
    return await call(stage, "begin", id=id, name="m.js:work", args="{}")


def test_they_are_internal_under_a_path_of_their_own() -> None:
    for record in system_registry().functions.values():
        assert record.path.public.startswith(SYSTEM_PREFIX)
        assert record.is_internal
        assert (record.kind == "query") is record.path.public.startswith("_system/cli/")


def test_the_official_command_line_reads_variables_by_queries_of_administrators(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.deployment.variables.announce(cloud_url="http://c", site_url="http://s")
        await stage.deployment.variables.change({"B": "2", "A": "1"})
        path = "_system/cli/queryEnvironmentVariables"
        pair = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
        assert await stage.query(f"{path}:default", Admin()) == pair
        assert await stage.query(path, Admin()) == pair
        assert await stage.query(f"{path}:get", Admin(), name="B") == pair[1]
        assert await stage.query(f"{path}:get", Admin(), name="C") is None
        assert stage.deployment.kind_of(f"{path}:get", "") == "query"
        with pytest.raises(CallFailed) as refused:
            await stage.query(path)
        assert refused.value.failure.message == "Operation query not permitted\n"
        outcome = await stage.outcome("_system/variables:change", changes=[])
        assert isinstance(outcome.result, Failure)
        assert outcome.result.message == "Operation mutation not permitted\n"

    play(tmp_path, story, m=SOURCE)


def test_administrators_list_crons_with_their_runs(tmp_path: Path) -> None:
    crons = """
        from rewake import Crons
        crons = Crons()
        crons.interval("b", hours=1).run("m:work")
        crons.daily("a", hour_utc=4).run("m:work")
    """

    async def story(stage: Stage) -> None:
        assert await stage.deployment.crons.run_due() == 1
        daily, often = await stage.query("_system/cli/crons:list", Admin())
        assert (daily["identifier"], daily["runs"]) == ("a", [])
        assert daily["schedule"] == {"type": "daily", "hourUTC": 4}
        [run] = often["runs"]
        assert (often["identifier"], run["status"]["kind"]) == ("b", "success")

    play(tmp_path, story, m=SOURCE, crons=crons)


def test_a_job_of_an_action_goes_through_its_states(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        id = await add(stage)
        assert await stage.query("m:jobs") == [["pending", "m.js:work", [{}]]]
        assert await begin(stage, id) is True
        assert await begin(stage, id) is False
        await call(stage, "put_back", id=id)
        assert await begin(stage, id) is True
        await call(stage, "finish", id=id, due_ms=FAR_MS, error=None, result="null", log_lines=[])
        assert await stage.query("m:jobs") == [["success", "m.js:work", [{}]]]
        assert await call(stage, "trim", before_ms=FAR_MS, limit=10) == 1.0
        assert await stage.query("m:jobs") == []

    play(tmp_path, story, m=SOURCE)


def test_what_a_cancelled_action_schedules_is_born_cancelled(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        parent = await add(stage)
        await begin(stage, parent)
        await add(stage, parent)
        await call(stage, "cancel", id=parent)
        await add(stage, parent)
        assert [state for state, *_ in await stage.query("m:jobs")] == ["canceled", "pending", "canceled"]

    play(tmp_path, story, m=SOURCE)


def test_clients_cannot_find_them(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for identity in (ANONYMOUS, Admin()):
            path = "_system/scheduler:trim"
            outcome = await stage.deployment.mutate(
                FunctionCall(path, '{"before_ms":0.0,"limit":1.0}'), identity, request_id="r"
            )
            found = isinstance(outcome.result, Success)
            assert found is isinstance(identity, Admin), "only who may do everything reaches them"

    play(tmp_path, story, m=SOURCE)


def test_they_need_no_module_of_the_project_and_leave_no_line_in_the_call_log(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.push(m="")
        await add(stage)
        assert [record.path for record in stage.deployment.call_log.records] == []
        result = await stage.deployment.run_system("_system/scheduler:begin", '{"id":3.0}')
        assert isinstance(result, Failure)
        assert [record.path for record in stage.deployment.call_log.records] == ["_system/scheduler:begin"]

    play(tmp_path, story, m=SOURCE)


@pytest.mark.parametrize("args", [{}, {"id": 1.0}, {"id": "x", "more": 1.0}])
def test_their_arguments_are_checked_as_any_others(tmp_path: Path, args: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        result = await stage.deployment.run_system("_system/scheduler:begin", json.dumps(args))
        assert isinstance(result, Failure)
        assert result.message.startswith("ArgumentValidationError: ")

    play(tmp_path, story, m=SOURCE)
