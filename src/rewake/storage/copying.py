"""Copying: a data file as it stood at one commit, page by page, while it is served and written.

Floor 1, `storage`. One snapshot is held as long as the copy takes: SQLite's own backup begins again whenever
another process commits, and under a steady load it would never end. So the write-ahead log grows meanwhile;
that is watched, and a copy that lets it grow too far gives up rather than fill the disk.

    Inspection.hold -> pages -> the mark of a copy -> fsync

The copy bears a mark. Whoever opens it first begins a history of its own (`begin_restored`): timestamps go on
above any that a client of the original can have seen, the log is empty, and keys derived from its secret are
new ones.

    FilesHold           bytes of deleted files stay as long as a copy is being made

Not here: the bytes of files (`cli/backing_up.py`). Source: https://www.sqlite.org/backup.html
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from rewake.environment import Environment
from rewake.errors import Unavailable
from rewake.limits import BACKUP_LOG_BYTES_MAX
from rewake.storage.failures import failure_of
from rewake.storage.inspection import Inspection

_PAGES = 1024
_MARK = "_copy"
_HAS_MARK = f"SELECT 1 FROM sqlite_schema WHERE name = '{_MARK}'"
_RESTORE = (
    "UPDATE _head SET last_ts = max(last_ts + 1, :now)",
    "UPDATE _head SET log_floor_ts = last_ts, log_bytes = 0",
    "DELETE FROM _commit_log",
    "DELETE FROM _secrets",
    f"DROP TABLE {_MARK}",
)


class CopyOutrun(Unavailable):
    """So much was written during the copy that the write-ahead log grew too long. Copy when it is quieter."""

    code = "CopyOutrun"
    template = (
        "The write-ahead log grew by more than {limit} bytes while the file was copied, so the copy was "
        "given up. Try again when less is written, or copy to a faster disk."
    )


def copy_data_file(
    source: Path, target: Path, *, environment: Environment, on_pages: Callable[[int, int], None]
) -> None:
    """Copy the data file at `source` to `target`, where nothing is, and mark it as a copy. It is durable.

    Raises:
        DataFileMissing, DataFileForeign, DataFileFromFuture, CopyOutrun, StorageFailed: what is at `target`
        is no copy.
    """
    inspection = Inspection(source, environment=environment)
    try:
        inspection.hold()
        inspection.heads()
        _copy_pages(inspection.connection, source, target, on_pages)
    except apsw.Error as error:
        raise failure_of(error) from error
    finally:
        inspection.end()
        inspection.close()
    try:
        with _opened(target) as connection:
            connection.execute(f"DROP TABLE IF EXISTS {_MARK}; CREATE TABLE {_MARK}(one INTEGER)")
    except apsw.Error as error:
        raise failure_of(error) from error
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def begin_restored(connection: apsw.Connection, *, now_ns: int) -> bool:
    """Begin the history of a copy that is opened for the first time; whether it was one."""
    if not connection.execute(_HAS_MARK).fetchall():
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        for text in _RESTORE:
            connection.execute(text, {"now": now_ns} if ":now" in text else None)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def _copy_pages(
    origin: apsw.Connection, source: Path, target: Path, on_pages: Callable[[int, int], None]
) -> None:
    log = source.with_name(source.name + "-wal")

    def log_bytes() -> int:
        return log.stat().st_size if log.exists() else 0

    most = log_bytes() + BACKUP_LOG_BYTES_MAX
    with _opened(target) as copy:
        copy.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        with copy.backup("main", origin, "main") as backup:
            while not backup.done:
                backup.step(_PAGES)
                on_pages(backup.page_count - backup.remaining, backup.page_count)
                if log_bytes() > most:
                    raise CopyOutrun(limit=BACKUP_LOG_BYTES_MAX)


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path))
    try:
        yield connection
    finally:
        connection.close()


class FilesHold:
    """A claim on `<data>.hold`: shared by those who copy, taken alone by whoever removes bytes of files. The
    kernel takes it back from a process that dies.
    """

    def __init__(self, data: Path) -> None:
        self._path = data.with_name(data.name + ".hold")

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Keep the bytes of deleted files; waits while some are being removed."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody keeps them, as long as the block runs."""
        with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB) as is_held:
            yield is_held

    @contextmanager
    def _locked(self, kind: int) -> Iterator[bool]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            is_held = False
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, kind)
                is_held = True
            yield is_held
        finally:
            os.close(descriptor)
