"""Copies of a data file: one moment of it under writers, a history of their own, and who waits for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rewake.database import verify
from rewake.environment import seeded_environment
from rewake.storage import CopyOutrun, DataFileMissing, FilesHold, Inspection, copy_data_file
from tests.database.world import World, documents


def read(world: World) -> list[dict[str, Any]]:
    with world.reader.begin() as snapshot:
        texts = snapshot.documents(snapshot.catalog.tables["accounts"], limit=10_000)
    return documents(text for _, text in texts)


def test_a_copy_under_writers_is_one_moment_and_sound(tmp_path: Path) -> None:
    source, target = tmp_path / "a.sqlite3", tmp_path / "b.sqlite3"
    world = World(path=source)
    ids = world.insert("accounts", *({"balance": 10.0, "text": "x" * 900} for _ in range(6_000)))
    steps = 0

    def transfer(done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        first, last = ids[steps], ids[-steps]

        def body(tx: Any) -> None:
            tx.patch(first, {"balance": 0.0})
            tx.patch(last, {"balance": 20.0})

        world.mutate(body)
        if steps == 2:
            # What is moved into the data file is not taken from under the copy.
            world.database.checkpoint()

    copy_data_file(source, target, environment=world.environment, on_pages=transfer)
    assert steps > 2
    last_ts = world.database.last_ts()
    assert sum(row["balance"] for row in read(world)) == 60_000
    world.close()
    assert not list(tmp_path.glob("b.sqlite3-*"))
    verdict = verify(target, environment=seeded_environment(1))
    assert verdict.is_clean, verdict.problems

    environment = seeded_environment(2)
    environment.clock.time_ns = last_ts + 5  # type: ignore[attr-defined]
    restored = World(path=target, environment=environment)
    try:
        assert {row["balance"] for row in read(restored)} == {10.0}
        # Above every timestamp that a client of the original can have seen, and nothing before can be asked.
        assert restored.database.last_ts() == last_ts + 5
        assert list(restored.database.log_rows(after=0)) == []
        assert restored.database.engine.secret != world.database.engine.secret
        restored.mutate(lambda tx: tx.patch(ids[0], {"balance": 1.0}))
        mark = restored.database.last_ts()
    finally:
        restored.close()
    # Once only.
    environment.clock.time_ns += 10**9  # type: ignore[attr-defined]
    again = World(path=target, environment=environment)
    assert again.database.last_ts() == mark
    again.close()
    verdict = verify(target, environment=seeded_environment(1))
    assert verdict.is_clean, verdict.problems


def test_a_copy_that_is_outrun_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewake.storage.copying.BACKUP_LOG_BYTES_MAX", 1_000)
    world = World(path=tmp_path / "a.sqlite3")
    (id,) = world.insert("accounts", {"n": 0.0})

    def write(done: int, total: int) -> None:
        world.mutate(lambda tx: tx.patch(id, {"n": 1.0}))

    with pytest.raises(CopyOutrun):
        copy_data_file(
            tmp_path / "a.sqlite3",
            tmp_path / "b.sqlite3",
            environment=world.environment,
            on_pages=write,
        )
    world.close()


def test_there_must_be_something_to_copy(tmp_path: Path) -> None:
    with pytest.raises(DataFileMissing):
        copy_data_file(
            tmp_path / "none", tmp_path / "b", environment=seeded_environment(1), on_pages=lambda a, b: None
        )
    assert not list(tmp_path.iterdir())


def test_bytes_of_files_stay_while_somebody_copies(tmp_path: Path) -> None:
    hold, other = FilesHold(tmp_path / "data"), FilesHold(tmp_path / "data")
    with hold.shared(), hold.shared(), other.alone() as is_alone:
        assert not is_alone
    with other.alone() as is_alone, hold.alone() as is_second:
        assert is_alone
        assert not is_second


def test_a_copy_that_was_not_opened_is_copied_as_a_copy(tmp_path: Path) -> None:
    World(path=tmp_path / "a").close()
    for source, target in (("a", "b"), ("b", "c")):
        copy_data_file(
            tmp_path / source,
            tmp_path / target,
            environment=seeded_environment(1),
            on_pages=lambda done, total: None,
        )
    inspection = Inspection(tmp_path / "c", environment=seeded_environment(1))
    assert inspection.connection.execute("SELECT count(*) FROM _copy").fetchall() == [(0,)]
    inspection.close()
