"""Random interleavings of writes with the steps of a schema change.

Whatever happens in between: index entries equal documents, a change that succeeds leaves only documents that
fit, one that fails leaves catalog, entries and schema as they would be without it. A reference in plain
Python says which documents there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import (
    BuildingStep,
    CheckProgress,
    DeclaredSchema,
    Evidence,
    PushProgress,
    Rollout,
    SchemaEnforcementError,
    SchemaMismatch,
    SchemaOutrun,
    Survey,
)
from rewake.database import rollout as asked
from rewake.schema import Schema, define_schema, define_table, v
from tests.database.background import Background, check_entries, entries, finish_steps
from tests.database.world import World, documents, query

N = v.union(v.number(), v.string())


def schema(
    *, n: Any = N, indexes: dict[str, list[str]] | None = None, staged: tuple[str, ...] = ()
) -> Schema:
    table = define_table({"n": n, "m": v.optional(v.any())})
    for name, fields in (indexes or {}).items():
        table.index(name, fields)
    return define_schema({"t": table})


LOOSE = schema(indexes={"by_n": ["n"]})
INDEXES = st.sampled_from(
    [
        {},
        {"by_n": ["n"]},
        {"by_n": ["m"]},
        {"by_n": ["n", "m"], "by_m": ["m"]},
        {"by_m": ["m", "n"]},
    ]
)
NUMBERS = [0, 1, 2, 2.5, 3]


def moves(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    """Writes of these values, and numbers: which task of the change to do."""
    kinds = st.sampled_from(["insert", "patch", "delete", "insert", "patch"])
    writes = st.tuples(kinds, st.integers(0, 30), st.sampled_from(values))
    return st.lists(st.one_of(writes, st.integers(0, 3)), max_size=60)


# A value that the strict schema refuses ends most changes early, so many runs go without one.
MOVES = st.one_of(moves(NUMBERS), moves([*NUMBERS, "text"]))


class Writers:
    """Mutations, and what they come to in plain Python."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.documents: dict[str, dict[str, Any]] = {}

    def write(self, kind: str, which: int, n: float | str) -> None:
        ids = sorted(self.documents)
        fields = {"n": float(n) if isinstance(n, int) else n}
        try:
            if kind == "insert" or not ids:
                (id,) = self.world.insert("t", {**fields, "m": str(which)})
                self.documents[id] = {**fields, "m": str(which)}
                return
            id = ids[which % len(ids)]
            if kind == "delete":
                self.world.mutate(lambda tx: tx.delete(id))
                del self.documents[id]
            else:
                self.world.mutate(lambda tx: tx.patch(id, fields))
                self.documents[id] |= fields
        except SchemaEnforcementError:
            assert isinstance(n, str), "only the strict schema refuses anything"

    def check(self) -> None:
        by_creation = list(self.documents.values())
        with self.world.reader.begin() as snapshot:
            found = documents(snapshot.transaction().scan(query("t")))
        assert sorted(map(repr, found)) == sorted(repr(dict(sorted(d.items()))) for d in by_creation)


def every(rows: int) -> Callable[[], bool]:
    """Time is up after so many looks at the clock."""
    turns = itertools.cycle([False] * (rows - 1) + [True])
    return lambda: next(turns)


def state(world: World) -> Any:
    """Catalog and schema, apart from numbers that are never used twice."""
    with world.reader.begin() as snapshot:
        tables = {
            table.name: sorted((i.name, i.fields, i.state, i.staged) for i in table.declared)
            for table in snapshot.catalog.user_tables()
        }
        stored = snapshot.catalog.schema
    return tables, None if stored is None else stored.key


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_writes_between_the_steps_of_a_change(data: st.DataObject) -> None:
    is_strict = data.draw(st.booleans(), label="strict")
    new = schema(n=v.number() if is_strict else N, indexes=data.draw(INDEXES, label="indexes"))
    world = World()
    try:
        # Small tables are changed at once; this is about the others.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rewake.database.schema_change.SCHEMA_SWITCH_ROWS_MAX", 1)
            patch.setattr("rewake.database.schema_check._PAGE", 3)
            patch.setattr("rewake.database.index_building._PAGE", 2)
            Background(world, LOOSE).run()
            writers = Writers(world)
            for number in range(data.draw(st.integers(0, 12), label="documents")):
                writers.write("insert", number, number % 4)
            if data.draw(st.integers(0, 5), label="old") == 1:
                writers.write("insert", 99, "old")
            before = state(world)
            rows = data.draw(st.integers(1, 4), label="rows of a step")
            change = Background(world, new, is_time_up=every(rows))
            try:
                for move in data.draw(MOVES, label="moves"):
                    if isinstance(move, tuple):
                        writers.write(*move)
                    elif change.tasks:
                        change.do(move)
                    check_entries(world)
                while change.tasks:
                    is_last_moment = isinstance(change.tasks[0], asked.Switch) and len(change.tasks) == 1
                    if is_last_moment and data.draw(st.booleans(), label="a write before the switch"):
                        writers.write("insert", 7, data.draw(st.sampled_from([1, "text"])))
                    change.do()
            except SchemaMismatch:
                assert is_strict
                assert state(world) == before
            else:
                assert not is_strict or all(isinstance(d["n"], float) for d in writers.documents.values())
                tables, _ = state(world)
                wanted = {(i.name, i.fields, "enabled", False) for i in new.tables["t"].indexes.values()}
                assert set(tables["t"]) == wanted
            writers.check()
            check_entries(world)
            finish_steps(world)
            check_entries(world)
            with world.reader.begin() as snapshot:
                table = snapshot.catalog.tables["t"]
                kept = {index.id for index in table.declared} | {table.by_id, table.by_creation_time}
                assert list(snapshot.transaction().system.scan(query("_backfills"))) == []
            assert set(entries(world)) <= kept, "nothing is left of what was dropped"
    finally:
        world.close()


# The machine alone.


def test_what_needs_nothing_is_one_task() -> None:
    assert Rollout().begin() == (asked.Switch(None),)


def test_both_lanes_end_before_the_switch_and_the_log_is_followed_meanwhile() -> None:
    rollout = Rollout()
    assert rollout.work_is_left() == (asked.LookRound(),)
    assert rollout.surveyed(SURVEY) == (asked.Declare(SURVEY),)
    assert rollout.pending is None
    assert rollout.declared(DeclaredSchema("s", (1, 2), 2)) == (asked.Build((1, 2)), asked.Check())
    assert rollout.pending == "s"
    assert rollout.checked(check(10)) == (asked.Check(),)
    assert rollout.checked(check(20, evidence=EVIDENCE)) == (), "it waits for the indexes"
    assert rollout.built(BuildingStep(1, 5, 20)) == (asked.Build((1, 2)), asked.Check())
    assert rollout.progress == PushProgress(20, 20, 1, 1, 0, 2, 5, 20)
    assert rollout.built(BuildingStep(1, 20, 20, is_over=True)) == (asked.Build((2,)),)
    assert rollout.checked(check(20, evidence=EVIDENCE, followed=1000)) == (asked.Check(),)
    assert rollout.built(BuildingStep(2, 20, 20, is_over=True)) == ()
    assert rollout.checked(check(20, evidence=EVIDENCE)) == (asked.Validated("s"),)
    assert rollout.noted() == (asked.Check(),)
    assert rollout.checked(check(20, evidence=EVIDENCE)) == (asked.Switch(EVIDENCE),)
    assert rollout.progress.is_schema_validated
    assert rollout.work_is_left() == (asked.Declare(SURVEY),), "round again, with what is known"
    assert rollout.declared(DeclaredSchema("s", (), 2)) == (asked.Check(),)
    assert rollout.checked(check(20, evidence=EVIDENCE)) == (asked.Switch(EVIDENCE),)


def test_indexes_that_somebody_else_finished_are_finished() -> None:
    rollout = Rollout()
    rollout.work_is_left()
    rollout.surveyed(SURVEY)
    rollout.declared(DeclaredSchema("s", (1, 2), 2))
    assert rollout.built(BuildingStep()) == ()
    assert rollout.progress.indexes_complete == 2


def test_it_gives_up_where_it_never_catches_up() -> None:
    rollout = Rollout()
    for _ in range(8):
        rollout.work_is_left()
    with pytest.raises(SchemaOutrun, match="given up after 8 rounds"):
        rollout.work_is_left()


SURVEY = Survey({"t": 20}, ("t",), "{}", {})
EVIDENCE = Evidence(7, "base", (101,), 102)


def check(checked: int, *, evidence: Evidence | None = None, followed: int = 0) -> CheckProgress:
    return CheckProgress(checked, 20, 1 if evidence else 0, 1, followed, evidence)
