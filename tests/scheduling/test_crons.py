"""The scheduler of crons, serving by itself on a real deployment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS, AdminKey
from rewake.database import list_crons, runs_of_cron
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.errors import Unavailable
from rewake.execution import Failure, FunctionCall, Success
from rewake.limits import DEFAULT_LIMITS
from rewake.scheduling import cron_scheduler
from rewake.scheduling.scheduler import LOST
from tests.deployment.stage import load
from tests.scheduling.test_scheduler import House, MovableClock

SOURCE = """
    from typing import Any
    from rewake import ActionCtx, MutationCtx, internal_action, internal_mutation, mutation

    @internal_mutation
    def write(ctx: MutationCtx) -> None:
        ctx.db.insert("notes", {})

    @internal_action
    async def act(ctx: ActionCtx) -> None:
        await ctx.run_mutation(write)

    @mutation
    def later(ctx: MutationCtx, count: int) -> None:
        for _ in range(count):
            ctx.scheduler.run_after(0, act)
"""
EVERY_HOUR = """
    from rewake import Crons
    crons = Crons()
    crons.interval("cron", hours=1).run("m:{function}")
"""


class Stage:
    def __init__(self, deployment: Deployment, clock: MovableClock) -> None:
        self.deployment = deployment
        self.clock = clock
        self.house = House(deployment)
        self.crons = cron_scheduler(self.house)

    async def runs(self) -> list[Any]:
        [cron] = await self.deployment.read(list_crons)
        return await self.deployment.read(lambda reads: runs_of_cron(reads, cron["_id"]))

    async def until(self, count: int) -> list[Any]:
        """Wait until there are so many runs."""
        while len(runs := await self.runs()) < count:
            await asyncio.sleep(0)
        return [run["status"]["kind"] for run in runs]


def play(root: Path, story: Callable[[Stage], Coroutine[Any, Any, None]], *, function: str = "write") -> None:
    async def run() -> None:
        clock = MovableClock()
        deployment = await Deployment.open(
            data=":memory:",
            registry=load(root, m=SOURCE, crons=EVERY_HOUR.format(function=function)),
            name="test",
            version="0",
            admin_key=AdminKey("test|aa"),
            environment=Environment(clock=clock),
            limits=replace(DEFAULT_LIMITS, scheduled_running_max=1),
            keeps_house=False,
        )
        stage = Stage(deployment, clock)
        try:
            await asyncio.wait_for(story(stage), 20)
        finally:
            if stage.house.gate is not None:
                stage.house.gate.set()
            await asyncio.wait_for(stage.crons.close(), 10)
            await asyncio.wait_for(deployment.close(), 10)

    asyncio.run(run())


def test_it_serves_by_itself_and_tells_the_operator_of_skipped_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(stage: Stage) -> None:
        await stage.crons.start()
        assert await stage.until(1) == ["success"]
        stage.clock.set_by_ns = 4 * 3600 * 10**9
        # The clock is looked at every second; whatever touches a cron is news at once.
        stage.crons._news.set()
        assert await stage.until(3) == ["success", "success", "canceled"]
        while not caplog.messages:
            await asyncio.sleep(0)
        assert "Skipping 3 run(s) of job" in caplog.messages[0]

    play(tmp_path, story)


def test_an_action_that_was_lost_in_a_crash_has_failed_and_the_cron_goes_on(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        [cron] = await stage.deployment.read(list_crons)
        args = json.dumps({"id": cron["_id"], "name": "m.js:act", "args": "{}"})
        begun = await stage.deployment.run_system("_system/scheduler:begin", args)
        assert begun == Success("true")
        await stage.crons.start()
        await stage.until(1)
        [run] = await stage.runs()
        assert run["status"] == {"kind": "failed", "error": LOST}
        [cron] = await stage.deployment.read(list_crons)
        assert cron["state"] == {"kind": "pending"}
        assert stage.house.runs == [], "an action runs at most once"

    play(tmp_path, story, function="act")


def test_a_run_that_was_cut_off_with_its_process_is_not_repeated_for_ever(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.trouble = [Failure("Your request timed out.\n")]
        assert await stage.crons.run_due() == 1
        [run] = await stage.runs()
        assert run["status"] == {"kind": "failed", "error": "Your request timed out."}

    play(tmp_path, story)


@pytest.mark.parametrize("function", ["write", "act"])
def test_a_run_that_could_not_begin_is_tried_again(tmp_path: Path, function: str) -> None:
    async def story(stage: Stage) -> None:
        stage.house.trouble = [Unavailable("the disk is full")]
        await stage.crons.start()
        assert await stage.until(1) == ["success"]
        assert len(stage.house.runs) == 2

    play(tmp_path, story, function=function)


def test_crons_do_not_wait_behind_a_backlog_of_scheduled_functions(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        gate = stage.house.gate = asyncio.Event()
        await stage.deployment.mutate(FunctionCall("m:later", '{"count":5.0}'), ANONYMOUS, request_id="")
        stage.deployment.scheduler._house = stage.house
        await stage.deployment.scheduler.start()
        while not stage.house.runs:
            await asyncio.sleep(0)
        stage.house.gate = None
        await stage.crons.start()
        assert await stage.until(1) == ["success"]
        gate.set()

    play(tmp_path, story)
