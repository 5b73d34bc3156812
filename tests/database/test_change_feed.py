"""The change feed: a copy made of a snapshot and the changes after it is the tables as they are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import (
    Columns,
    PastTables,
    Selection,
    SnapshotInFuture,
    SnapshotTooOld,
    TableReplaced,
    changes,
    columns_of,
    snapshot_page,
)
from rewake.database.catalog import TABLES
from rewake.limits import Limits
from rewake.values import decode_stored_document
from tests.database.world import World

Copy = dict[tuple[str, str], str]


def stored(world: World) -> Copy:
    found: Copy = {}
    with world.reader.begin() as snapshot:
        for table in snapshot.catalog.user_tables():
            for _, text in snapshot.documents(table, limit=10_000):
                found[table.name, decode_stored_document(text)["_id"]] = text
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 900), st.integers(0, 8))
def test_replaying_gives_the_tables(seed: int, size: int, writes: int) -> None:
    world, chance = World(), random.Random(seed)
    ids: list[str] = world.insert("a", {"n": 0.0}, *({"n": float(n)} for n in range(size)))
    ids += world.insert("b", *({"n": float(n)} for n in range(size % 7)))

    def write() -> None:
        for _ in range(writes):
            kind = chance.randrange(3)
            if kind == 0 or not ids:
                ids.extend(world.insert(chance.choice("abc"), {"n": chance.random()}))
            elif kind == 1:
                id, value = chance.choice(ids), chance.random()
                world.mutate(lambda tx, id=id, value=value: tx.patch(id, {"n": value}))
            else:
                id = ids.pop(chance.randrange(len(ids)))
                world.mutate(lambda tx, id=id: tx.delete(id))

    try:
        wanted, copy = stored(world), Copy()
        past = PastTables(world.database.reader())
        page = snapshot_page(past, Selection(), start=None)
        while True:
            for row in page.rows:
                assert row.text is not None
                copy[row.table, decode_stored_document(row.text)["_id"]] = row.text
            if page.next is None:
                break
            write()
            page = snapshot_page(past, Selection(), start=page.next)
        assert copy == wanted, f"seed {seed}"
        cursor, has_more = past.ts, True
        past.close()
        write()
        while has_more:
            found = changes(world.reader, Selection(), after=cursor)
            assert [row.ts for row in found.rows] == sorted(row.ts for row in found.rows)
            for row in found.rows:
                if row.text is None:
                    copy.pop((row.table, row.id), None)
                else:
                    copy[row.table, decode_stored_document(row.text)["_id"]] = row.text
            cursor, has_more = found.until, found.has_more
        assert copy == stored(world), f"seed {seed}"
    finally:
        world.close()


def test_changes_come_in_whole_commits_and_bounded_answers(world: World) -> None:
    start = world.database.last_ts()
    for _ in range(3):
        world.insert("a", *({"n": 1.0} for _ in range(600)))
    found = changes(world.reader, Selection(), after=start)
    assert (len(found.rows), found.has_more) == (1_200, True)
    rest = changes(world.reader, Selection(), after=found.until)
    assert (len(rest.rows), rest.has_more) == (600, False)
    assert rest.until == world.database.last_ts()
    with pytest.raises(SnapshotInFuture):
        changes(world.reader, Selection(), after=rest.until + 1)


def test_what_the_log_has_forgotten_is_refused() -> None:
    world = World(limits=Limits(log_retention_seconds=60.0))
    world.insert("a", {"n": 1.0})
    world.environment.clock.advance(100)  # type: ignore[attr-defined]
    world.group.begin()
    world.group.trim()
    world.group.commit()
    with pytest.raises(SnapshotTooOld):
        changes(world.reader, Selection(), after=1)
    world.close()


def test_a_replaced_table_is_told(world: World) -> None:
    world.insert("a", {"n": 1.0})
    after = world.database.last_ts()

    def replace(tx: object) -> None:
        with world.database.reader().begin() as snapshot:
            ((_, text),) = snapshot.documents(TABLES, limit=1)
        id = decode_stored_document(text)["_id"]
        old, row, document = tx.target(TABLES, id)  # type: ignore[attr-defined]
        changed = {**document, "tablet": 999.0}
        tx.update_in(TABLES, id, row, old=old, document=document, changed=changed)  # type: ignore[attr-defined]

    world.mutate(replace)
    with pytest.raises(TableReplaced, match="table a "):
        changes(world.reader, Selection(), after=after)
    assert changes(world.reader, Selection(named={"a": None}), after=after).rows == []


def test_tables_and_columns_are_selected(world: World) -> None:
    world.insert("a", {"n": 1.0, "secret": "x"})
    world.insert("b", {"n": 2.0})
    past = PastTables(world.database.reader())
    selection = Selection(others=None, named={"a": Columns(named={"secret": False, "_id": False})})
    page = snapshot_page(past, selection, start=None)
    (row,) = page.rows
    assert row.text is not None
    assert decode_stored_document(row.text).keys() == {"_id", "_creationTime", "n"}
    assert Columns(others=False, named={"n": True}).narrow(row.text).count(":") == 2
    assert columns_of(past) == {
        "a": ["_creationTime", "_id", "n", "secret"],
        "b": ["_creationTime", "_id", "n"],
    }
    past.close()
