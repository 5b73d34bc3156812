"""The failing disk itself: it fails where it is told to, and forgets exactly what was not synced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import apsw
import pytest

from tests.faults.fault_disk import Control, FaultDisk


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[FaultDisk]:
    disk = FaultDisk(f"disk-{request.node.name}")
    yield disk
    disk.close()


def opened(path: Path, disk: FaultDisk | None = None) -> apsw.Connection:
    connection = apsw.Connection(str(path), vfs=disk.name if disk is not None else None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t(x)")
    return connection


def rows(path: Path) -> list[int]:
    return [int(str(x)) for (x,) in apsw.Connection(str(path)).execute("SELECT x FROM t")]


@pytest.mark.parametrize(
    ("operation", "error", "kind"),
    [
        ("write", "ENOSPC", apsw.FullError),
        ("write", "EIO", apsw.IOError),
        ("write", "short", apsw.IOError),
        ("sync", "EIO", apsw.IOError),
    ],
)
def test_a_fault_comes_once_and_where_it_was_armed(
    tmp_path: Path, disk: FaultDisk, operation: str, error: str, kind: type[Exception]
) -> None:
    connection = opened(tmp_path / "a", disk)
    disk.fail(operation, error, file="wal", after=1)
    connection.execute("CREATE TABLE u(x)") if operation == "sync" else None
    with pytest.raises(kind):
        connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("INSERT INTO t VALUES (2)")
    connection.close()
    assert rows(tmp_path / "a") == [2]
    assert len(disk.failures) == 1


def test_a_full_disk_stays_full_until_there_is_room(tmp_path: Path, disk: FaultDisk) -> None:
    connection = opened(tmp_path / "a", disk)
    disk.is_full = True
    for _ in range(2):
        with pytest.raises(apsw.FullError):
            connection.execute("INSERT INTO t VALUES (1)")
    assert connection.execute("SELECT * FROM t").fetchall() == []
    disk.is_full = False
    connection.execute("INSERT INTO t VALUES (2)")
    connection.close()
    assert rows(tmp_path / "a") == [2]


def test_a_cut_keeps_what_was_synced_and_may_lose_the_rest(tmp_path: Path, disk: FaultDisk) -> None:
    connection = opened(tmp_path / "a", disk)
    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("PRAGMA synchronous = OFF; INSERT INTO t VALUES (2)")
    seen = set()
    for seed in range(30):
        image = tmp_path / f"image-{seed}"
        disk.cut_now(image, Random(seed))
        seen.add(tuple(rows(image / "a")))
    disk.is_dead = False
    connection.close()
    assert seen == {(1,), (1, 2)}, "the unsynced row was sometimes lost, the synced one never"


def test_what_a_failed_sync_left_is_not_made_durable_by_the_next(tmp_path: Path, disk: FaultDisk) -> None:
    connection = opened(tmp_path / "a", disk)
    flags = apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_MAIN_DB
    file = apsw.VFSFile(disk.name, str(tmp_path / "a-file"), [flags, 0])
    file.xWrite(b"a" * 1024, 0)
    disk.fail("sync", "EIO")
    with pytest.raises(apsw.IOError):
        file.xSync(apsw.SQLITE_SYNC_FULL)
    file.xWrite(b"b" * 512, 0)
    file.xSync(apsw.SQLITE_SYNC_FULL)
    second = set()
    for seed in range(20):
        disk.cut_now(tmp_path / "image", Random(seed))
        content = (tmp_path / "image" / "a-file").read_bytes()
        assert content[:512] == b"b" * 512, "written again before the sync that went well"
        second.add(content[512:])
    disk.is_dead = False
    file.xClose()
    connection.close()
    assert second == {b"a" * 512, bytes(512)}


def test_a_cut_comes_at_the_change_that_was_named_and_nothing_follows(
    tmp_path: Path, disk: FaultDisk
) -> None:
    connection = opened(tmp_path / "a", disk)
    disk.cut_at(5, tmp_path / "image", Random(1))
    with pytest.raises(apsw.Error):
        connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(100)])
    assert disk.is_dead
    with pytest.raises(apsw.Error):
        connection.execute("INSERT INTO t VALUES (1)")
    assert len(rows(tmp_path / "image" / "a")) < 5
    with suppress(apsw.Error):
        connection.close()


def test_two_processes_share_what_is_armed(tmp_path: Path) -> None:
    here, there = Control.shared(tmp_path / "control"), Control.shared(tmp_path / "control")
    here.fail("read", "EIO", file="main", after=1, times=2)
    asked = [there.asked("read", "wal"), *(there.asked("read", "main") for _ in range(4))]
    assert asked == [None, None, "EIO", "EIO", None]
    here.is_full = True
    assert there.asked("write", "wal") == "ENOSPC"
    there.heal()
    assert not here.is_full
