"""The crew of threads: what actions ask for runs on the loop of the server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rewake.auth import Identity
from rewake.execution import CallLog, Failure, FunctionCall, Registry, RequestSource, Success
from rewake.execution.action_crew import ThreadCrew
from rewake.execution.action_desk import STOPPING, ActionDesk
from rewake.functions import FunctionKind
from rewake.limits import DEFAULT_LIMITS
from tests.execution.action_stage import database_of, job_of, registry_of

SOURCE = """
    @action
    async def ask(ctx: ActionCtx) -> float:
        return await ctx.run_query("a:number", n=1)

    @action
    async def version(ctx: ActionCtx) -> float:
        return 1
"""


class House:
    """Answers calls on the loop."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, str, str]] = []
        self.threads: set[threading.Thread] = set()
        self.gate = asyncio.Event()

    async def call_from_action(
        self,
        kind: FunctionKind,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
    ) -> Success | Failure:
        self.calls.append((kind, call.path, call.args, identity.fingerprint, request_id))
        self.threads.add(threading.current_thread())
        await self.gate.wait()
        return Success("5.0")


class Stage:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.registry: Registry = registry_of(root, SOURCE)
        self.house = House()
        self.desk = ActionDesk(DEFAULT_LIMITS, call_log=CallLog())
        self.database = database_of()
        self.crew = ThreadCrew(self.database, self.desk, calls=self.house, registry=lambda: self.registry)

    async def act(self, path: str) -> Success | Failure:
        return await self.desk.act(job_of(path), self.crew)


def play(root: Path, story: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        stage = Stage(root)
        try:
            await asyncio.wait_for(story(stage), 20)
        finally:
            stage.crew.close()
            stage.database.close()

    asyncio.run(run())


def test_calls_run_on_the_loop_with_the_identity_and_the_request_of_the_action(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.gate.set()
        assert await stage.act("m:ask") == Success("5.0")
        job = job_of("m:ask")
        assert stage.house.calls == [
            ("query", "a:number", '{"n":1.0}', job.identity.fingerprint, job.request_id)
        ]
        assert stage.house.threads == {threading.current_thread()}

    play(tmp_path, story)


def test_each_action_runs_the_code_that_serves_when_it_begins(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        running = asyncio.create_task(stage.act("m:ask"))
        while not stage.house.calls:
            await asyncio.sleep(0)
        stage.registry = registry_of(tmp_path / "next", SOURCE.replace("return 1", "return 2"))
        assert await stage.act("m:version") == Success("2.0")
        stage.house.gate.set()
        assert await running == Success("5.0")

    (tmp_path / "next").mkdir()
    play(tmp_path, story)


def test_a_call_that_is_under_way_ends_with_its_action(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        running = asyncio.create_task(stage.act("m:ask"))
        while not stage.house.calls:
            await asyncio.sleep(0)
        await stage.desk.close(stage.crew, grace_seconds=0)
        assert await running == Failure(STOPPING)

    play(tmp_path, story)
