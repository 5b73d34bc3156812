"""Whole tables at one timestamp: pages taken between commits add up to one snapshot."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import PastTables, SnapshotTooOld, TableReplaced
from rewake.database.catalog import Catalog
from rewake.limits import Limits
from tests.database.world import World, documents


def read_all(past: PastTables, table: str, *, limit: int, between: Any = None) -> list[dict[str, Any]]:
    """Every document of a table; `between` is called after each page."""
    start: bytes | None = b""
    texts: list[str] = []
    while start is not None:
        page = past.page(past.catalog.tables[table], start=start, limit=limit)
        assert len(page.documents) <= 2 * limit
        texts += [text for _, text in page.documents]
        start = page.next
        if between is not None:
            between()
    return documents(texts)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(1, 4), st.integers(0, 2**32), st.integers(0, 6))
def test_pages_between_commits_are_one_snapshot(size: int, limit: int, seed: int, writes: int) -> None:
    world, chance = World(), random.Random(seed)
    ids = world.insert("notes", {"n": -1.0}, *({"n": float(n)} for n in range(size)))
    wanted = [{"n": -1.0}, *({"n": float(n)} for n in range(size))]
    past = PastTables(world.database.reader())

    def write_something() -> None:
        for _ in range(writes):  # More than a page holds, in some runs.
            kind = chance.randrange(3)
            if kind == 0 or not ids:
                ids.extend(world.insert("notes", {"n": chance.random()}))
            elif kind == 1:
                id, value = chance.choice(ids), chance.random()
                world.mutate(lambda tx, id=id, value=value: tx.patch(id, {"n": value}))
            else:
                id = ids.pop(chance.randrange(len(ids)))
                world.mutate(lambda tx, id=id: tx.delete(id))

    try:
        write_something()
        assert read_all(past, "notes", limit=limit, between=write_something) == wanted, f"seed {seed}"
        # A second time, after everything above, it is still the same.
        assert read_all(past, "notes", limit=limit) == wanted
    finally:
        past.close()
        world.close()


def test_a_timestamp_of_before_can_be_read(world: World) -> None:
    (id,) = world.insert("notes", {"n": 1.0})
    ts = world.database.last_ts()
    world.mutate(lambda tx: tx.patch(id, {"n": 2.0}))
    world.insert("others", {"n": 3.0})
    past = PastTables(world.database.reader(), ts=ts)
    assert "others" not in past.catalog.tables
    assert read_all(past, "notes", limit=2) == [{"n": 1.0}]
    past.close()


def test_a_read_that_stood_still_for_too_long_ends_with_a_word() -> None:
    world = World(limits=Limits(log_retention_seconds=60.0))
    world.insert("notes", {"n": 1.0})
    past = PastTables(world.database.reader())
    clock = world.environment.clock

    def trim() -> None:
        clock.advance(40)  # type: ignore[attr-defined]
        world.insert("notes", {"n": 2.0})
        world.group.begin()
        world.group.trim()
        world.group.commit()

    for _ in range(4):
        trim()
        # It keeps up, so nothing is lost, however long ago its timestamp is.
        assert read_all(past, "notes", limit=1) == [{"n": 1.0}]
    for _ in range(4):
        trim()
    with pytest.raises(SnapshotTooOld):
        past.follow()
    past.close()
    world.close()


def test_a_table_that_was_replaced_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.insert("notes", {"n": 1.0})
    past = PastTables(world.database.reader())
    table = past.catalog.tables["notes"]
    world.insert("others", {"n": 1.0})  # The catalog changes.
    fake = {name: each for name, each in past.catalog.tables.items() if name != "notes"}
    monkeypatch.setattr("rewake.database.snapshots.CatalogCache.at", lambda *_: Catalog(fake))
    with pytest.raises(TableReplaced, match="notes"):
        past.page(table)
    past.close()
