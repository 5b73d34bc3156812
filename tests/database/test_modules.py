from __future__ import annotations

from rewake.database.modules import record_module_read, store_modules, stored_modules
from rewake.database.read_set import ReadSet
from tests.database.world import World


def push(world: World, hashes: dict[str, str]) -> list[str]:
    changed: list[str] = []
    world.mutate(lambda tx: changed.extend(store_modules(tx, hashes)))
    return changed


def reads_of(world: World, module: str) -> ReadSet:
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        record_module_read(transaction, module)
        return transaction.read_set


def test_only_what_changed_is_written_and_named(world: World) -> None:
    assert push(world, {"a": "1", "b": "1"}) == ["a", "b"]
    assert push(world, {"a": "1", "b": "1"}) == []
    assert push(world, {"a": "2", "c": "1"}) == ["a", "b", "c"]
    assert push(world, {"a": "2", "c": "1"}) == []


def test_each_snapshot_knows_the_code_that_belongs_to_it(world: World) -> None:
    then = world.mutate(lambda tx: store_modules(tx, {"a": "1", "b": "1"})).last_ts
    push(world, {"a": "2"})
    with world.reader.begin() as snapshot:
        assert stored_modules(snapshot.transaction()) == {"a": "2"}
    with world.reader.begin_at(then) as snapshot:
        assert stored_modules(snapshot.transaction()) == {"a": "1", "b": "1"}


def test_a_push_touches_just_the_readers_of_what_it_changed(world: World) -> None:
    push(world, {"a": "1", "ab": "1"})
    one, other, unborn = (reads_of(world, module) for module in ("a", "ab", "later"))
    (row,) = world.mutate(lambda tx: store_modules(tx, {"a": "2", "ab": "1"})).rows
    assert [reads.touched_by(row) for reads in (one, other, unborn)] == [True, False, False]
    (row,) = world.mutate(lambda tx: store_modules(tx, {"a": "2", "ab": "1", "later": "1"})).rows
    assert [reads.touched_by(row) for reads in (one, other, unborn)] == [False, False, True]
    (row,) = world.mutate(lambda tx: store_modules(tx, {"a": "2"})).rows
    assert [reads.touched_by(row) for reads in (one, other, unborn)] == [False, True, True]
