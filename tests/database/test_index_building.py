"""An index is built in steps while writes go on, and cleared away in steps when it is dropped."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rewake.database import (
    IndexNotReady,
    IndexStaged,
    IndexState,
    TableIndex,
    apply_schema,
    fail_schema,
)
from rewake.database.index_building import matching
from rewake.limits import SCHEMA_STEP_ROWS_MAX, SCHEMA_SWITCH_ROWS_MAX
from rewake.schema import IndexDefinition, Schema, define_schema, define_table, v
from tests.database.background import Background, check_entries, declare, entries, finish_steps, step
from tests.database.world import World, documents, query

MANY = 600  # More than the switch does by itself.


def schema(*indexes: tuple[str, str], staged: bool = False) -> Schema:
    table = define_table(v.any())
    for name, field in indexes:
        table.index(name, [field], staged=staged)
    return define_schema({"t": table})


@pytest.fixture
def full(world: World) -> World:
    world.mutate(lambda tx: apply_schema(tx, schema()))
    world.insert("t", *({"n": number % 7, "m": number} for number in range(MANY)))
    return world


def index(world: World, name: str) -> TableIndex:
    with world.reader.begin() as snapshot:
        found = snapshot.catalog.tables["t"].index_by_name(name)
    assert found is not None
    return found


def read(world: World, name: str) -> list[dict[str, Any]]:
    with world.reader.begin() as snapshot:
        return documents(snapshot.transaction().scan(query("t", name)))


def test_a_declared_index_is_kept_up_but_not_queried_until_the_switch(full: World) -> None:
    declared = declare(full, schema(("by_n", "n")))
    assert declared.indexes == (index(full, "by_n").id,)
    text = "Index t.by_n is currently backfilling and not available to query yet."
    with pytest.raises(IndexNotReady, match=f"^{re.escape(text)}$"):
        read(full, "by_n")
    (id,) = full.insert("t", {"n": 100})
    assert len(entries(full)[index(full, "by_n").id]) == 1, "only what was written since"
    full.mutate(lambda tx: tx.patch(id, {"n": 101}))
    check_entries(full)
    while not step(full).is_over:
        pass
    assert index(full, "by_n").state is IndexState.READY
    check_entries(full)
    with pytest.raises(IndexNotReady, match=f"^{re.escape(text)}$"):
        read(full, "by_n")
    full.mutate(lambda tx: apply_schema(tx, schema(("by_n", "n"))))
    assert len(read(full, "by_n")) == MANY + 1


def test_a_step_does_one_row_at_least_and_ends_when_its_time_is_up(full: World) -> None:
    declare(full, schema(("by_n", "n")))
    asked = iter([False, False, True])
    first = step(full, is_time_up=lambda: next(asked))
    assert (first.done, first.is_over) == (3, False)
    assert step(full, is_time_up=lambda: True).done == 4
    last = step(full, is_time_up=lambda: False)
    assert (last.done, last.total, last.is_over) == (MANY, MANY, True)
    assert not step(full), "there is nothing left to do"


def test_a_step_is_bounded_also_where_the_clock_stands_still(
    full: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SCHEMA_STEP_ROWS_MAX > 64
    monkeypatch.setattr("rewake.database.index_building.SCHEMA_STEP_ROWS_MAX", 100)
    declare(full, schema(("by_n", "n")))
    assert step(full, is_time_up=lambda: False).done == 100
    finish_steps(full)
    full.mutate(lambda tx: apply_schema(tx, schema(("by_n", "n"))))
    full.mutate(lambda tx: apply_schema(tx, define_schema({})))
    cleared = step(full, is_time_up=lambda: False)
    assert (cleared.done, cleared.is_over) == (MANY - SCHEMA_SWITCH_ROWS_MAX, True), (
        "the switch took the most"
    )


def test_steps_go_on_after_a_restart(tmp_path: Any) -> None:
    path = tmp_path / "data.sqlite3"
    world = World(path=path)
    world.insert("t", *({"n": number} for number in range(MANY)))
    declare(world, schema(("by_n", "n")))
    for _ in range(5):
        step(world)
    world.close()
    world = World(path=path)
    declared = declare(world, schema(("by_n", "n")))
    assert step(world, declared.indexes).done == 6, "the same schema goes on where it was"
    finish_steps(world)
    check_entries(world)
    world.close()


def test_an_index_defined_anew_is_built_beside_the_one_that_serves(full: World) -> None:
    Background(full, schema(("by_x", "n")), is_time_up=lambda: False).run()
    old = index(full, "by_x")
    with full.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        list(transaction.scan(query("t", "by_x")))
        read_set = transaction.read_set
    change = Background(full, schema(("by_x", "m")), is_time_up=lambda: False)
    woken = []
    while change.tasks:
        before = full.database.last_ts()
        is_switch = type(change.tasks[0]).__name__ == "Switch"
        change.do()
        rows = list(full.database.log_rows(after=before))
        woken += [is_switch and bool(change.change) for row in rows if read_set.touched_by(row)]
        if change.change is None:
            assert index(full, "by_x") == old
            assert [d["n"] for d in read(full, "by_x")][:1] == [0.0]
            check_entries(full)
    assert woken == [True], "only the switch wakes who queries by that name"
    assert [d["m"] for d in read(full, "by_x")] == [float(n) for n in range(MANY)]
    assert change.change is not None
    assert (change.change.indexes_added, change.change.indexes_removed) == (["t.by_x"], ["t.by_x"])
    with full.reader.begin() as snapshot:
        list((transaction := snapshot.transaction()).scan(query("t", "by_x")))
    before = full.database.last_ts()
    finish_steps(full)
    assert old.id not in entries(full)
    rows = list(full.database.log_rows(after=before))
    assert not any(transaction.read_set.touched_by(row) for row in rows), "clearing away wakes nobody"


def test_a_staged_index_waits_for_nobody_and_is_enabled_without_a_rebuild(full: World) -> None:
    staged, enabled = schema(("by_n", "n"), staged=True), schema(("by_n", "n"))
    full.mutate(lambda tx: apply_schema(tx, staged))
    found = index(full, "by_n")
    assert (found.state, found.staged) == (IndexState.BACKFILLING, True)
    text = r"^Index t\.by_n is currently staged and not available to query until it is enabled\.$"
    with pytest.raises(IndexStaged, match=text):
        read(full, "by_n")
    finish_steps(full)
    with pytest.raises(IndexStaged, match=text):
        read(full, "by_n")
    rollout = Background(full, enabled)
    assert not rollout.run().indexes_added
    assert rollout.done == ["Switch"], "nothing was left to build"
    assert index(full, "by_n").id == found.id
    assert len(read(full, "by_n")) == MANY
    full.mutate(lambda tx: apply_schema(tx, staged))
    full.insert("t", {"n": 3})
    check_entries(full)
    assert index(full, "by_n").state is IndexState.READY


def test_an_index_that_is_half_built_is_finished_when_the_mark_goes(full: World) -> None:
    full.mutate(lambda tx: apply_schema(tx, schema(("by_n", "n"), staged=True)))
    step(full)
    rollout = Background(full, schema(("by_n", "n")), is_time_up=lambda: False)
    rollout.run()
    assert "Build" in rollout.done
    assert len(read(full, "by_n")) == MANY


def test_a_failed_schema_drops_its_indexes_and_keeps_those_of_others(full: World) -> None:
    full.mutate(lambda tx: apply_schema(tx, schema(("by_m", "m"), staged=True)))
    both = define_schema({"t": define_table(v.any()).index("by_m", ["m"]).index("by_n", ["n"])})
    declared = declare(full, both)
    step(full)
    full.mutate(lambda tx: fail_schema(tx, declared.id, error="no", table="t"))
    with full.reader.begin() as snapshot:
        table = snapshot.catalog.tables["t"]
    assert [each.name for each in table.declared] == ["by_m"]
    wanted = IndexDefinition("by_m", ("m",), staged=True)
    assert matching(table, wanted) == table.indexes["by_m"]
    assert matching(table, IndexDefinition("by_m", ("n",))) is None
    finish_steps(full)
    check_entries(full)


def test_data_files_from_before_say_staged(full: World) -> None:
    full.mutate(lambda tx: apply_schema(tx, schema(("by_n", "n"), staged=True)))
    finish_steps(full)
    connection = full.database.engine.connect()
    connection.execute(
        """UPDATE _documents SET json = json_remove(json_replace(json, '$.state', 'staged'), '$.staged')
        WHERE tablet = 2"""
    )
    connection.close()
    from rewake.database.catalog import load_catalog

    loaded = load_catalog(full.group._store).tables["t"].indexes["by_n"]
    assert (loaded.state, loaded.staged) == (IndexState.READY, True)
