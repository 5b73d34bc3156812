"""What is known of exports: from asking to expiring."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.database import (
    Export,
    ExportInProgress,
    ExportNotFound,
    begin_export,
    cancel_export,
    complete_export,
    completed_export,
    fail_export,
    forget_export,
    note_export_rows,
    request_export,
    set_export_expiration,
    stored_exports,
)
from tests.database.world import World


def do(world: World, body: Any) -> Any:
    answers: list[Any] = []
    world.mutate(lambda tx: answers.append(body(tx)))
    return answers[0]


def all_exports(world: World) -> list[Export]:
    with world.reader.begin() as snapshot:
        return stored_exports(snapshot.reads)


def test_one_is_made_at_a_time_and_found_by_id_and_timestamp(world: World) -> None:
    id = do(world, lambda tx: request_export(tx, has_files=True))
    with pytest.raises(ExportInProgress):
        do(world, lambda tx: request_export(tx, has_files=False))
    assert do(world, lambda tx: begin_export(tx, id, start_ts=77))
    with pytest.raises(ExportInProgress):
        do(world, lambda tx: request_export(tx, has_files=False))
    assert do(world, lambda tx: note_export_rows(tx, id, done=1, total=2))
    with world.reader.begin() as snapshot, pytest.raises(ExportNotFound):
        completed_export(snapshot.reads, id)
    assert do(world, lambda tx: complete_export(tx, id, complete_ts=78, expiration_ts=99, object_key="a.zip"))
    with world.reader.begin() as snapshot:
        wanted = Export(id, "completed", True, 77, 78, 99, "a.zip")
        assert completed_export(snapshot.reads, id) == completed_export(snapshot.reads, "77") == wanted
        with pytest.raises(ExportNotFound):
            completed_export(snapshot.reads, "78")
    assert do(world, lambda tx: set_export_expiration(tx, id, expiration_ts=5))
    assert all_exports(world)[0].expiration_ts == 5
    assert not do(world, lambda tx: cancel_export(tx, id))
    assert do(world, lambda tx: forget_export(tx, id))
    assert all_exports(world) == []


@pytest.mark.parametrize("end", [cancel_export, lambda tx, id: fail_export(tx, id, error="full")])
def test_what_is_over_stays_over(world: World, end: Any) -> None:
    id = do(world, lambda tx: request_export(tx, has_files=False))
    assert not do(world, lambda tx: forget_export(tx, id))
    assert do(world, lambda tx: end(tx, id))
    assert not do(world, lambda tx: end(tx, id))
    assert not do(world, lambda tx: begin_export(tx, id, start_ts=1))
    assert not do(
        world, lambda tx: complete_export(tx, id, complete_ts=1, expiration_ts=1, object_key="a.zip")
    )
    assert not do(world, lambda tx: set_export_expiration(tx, id, expiration_ts=5))
    assert not all_exports(world)[0].is_under_way
    # And another may begin.
    assert do(world, lambda tx: request_export(tx, has_files=False))
    assert not do(world, lambda tx: forget_export(tx, "nothing"))
