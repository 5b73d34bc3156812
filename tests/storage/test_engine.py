from __future__ import annotations

import gc
from pathlib import Path

import pytest

from rewake.environment import Environment
from rewake.storage import Durability, Engine, Role, StorageFailed, open_database

KEY = b"\x10k\0"


def opened(path: str | Path) -> Engine:
    return open_database(path, environment=Environment())


def put(engine: Engine, key: bytes, text: str) -> None:
    writer = engine.writer()
    writer.begin()
    writer.insert_document(101, text, ((1, key),))
    writer.commit()
    writer.close()


@pytest.mark.parametrize("place", ["memory", "file"])
def test_a_snapshot_holds_while_the_writer_commits(tmp_path: Path, place: str) -> None:
    engine = opened(":memory:" if place == "memory" else tmp_path / "data")
    reader = engine.reader()
    reader.begin()
    put(engine, KEY, '"one"')
    assert reader.find(1, KEY) is None
    reader.end()
    reader.begin()
    assert reader.find(1, KEY) == '"one"'
    reader.close()
    engine.close()


def test_two_databases_in_memory_are_two() -> None:
    one, other = opened(":memory:"), opened(":memory:")
    put(one, KEY, '"one"')
    assert other.reader().find(1, KEY) is None
    one.close()
    other.close()


def test_a_database_in_memory_is_gone_after_close() -> None:
    engine = opened(":memory:")
    directory = engine.path.parent
    assert engine.durability is Durability.OFF
    put(engine, KEY, '"one"')
    engine.close()
    assert not directory.exists()


def test_a_database_in_memory_that_nobody_closed_goes_with_its_engine() -> None:
    engine = opened(":memory:")
    directory = engine.path.parent
    del engine
    gc.collect()
    assert not directory.exists()


def test_commits_to_a_file_are_synchronous(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    connection = engine.connect()
    assert connection.execute("PRAGMA synchronous").fetchall() == [(2,)]
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()
    engine.close()


def test_the_log_file_has_its_blocks_before_the_first_commit(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    log = tmp_path / "data-wal"
    size = log.stat().st_size
    assert size >= 2**20
    put(engine, KEY, '"one"')
    assert log.stat().st_size == size
    # Also when somebody else opens the file who knows nothing of this.
    joined = open_database(tmp_path / "data", environment=Environment(), role=Role.WORKER)
    assert joined.reader().find(1, KEY) == '"one"'
    joined.close()
    engine.close()


def test_a_checkpoint_empties_the_log_when_nobody_reads(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    put(engine, KEY, '"one"')
    frames, moved = engine.checkpoint()
    assert frames == moved > 0
    reader = engine.reader()
    reader.begin()
    put(engine, b"\x10l\0", '"two"')
    put(engine, b"\x10m\0", '"three"')
    frames, moved = engine.checkpoint()
    assert moved <= frames
    assert reader.find(1, b"\x10l\0") is None
    reader.close()
    engine.close()


def test_a_log_that_writes_never_leave_alone_begins_anew_when_asked(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    writer = engine.writer()

    def lengths(*, restart: bool) -> list[int]:
        """How long the log is, each time that it was emptied while a reader and a write were on their way."""
        found = []
        for round in range(4):
            reader = engine.reader()
            reader.begin()
            put(engine, b"\x10%d%d\0" % (restart, round), '"new"')
            found.append(engine.checkpoint().log_bytes)
            reader.close()
            put(engine, b"\x10%d%dl\0" % (restart, round), '"newer"')
            if restart:
                assert writer.restart_log(patience_seconds=1.0)
        return found

    growing, bounded = lengths(restart=False), lengths(restart=True)
    assert growing == sorted(set(growing))
    assert max(bounded[1:]) < growing[-1]
    writer.close()
    engine.close()


def test_a_reader_that_does_not_end_keeps_writers_out_for_a_moment_only(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    reader, writer = engine.reader(), engine.writer()
    reader.begin()
    put(engine, KEY, '"one"')
    assert not writer.restart_log(patience_seconds=0.01)
    assert reader.find(1, KEY) is None
    put(engine, b"\x10l\0", '"two"')
    reader.close()
    assert writer.restart_log(patience_seconds=0.01)
    writer.close()
    engine.close()


def test_a_file_that_vanished_is_an_error_with_a_name(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    engine.path = tmp_path / "gone" / "data"
    with pytest.raises(StorageFailed):
        engine.reader()
    engine.close()
