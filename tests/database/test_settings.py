"""One text under each name."""

from __future__ import annotations

from rewake.database.settings import put_setting, read_setting, stored_setting
from tests.database.world import World


def test_a_text_is_remembered_and_changed(world: World) -> None:
    assert stored_setting(world.group._store, "a") is None
    world.mutate(lambda tx: put_setting(tx, "a", "1"))
    world.mutate(lambda tx: put_setting(tx, "b", "2"))
    world.mutate(lambda tx: put_setting(tx, "a", "3"))
    last_ts = world.database.last_ts()
    world.mutate(lambda tx: put_setting(tx, "a", "3"))
    assert world.database.last_ts() == last_ts, "the same again is not written"
    with world.reader.begin() as snapshot:
        assert stored_setting(snapshot.reads, "a") == "3"
        assert stored_setting(snapshot.reads, "b") == "2"


def test_reading_takes_down_that_name_alone(world: World) -> None:
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        assert read_setting(transaction, "a") is None
        read = transaction.read_set
    for name, is_touched in (("b", False), ("a", True)):
        rows = world.mutate(lambda tx, name=name: put_setting(tx, name, "1")).rows
        assert any(read.touched_by(row) for row in rows) is is_touched
