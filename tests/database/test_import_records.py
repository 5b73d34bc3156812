"""What is known of imports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rewake.database.errors import InvalidArgument
from rewake.database.import_records import (
    INTERRUPTED,
    ImportNotFound,
    completed_import,
    create_import,
    failed_import,
    has_unfinished_imports,
    note_import,
    read_import,
    read_imports,
    recover_imports,
    stored_import,
)
from rewake.errors import InvalidInput
from rewake.limits import IMPORTS_KEPT
from rewake.values import Int64
from tests.archive.official_zip import id_of
from tests.database.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def _create(world: World) -> str:
    made: list[str] = []
    world.mutate(lambda tx: made.append(create_import(tx, {"mode": "append", "format": "csv"})))
    return made[0]


def _state(world: World, id: str) -> dict[str, Any]:
    with world.reader.begin() as snapshot:
        found = stored_import(snapshot.reads, id)
        assert found == read_import(snapshot.transaction(), id)
        assert found is not None
        state: dict[str, Any] = found["state"]
        return state


def test_a_record_goes_on_until_it_is_over(world: World) -> None:
    id = _create(world)
    assert _state(world, id) == {"state": "uploaded"}
    noted: list[bool] = []
    world.mutate(lambda tx: noted.append(note_import(tx, id, {"state": "in_progress"})))
    world.mutate(lambda tx: noted.append(note_import(tx, id, completed_import(3))))
    world.mutate(lambda tx: noted.append(note_import(tx, id, failed_import("late"))))
    assert noted == [True, True, False]
    state = _state(world, id)
    assert state == {"state": "completed", "num_rows_written": Int64(3)}
    assert type(state["num_rows_written"]) is Int64


def test_what_a_server_left_is_failed_with_its_reason(world: World) -> None:
    left, over = _create(world), _create(world)
    world.mutate(lambda tx: note_import(tx, over, failed_import("no")))
    lost: list[int] = []
    world.mutate(lambda tx: lost.append(recover_imports(tx)))
    assert lost == [1]
    assert _state(world, left) == {"state": "failed", "error_message": INTERRUPTED}
    assert _state(world, over)["error_message"] == "no"
    with world.reader.begin() as snapshot:
        assert not has_unfinished_imports(snapshot.reads)


def test_those_that_were_over_longest_ago_are_forgotten(world: World) -> None:
    waiting = _create(world)
    for _ in range(IMPORTS_KEPT + 5):
        id = _create(world)
        world.mutate(lambda tx, id=id: note_import(tx, id, completed_import(0)))
    with world.reader.begin() as snapshot:
        known = [record["_id"] for record in read_imports(snapshot.transaction())]
        assert has_unfinished_imports(snapshot.reads)
    assert len(known) == IMPORTS_KEPT + 1
    assert waiting in known


def test_ids_of_nothing_are_not_found(world: World) -> None:
    with world.reader.begin() as snapshot:
        for id in (id_of(562, 1), id_of(10_001, 1)):
            with pytest.raises(ImportNotFound):
                read_import(snapshot.transaction(), id)
        with pytest.raises(InvalidInput):
            read_import(snapshot.transaction(), "x")
    assert issubclass(InvalidArgument, InvalidInput)
    with pytest.raises(ImportNotFound):
        world.mutate(lambda tx: note_import(tx, id_of(562, 1), {}))
