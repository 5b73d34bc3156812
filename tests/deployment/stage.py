"""A project in a folder and a deployment that serves it from memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from textwrap import dedent
from typing import Any

from msgspec.structs import replace

from rewake.auth import ANONYMOUS, AdminKey, Identity
from rewake.database import ReplayKey
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import (
    Failure,
    FunctionCall,
    MutationOutcome,
    Registry,
    Success,
    Template,
    WorkerPlan,
    load_project,
    read_settings,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.values import decode

SCHEMA = """
    from rewake import Document, Index

    class Note(Document, table="notes"):
        room: str
        n: int
        by_room = Index("room", "n")
"""
NOTES = """
    from rewake import ApplicationError, Id, MutationCtx, QueryCtx, mutation, query
    from .schema import Note

    @query
    def in_room(ctx: QueryCtx, room: str) -> list[int]:
        return [note.n for note in ctx.db.query(Note).with_index(Note.by_room, room=room)]

    @query
    def first(ctx: QueryCtx, room: str) -> int | None:
        note = ctx.db.query(Note).with_index(Note.by_room, room=room).first()
        return None if note is None else note.n

    @query
    def get(ctx: QueryCtx, id: Id[Note]) -> int | None:
        note = ctx.db.get(id)
        return None if note is None else note.n

    @query
    def count(ctx: QueryCtx) -> int:
        return len(ctx.db.query(Note).collect())

    @mutation
    def add(ctx: MutationCtx, room: str, n: int) -> Id[Note]:
        print("adding", n)
        return ctx.db.insert(Note(room=room, n=n))

    @mutation
    def change(ctx: MutationCtx, id: Id[Note], n: int) -> None:
        ctx.db.patch(id, n=n)

    @mutation
    def move(ctx: MutationCtx, id: Id[Note], room: str) -> None:
        ctx.db.patch(id, room=room)

    @mutation
    def remove(ctx: MutationCtx, id: Id[Note]) -> None:
        ctx.db.delete(id)

    @mutation
    def add_and_fail(ctx: MutationCtx, room: str, n: int) -> None:
        ctx.db.insert(Note(room=room, n=n))
        raise ApplicationError({"code": "no"})

    @mutation
    def fill(ctx: MutationCtx, room: str, kilobytes: int) -> None:
        for n in range(kilobytes):
            ctx.db.insert(Note(room=room + "x" * 1000, n=n))

    @mutation
    def leave(ctx: MutationCtx) -> None:
        raise SystemExit(3)
"""
FAULTS = """
    import gc
    from rewake import MutationCtx, mutation
    from rewake.database import GroupCommit

    # The one way to reach a writer wherever it is, in a thread or in a process of its own: from inside.
    def _writer() -> GroupCommit:
        (open,) = [each for each in gc.get_objects() if type(each) is GroupCommit and each.is_open]
        return open

    @mutation
    def limit_pages(ctx: MutationCtx, more: int) -> None:
        "Let the data file grow by so many pages and no further."
        connection = _writer()._store._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {int(pages + more)}")

    @mutation
    def raise_next(ctx: MutationCtx, point: str) -> None:
        "Raise at `point` of the group after this one."
        left = [2]

        def reach(reached: str) -> None:
            if reached == point:
                left[0] -= 1
                if left[0] == 0:
                    raise RuntimeError("a mistake of the house")

        _writer()._environment.reach = reach
"""


def write_project(root: Path, **modules: str) -> None:
    """Write modules of the functions folder; `a__b` is `a/b`."""
    for name, source in modules.items():
        file = root / "backend" / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source))


def load(root: Path, **modules: str) -> Registry:
    write_project(root, **modules)
    return load_project(read_settings(root))


RUNS_IN = {"place": "threads"}
"""Where functions run: `threads` of this process or worker `processes`; set by a fixture, for every test."""


class Stage:
    """A deployment and short words for what tests do with it."""

    def __init__(self, deployment: Deployment, root: Path) -> None:
        self.deployment = deployment
        self.root = root

    async def push(self, **modules: str) -> Any:
        if RUNS_IN["place"] == "threads":
            return await self.deployment.push(load(self.root, **modules))
        write_project(self.root, **modules)
        return await self.deployment.push(read_settings(self.root))

    async def query(
        self, path: str, identity: Identity = ANONYMOUS, at: int | None = None, **args: Any
    ) -> Any:
        result, _ = await self.deployment.query(
            FunctionCall(path, json.dumps(args)), identity, request_id="r", at=at
        )
        return value_of(result)

    async def outcome(
        self, path: str, replay: ReplayKey | None = None, identity: Identity = ANONYMOUS, **args: Any
    ) -> MutationOutcome:
        call = FunctionCall(path, json.dumps(args))
        return await self.deployment.mutate(call, identity, request_id="r", replay=replay)

    async def mutate(self, path: str, **args: Any) -> Any:
        return value_of((await self.outcome(path, **args)).result)


class CallFailed(Exception):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def value_of(result: Success | Failure) -> Any:
    if isinstance(result, Failure):
        raise CallFailed(result)
    return decode(result.value)


def play(
    root: Path,
    story: Callable[[Stage], Coroutine[Any, Any, None]],
    *,
    limits: Limits = DEFAULT_LIMITS,
    environment: Environment | None = None,
    data: Path | str = ":memory:",
    seconds: float = 60,
    keeps_house: bool = True,
    **modules: str,
) -> None:
    """Open a deployment of `modules`, play `story` on it and close it; nothing may take long."""
    modules = modules or {"schema": SCHEMA, "notes": NOTES}
    is_inline = RUNS_IN["place"] == "threads"
    assert is_inline or environment is None, "the environment of a test does not reach other processes"
    write_project(root, **modules)
    registry = load(root) if is_inline else None

    async def run() -> None:
        template = None if is_inline else await Template.load(read_settings(root))
        deployment = await Deployment.open(
            data=data,
            registry=registry,
            workers=None if template is None else WorkerPlan(template),
            name="test",
            version="0",
            admin_key=AdminKey("test|aa"),
            limits=limits,
            environment=environment,
            keeps_house=keeps_house,
        )
        try:
            await asyncio.wait_for(story(Stage(deployment, root)), seconds)
        finally:
            await asyncio.wait_for(deployment.close(), 10)

    asyncio.run(run())


PATIENT = replace(DEFAULT_LIMITS, group_seconds=0.5)
"""Limits under which everything that is handed in together becomes one group."""
