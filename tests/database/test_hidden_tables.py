"""Tablets that no name leads to: built, given up, retired, cleared in steps; verified in each state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from rewake.database import verify
from rewake.database.catalog import Catalog, load_catalog
from rewake.database.hidden_tables import (
    add_row,
    build,
    building_of,
    find_row,
    give_up_hidden,
    new_tablet,
    note_progress,
    progress_of,
    remove_row,
    retire,
    tend_hidden,
)
from rewake.database.table import TabletRole
from rewake.database.writes import WriteTransaction
from rewake.environment import Environment
from rewake.values import encode
from tests.archive.official_zip import id_of
from tests.database.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(path=tmp_path / "data.sqlite3", environment=Environment())
    yield world
    world.close()


def _build(world: World, rows: int) -> None:
    def body(tx: WriteTransaction) -> None:
        tx.head.next_number = 10_006
        table = new_tablet(tx, "notes", 10_005, None)
        build(tx, table, owner="me", progress={"done": 0.0})
        for n in range(rows):
            document = {"_id": id_of(10_005, n), "_creationTime": float(n + 1), "n": float(n)}
            add_row(tx, table, encode(document), document)

    world.mutate(body)


def _catalog(world: World) -> Catalog:
    with world.reader.begin() as snapshot:
        assert load_catalog(snapshot.reads).hidden == snapshot.catalog.hidden
        return snapshot.catalog


def _roles(world: World) -> list[TabletRole]:
    return [hidden.role for hidden in _catalog(world).hidden]


def _assert_clean(world: World) -> None:
    verdict = verify(world.database.engine.path, environment=Environment())
    assert verdict.is_clean, verdict.problems


def test_nobody_sees_what_is_built_and_what_is_given_up_goes_in_steps(world: World) -> None:
    _build(world, 300)
    assert "notes" not in _catalog(world).tables
    _assert_clean(world)
    world.mutate(lambda tx: give_up_hidden(tx, owner="other"))
    assert _roles(world) == [TabletRole.BUILDING]
    world.mutate(lambda tx: give_up_hidden(tx, owner="me"))
    assert _roles(world) == [TabletRole.CLEARING]
    steps = 0
    while _roles(world):
        world.mutate(lambda tx: tend_hidden(tx, is_time_up=lambda: True))
        steps += 1
        if steps % 100 == 0:
            _assert_clean(world)
    assert steps == 301, "at least one document a step"
    world.mutate(_assert_idle)
    _assert_clean(world)


def _assert_idle(tx: WriteTransaction) -> None:
    assert not tend_hidden(tx, is_time_up=lambda: False)


def test_rows_are_found_and_removed_and_progress_is_kept(world: World) -> None:
    _build(world, 2)

    def body(tx: WriteTransaction) -> None:
        (hidden,) = building_of(tx, "me")
        note_progress(tx, hidden, {"done": 2.0})
        assert progress_of(tx, hidden)["done"] == 2.0
        found = find_row(tx, hidden.table, id_of(10_005, 1))
        assert found is not None
        remove_row(tx, hidden.table, *found)
        assert find_row(tx, hidden.table, id_of(10_005, 1)) is None

    world.mutate(body)
    _assert_clean(world)


def test_what_has_served_is_kept_as_long_as_the_log_reaches_back(world: World) -> None:
    _build(world, 1)

    def body(tx: WriteTransaction) -> None:
        (hidden,) = building_of(tx, "me")
        retire(tx, replace(hidden.table, tablet=hidden.table.tablet))
        tx.catalog = tx.catalog.with_hidden(tx.catalog.hidden[1:])

    world.mutate(body)
    assert TabletRole.RETIRED in _roles_in_memory(world)
    world.mutate(_assert_idle)


def _roles_in_memory(world: World) -> list[TabletRole]:
    with world.reader.begin() as snapshot:
        return [hidden.role for hidden in snapshot.catalog.hidden]
