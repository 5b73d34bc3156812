"""A project in a folder, run by worker processes, and short words for what tests do with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from textwrap import dedent
from typing import Any

from rewake.auth import ANONYMOUS
from rewake.database import Database, Invocation, ReplayKey, SchemaChange
from rewake.environment import Environment
from rewake.execution import (
    CallLog,
    Failure,
    FunctionCall,
    GroupReport,
    MutationJob,
    MutationOutcome,
    QueryJob,
    QueryRun,
    Success,
    Template,
    Visibility,
    WorkerPlan,
    WorkerRunner,
    read_settings,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.values import decode

SCHEMA = """
    from rewake import Document, Index

    class Counter(Document, table="counters"):
        name: str
        value: float
        by_name = Index("name")
"""
MAIN = """
    import logging
    import os
    import signal
    import threading
    from rewake import MutationCtx, QueryCtx, mutation, query
    from .schema import Counter

    def _counter(ctx, name):
        return ctx.db.query(Counter).with_index(Counter.by_name, name=name).unique()

    @query
    def get(ctx: QueryCtx, name: str) -> float:
        counter = _counter(ctx, name)
        return 0.0 if counter is None else counter.value

    @mutation
    def increment(ctx: MutationCtx, name: str) -> float:
        counter = _counter(ctx, name)
        if counter is None:
            ctx.db.insert(Counter(name=name, value=1.0))
            return 1.0
        ctx.db.patch(counter.id, value=counter.value + 1)
        return counter.value + 1

    @query
    def reader_process(ctx: QueryCtx) -> float:
        return os.getpid()

    @mutation
    def writer_process(ctx: MutationCtx) -> float:
        return os.getpid()

    @mutation
    def crash(ctx: MutationCtx) -> None:
        ctx.db.insert(Counter(name="crash", value=0.0))
        os.kill(os.getpid(), signal.SIGKILL)

    @query
    def crash_reading(ctx: QueryCtx) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    @mutation
    def spin(ctx: MutationCtx) -> None:
        ctx.db.insert(Counter(name="spin", value=0.0))
        while True:
            pass

    @query
    def spin_reading(ctx: QueryCtx) -> None:
        while True:
            pass

    @mutation
    def hoard(ctx: MutationCtx) -> None:
        ctx.db.insert(Counter(name="hoard", value=0.0))
        held = []
        while True:
            held.append(bytes(2**20))

    @query
    def hoard_reading(ctx: QueryCtx) -> float:
        return len(bytes(2**40))

    @mutation
    def talk(ctx: MutationCtx) -> None:
        print("printed", 1)
        logging.getLogger("author").warning("logged")
        raise ValueError("no")
"""


class Stage:
    """A runner with its news."""

    def __init__(self, runner: WorkerRunner, database: Database, root: Path) -> None:
        self.runner = runner
        self.database = database
        self.root = root
        self.reports: list[GroupReport] = []
        self._sent = 0

    @property
    def rows(self) -> list[Any]:
        return [row for report in self.reports for row in report.rows]

    @property
    def call_log(self) -> CallLog:
        return self.runner._call_log

    async def outcome(self, path: str, replay: ReplayKey | None = None, **args: Any) -> MutationOutcome:
        self._sent += 1
        call, invocation = FunctionCall(path, json.dumps(args)), Invocation(f"call {self._sent}", replay)
        return await self.runner.mutate(
            MutationJob(call, ANONYMOUS, Visibility.PUBLIC, invocation, f"request {self._sent}")
        )

    async def mutate(self, path: str, replay: ReplayKey | None = None, **args: Any) -> Any:
        return value_of((await self.outcome(path, replay, **args)).result)

    async def runs(self, *paths: str, at: int | None = None, **args: Any) -> tuple[int, list[QueryRun]]:
        wave = await self.runner.open_wave([query_job(path, **args) for path in paths], at=at)
        runs = list(wave.runs)
        await wave.close()
        return wave.ts, runs

    async def query(self, path: str, at: int | None = None, **args: Any) -> Any:
        _, (run,) = await self.runs(path, at=at, **args)
        return value_of(run.result)

    async def push(self, **modules: str) -> SchemaChange:
        write_project(self.root, **modules)
        self._sent += 1
        return await self.runner.push(read_settings(self.root), invocation=f"push {self._sent}")

    def kill_writer(self) -> None:
        worker = self.runner._seat.worker
        if worker is not None:
            os.kill(worker.pid, signal.SIGKILL)

    def kill_readers(self) -> None:
        for worker in list(self.runner._readers._current):
            os.kill(worker.pid, signal.SIGKILL)


def query_job(path: str, **args: Any) -> QueryJob:
    return QueryJob(FunctionCall(path, json.dumps(args)), ANONYMOUS, Visibility.PUBLIC)


class CallFailed(Exception):
    pass


def value_of(result: Success | Failure) -> Any:
    if isinstance(result, Failure):
        raise CallFailed(result.message)
    return decode(result.value)


def write_project(root: Path, **modules: str) -> None:
    folder = root / "backend"
    folder.mkdir(exist_ok=True)
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(dedent(source))


def play(
    root: Path,
    story: Callable[[Stage], Coroutine[Any, Any, None]],
    *,
    limits: Limits = DEFAULT_LIMITS,
    data: Path | str = ":memory:",
    readers: int = 2,
) -> None:
    """Serve the project, play `story` on it and end everything; nothing may take long."""
    write_project(root, schema=SCHEMA, main=MAIN)

    async def run() -> None:
        database = Database.open(data, name="app", environment=Environment(), limits=limits)
        template = await Template.load(read_settings(root))
        runner = WorkerRunner(database, WorkerPlan(template, readers), call_log=CallLog())
        stage = Stage(runner, database, root)
        await runner.start(stage.reports.append)
        try:
            await stage.push()
            await asyncio.wait_for(story(stage), 40)
        finally:
            await asyncio.wait_for(runner.close(), 20)
            database.close()

    asyncio.run(run())
