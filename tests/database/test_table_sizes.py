"""A table as a whole: its number of documents, now and then, and whom a change wakes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rewake.database import count_documents, watch_table
from tests.database.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def test_documents_are_counted_now_and_in_the_past(world: World) -> None:
    world.insert("notes", {"n": 1}, {"n": 2})
    with world.reader.begin() as snapshot:
        then = snapshot.ts
        assert count_documents(snapshot.transaction(), "notes") == 2
        assert count_documents(snapshot.transaction(), "none") == 0
    world.insert("notes", *({"n": n} for n in range(1500)))
    with world.reader.begin() as snapshot:
        assert count_documents(snapshot.transaction(), "notes") == 1502
    with world.reader.begin_at(then) as snapshot:
        assert count_documents(snapshot.transaction(), "notes") == 2
    world.mutate(lambda tx: [tx.insert("others", {}) for _ in range(3)])
    with world.reader.begin_at(then) as snapshot:
        assert count_documents(snapshot.transaction(), "others") == 0


@pytest.mark.parametrize("look", [count_documents, watch_table])
def test_every_write_to_the_table_wakes_and_no_other(world: World, look: object) -> None:
    (id,) = world.insert("notes", {"n": 1})
    world.insert("others", {"n": 1})
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        assert callable(look)
        before = look(transaction, "notes")
        read = transaction.read_set
    (elsewhere,) = world.mutate(lambda tx: tx.insert("others", {"n": 2})).rows
    assert not read.touched_by(elsewhere)
    (update,) = world.mutate(lambda tx: tx.patch(id, {"n": 2})).rows
    (insert,) = world.mutate(lambda tx: tx.insert("notes", {"n": 3})).rows
    assert read.touched_by(update)
    assert read.touched_by(insert)
    with world.reader.begin() as snapshot:
        assert look(snapshot.transaction(), "notes") != before
