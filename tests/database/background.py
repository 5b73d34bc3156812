"""A schema change in the background, driven by hand: a test may write between any two steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewake.database import (
    BuildingStep,
    CheckProgress,
    DeclaredSchema,
    DocumentCheck,
    Rollout,
    SchemaChange,
    SchemaMismatch,
    SchemaWorkLeft,
    apply_schema,
    declare_schema,
    fail_schema,
    note_validated,
    stored_form,
    take_step,
)
from rewake.database import rollout as asked
from rewake.schema import Schema
from tests.database.world import World

ONE_ROW: Callable[[], bool] = lambda: True  # noqa: E731


def declare(world: World, schema: Schema) -> DeclaredSchema:
    found: list[DeclaredSchema] = []
    world.mutate(lambda tx: found.append(declare_schema(tx, stored_form(schema), totals={})))
    return found[0]


def step(
    world: World, only: tuple[int, ...] | None = None, *, is_time_up: Callable[[], bool] = ONE_ROW
) -> BuildingStep:
    found: list[BuildingStep] = []
    world.mutate(lambda tx: found.append(take_step(tx, is_time_up=is_time_up, only=only)))
    return found[0]


def finish_steps(world: World) -> None:
    """Do all that goes on in the background with indexes."""
    while step(world, is_time_up=lambda: False):
        pass


class Background:
    """One rollout. `tasks` are what it asks for now; `do` does one of them and takes in what comes next."""

    def __init__(self, world: World, schema: Schema, *, is_time_up: Callable[[], bool] = ONE_ROW) -> None:
        self.world = world
        self.schema = schema
        self.rollout = Rollout()
        self.tasks = list(self.rollout.begin())
        self.change: SchemaChange | None = None
        self.done: list[str] = []
        self._is_time_up = is_time_up
        self._check = DocumentCheck(schema, world.database.schemas)

    def do(self, number: int = 0) -> None:
        task = self.tasks.pop(number % len(self.tasks))
        self.done.append(type(task).__name__)
        try:
            self.tasks += self._perform(task)
        except SchemaMismatch as mismatch:
            self.fail(str(mismatch))
            raise

    def fail(self, error: str) -> None:
        self.tasks.clear()
        if self.rollout.pending is not None:
            pending = self.rollout.pending
            self.world.mutate(lambda tx: fail_schema(tx, pending, error=error, table="t"))

    def run(self) -> SchemaChange:
        while self.tasks:
            self.do()
        assert self.change is not None
        return self.change

    def _perform(self, task: asked.Task) -> tuple[asked.Task, ...]:
        world, rollout = self.world, self.rollout
        if isinstance(task, asked.Switch):
            try:
                world.mutate(lambda tx: setattr(self, "change", apply_schema(tx, self.schema, task.evidence)))
            except SchemaWorkLeft:
                return rollout.work_is_left()
            return ()
        if isinstance(task, asked.LookRound):
            with world.reader.begin() as snapshot:
                return rollout.surveyed(self._check.survey(snapshot))
        if isinstance(task, asked.Check):
            return rollout.checked(self._checked())
        if isinstance(task, asked.Build):
            return rollout.built(step(world, task.indexes, is_time_up=self._is_time_up))
        if isinstance(task, asked.Declare):
            return rollout.declared(declare(world, self.schema))
        world.mutate(lambda tx: note_validated(tx, task.schema))
        return rollout.noted()

    def _checked(self) -> CheckProgress:
        with self.world.reader.begin() as snapshot:
            return self._check.step(snapshot)


def entries(world: World) -> dict[int, list[tuple[bytes, int]]]:
    """Every index entry that there is, apart from those of system tables."""
    connection = world.database.engine.connect()
    found: dict[int, list[tuple[bytes, int]]] = {}
    select = "SELECT index_id, key, row FROM _index_entries WHERE index_id > 1000 ORDER BY index_id, key"
    for index_id, key, row in connection.execute(select):
        found.setdefault(index_id, []).append((key, row))
    connection.close()
    return found


def check_entries(world: World) -> None:
    """Every complete index has exactly the entries that its documents say; a growing one has no other."""
    found = entries(world)
    with world.reader.begin() as snapshot:
        for table in snapshot.catalog.user_tables():
            rows = dict(found.get(table.by_creation_time, []))
            documents = world.group._store.rows(table.by_creation_time, b"", limit=10**6)
            for index in table.declared:
                expected: list[Any] = []
                for key, row, text in documents:
                    expected.append((index.prefix_of(_decoded(text)) + key, row))
                present = found.get(index.id, [])
                if index.state == "backfilling":
                    assert set(present) <= set(expected), index
                else:
                    assert present == sorted(expected), index
            assert len(rows) == len(documents)


def _decoded(text: str) -> dict[str, Any]:
    from rewake.values import decode_stored

    document = decode_stored(text)
    assert isinstance(document, dict)
    return document
