"""A project in a folder, run by worker processes or by threads, and short words for what tests do with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from textwrap import dedent
from typing import Any

from msgspec.structs import replace

from rewake.auth import ANONYMOUS
from rewake.database import Database, Invocation, ReplayKey, SchemaChange
from rewake.environment import Environment
from rewake.execution import (
    CallLog,
    Failure,
    FunctionCall,
    GroupReport,
    InlineRunner,
    MutationJob,
    MutationOutcome,
    QueryJob,
    QueryRun,
    Success,
    Template,
    Visibility,
    WorkerPlan,
    WorkerRunner,
    load_project,
    read_settings,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.values import decode

WAIT_SECONDS = 90.0
"""For a whole story, on a machine that does other things too: what hangs, hangs for ever."""

FORGETFUL = replace(DEFAULT_LIMITS, code_kept_seconds=0.0)
"""Limits under which code goes with the push that replaces it."""

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
    def stop_in_next_group(ctx: MutationCtx, point: str) -> None:
        "Have the kernel stop this process at `point` of the group after this one."
        import gc
        from rewake.database import GroupCommit

        (group,) = [each for each in gc.get_objects() if type(each) is GroupCommit and each.is_open]
        left = [2]

        def reach(reached):
            if reached == point:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGSTOP)

        group._environment.reach = reach

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
    def cling(ctx: MutationCtx) -> str:
        ctx.db.insert(Counter(name="cling", value=0.0))
        try:
            while True:
                count = 0
                try:
                    while True:
                        count += 1
                except BaseException:
                    print("not yet")
        finally:
            return "done"

    @query
    def cling_reading(ctx: QueryCtx) -> str:
        try:
            for n in range(10**12):
                ctx.db.get_many([])
                n += 1
        except BaseException:
            return "done"

    @query
    def wait_reading(ctx: QueryCtx) -> None:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    @mutation
    def wait(ctx: MutationCtx) -> None:
        ctx.db.insert(Counter(name="wait", value=0.0))
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    @query
    def stop_here(ctx: QueryCtx) -> None:
        breakpoint()

    @query
    def double(ctx: QueryCtx) -> float:
        held = [0.0]
        while True:
            held += held

    @mutation
    def hoard(ctx: MutationCtx) -> None:
        ctx.db.insert(Counter(name="hoard", value=0.0))
        held = []
        while True:
            held.append(bytes(2**20))

    @query
    def hoard_reading(ctx: QueryCtx) -> float:
        return len(bytes(2**40))

    _kept = []

    @query
    def keep_reading(ctx: QueryCtx) -> float:
        _kept.append(bytes(3 * 2**24))
        return len(_kept)

    @mutation
    def keep(ctx: MutationCtx) -> float:
        _kept.append(bytes(3 * 2**24))
        return len(_kept)

    @mutation
    def talk(ctx: MutationCtx) -> None:
        print("printed", 1)
        logging.getLogger("author").warning("logged")
        raise ValueError("no")
"""


class Stage:
    """A runner with its news."""

    def __init__(self, runner: Any, database: Database, root: Path, call_log: CallLog) -> None:
        # Any: a Runner, and for the tests of one of them also what is inside.
        self.runner = runner
        self.call_log = call_log
        self.database = database
        self.root = root
        self.reports: list[GroupReport] = []
        self._sent = 0

    @property
    def rows(self) -> list[Any]:
        return [row for report in self.reports for row in report.rows]

    async def outcome(self, path: str, replay: ReplayKey | None = None, **args: Any) -> MutationOutcome:
        self._sent += 1
        call, invocation = FunctionCall(path, json.dumps(args)), Invocation(f"call {self._sent}", replay)
        outcome: MutationOutcome = await self.runner.mutate(
            MutationJob(call, ANONYMOUS, Visibility.PUBLIC, invocation, f"request {self._sent}")
        )
        return outcome

    async def mutate(self, path: str, replay: ReplayKey | None = None, **args: Any) -> Any:
        return value_of((await self.outcome(path, replay, **args)).result)

    async def runs(self, *paths: str, at: int | None = None, **args: Any) -> tuple[int, list[QueryRun]]:
        wave = await self.runner.open_wave([query_job(path, **args) for path in paths], at=at)
        runs = list(wave.runs)
        await wave.close()
        return wave.ts, runs

    async def query(self, path: str, at: int | None = None, **args: Any) -> Any:
        if at is None:
            run, _ = await self.runner.ask(query_job(path, **args))
        else:
            _, (run,) = await self.runs(path, at=at, **args)
        return value_of(run.result)

    async def push(self, **modules: str) -> SchemaChange:
        write_project(self.root, **modules)
        self._sent += 1
        change: SchemaChange = await self.runner.push(
            read_settings(self.root), invocation=f"push {self._sent}"
        )
        return change

    def kill_writer(self) -> None:
        worker = self.runner._seat.worker
        if worker is not None:
            os.kill(worker.pid, signal.SIGKILL)

    def kill_readers(self) -> None:
        for worker in list(self.runner._readers._current):
            os.kill(worker.pid, signal.SIGKILL)


def query_job(path: str, **args: Any) -> QueryJob:
    return QueryJob(FunctionCall(path, json.dumps(args)), ANONYMOUS.fingerprint, Visibility.PUBLIC)


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
    place: str = "processes",
    main: str = MAIN,
) -> None:
    """Serve the project, play `story` on it and end everything; nothing may take long."""
    write_project(root, schema=SCHEMA, main=main)

    async def run() -> None:
        settings, call_log = read_settings(root), CallLog()
        database = Database.open(data, name="app", environment=Environment(), limits=limits)
        runner: InlineRunner | WorkerRunner
        if place == "threads":
            runner = InlineRunner(database, load_project(settings), call_log=call_log, readers=readers)
        else:
            plan = WorkerPlan(await Template.load(settings), readers)
            runner = WorkerRunner(database, plan, call_log=call_log)
        stage = Stage(runner, database, root, call_log)
        await runner.start(stage.reports.append)
        try:
            await stage.push()
            await asyncio.wait_for(story(stage), WAIT_SECONDS)
        finally:
            await asyncio.wait_for(runner.close(), WAIT_SECONDS)
            database.close()

    asyncio.run(run())
