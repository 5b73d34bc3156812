"""Inspection: a data file read as it lies there, without being changed, claimed or waited for.

Floor 1, `storage`. What `verify` asks of a file, served or not: one snapshot on a connection that cannot
write, everything in pages, so that memory does not grow with the file. What has to be remembered on the way
lies in a temporary file of SQLite's own (`Notes`).

    Inspection(path) -> hold -> engine_problems, heads, documents, entries, log, replays -> close

Not here: what all this should be (`database/verification.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import apsw

from rewake.environment import Environment
from rewake.storage.data_file import (
    APPLICATION_ID,
    FORMAT,
    DataFileForeign,
    DataFileFromFuture,
    DataFileMissing,
    pragma,
)
from rewake.storage.failures import failure_of
from rewake.storage.store import HEAD, Head, ReaderStore

_PAGE = 512
_BUSY_MS = 5_000
_ENGINE_PROBLEMS_MAX = 100

_LAST_ROW = "SELECT coalesce(max(row), 0) FROM _documents"
_DOCUMENTS = "SELECT row, tablet, json FROM _documents WHERE row > ? ORDER BY row LIMIT ?"
_ENTRY_ROW = "SELECT row FROM _index_entries WHERE index_id = ? AND key = ?"
_NEXT_INDEX = "SELECT min(index_id) FROM _index_entries WHERE index_id > ?"
_COUNT_ENTRIES = "SELECT count(*) FROM _index_entries WHERE index_id = ?"
_ENTRIES = (
    "SELECT e.key, e.row, d.tablet, d.json FROM _index_entries e LEFT JOIN _documents d ON d.row = e.row"
    " WHERE e.index_id = ? AND e.key > ? ORDER BY e.key LIMIT ?"
)
_LOG_SIZE = "SELECT count(*), coalesce(sum(length(writes)), 0) FROM _commit_log"
_LOG = "SELECT ts, invocation, writes FROM _commit_log WHERE ts > ? ORDER BY ts LIMIT ?"
_LOGGED = "SELECT 1 FROM _commit_log WHERE ts = ?"
_COUNT_REPLAYS = "SELECT count(*) FROM _replays"
_REPLAYS = (
    "SELECT number, session, request, ts, result, log_lines, recorded_ms FROM _replays"
    " WHERE number > ? ORDER BY number LIMIT ?"
)
_NOTES = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -16384",
    "CREATE TABLE notes(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "BEGIN",
)


class Inspection(ReaderStore):
    """One snapshot of a data file, on a connection that cannot write."""

    def __init__(self, path: Path, *, environment: Environment) -> None:
        """Open the file.

        Raises:
            DataFileMissing, DataFileForeign, DataFileFromFuture: there is nothing here to inspect.
            StorageFailed: the disk failed.
        """
        if not path.is_file():
            raise DataFileMissing(path=path)
        self._path = path
        self._environment = environment
        super().__init__(self._open_file)
        try:
            self._check_format()
        except BaseException:
            self.close()
            raise

    def _open_file(self) -> apsw.Connection:
        try:
            connection = apsw.Connection(
                str(self._path), flags=apsw.SQLITE_OPEN_READONLY, vfs=self._environment.disk
            )
            connection.set_busy_timeout(_BUSY_MS)
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        except apsw.Error as error:
            raise failure_of(error) from error
        return connection

    def _check_format(self) -> None:
        try:
            application_id, version = (
                pragma(self._connection, name) for name in ("application_id", "user_version")
            )
            self._run("PRAGMA cache_size = -32768")
        except apsw.NotADBError as error:
            raise DataFileForeign(path=self._path, detail="not an SQLite file") from error
        except apsw.Error as error:
            raise failure_of(error) from error
        if application_id != APPLICATION_ID:
            raise DataFileForeign(path=self._path, detail="an SQLite file of another application")
        if version > FORMAT:
            raise DataFileFromFuture(path=self._path, found=version, known=FORMAT)

    @property
    def connection(self) -> apsw.Connection:
        """The connection, for copying pages."""
        return self._connection

    def hold(self) -> None:
        """Take a snapshot; it lasts until `end`. Other than `begin` it believes nothing of the file."""
        self._select("BEGIN", ())

    def engine_problems(self) -> list[str]:
        """What SQLite itself finds wrong with its pages and trees."""
        found = self._select(f"PRAGMA integrity_check({_ENGINE_PROBLEMS_MAX})", ())
        return [text for (text,) in found if text != "ok"]

    def heads(self) -> list[Head]:
        """The head rows; there should be one."""
        return [Head(*row) for row in self._select(HEAD, ())]

    def last_row(self) -> int:
        """The highest number of a document's row."""
        return int(self._select(_LAST_ROW, ())[0][0])

    def documents(self) -> Iterator[list[tuple[int, int, Any]]]:
        """Every document as (row, tablet, text), a page at a time."""
        return self._pages(_DOCUMENTS, ())

    def entry_row(self, index_id: int, key: bytes) -> int | None:
        """The row that an index entry points to; None if there is no such entry."""
        found = self._select(_ENTRY_ROW, (index_id, key))
        return int(found[0][0]) if found else None

    def index_ids(self) -> Iterator[int]:
        """The id of every index that has entries."""
        index_id = -1
        while (found := self._select(_NEXT_INDEX, (index_id,))[0][0]) is not None:
            index_id = int(found)
            yield index_id

    def count_entries(self, index_id: int) -> int:
        """How many entries an index has."""
        return int(self._select(_COUNT_ENTRIES, (index_id,))[0][0])

    def entries(self, index_id: int) -> Iterator[list[tuple[bytes, int, int | None, Any]]]:
        """The entries of an index as (key, row, tablet, text), the last two None without a document."""
        return self._pages(_ENTRIES, (index_id,), after=b"")

    def log_size(self) -> tuple[int, int]:
        """Rows and bytes of the commit log."""
        rows, size = self._select(_LOG_SIZE, ())[0]
        return int(rows), int(size)

    def log(self) -> Iterator[list[tuple[int, Any, Any]]]:
        """The commit log as (ts, invocation, packed writes), oldest first; a row may hold megabytes."""
        return self._pages(_LOG, (), after=-(2**63), size=1)

    def is_logged(self, ts: int) -> bool:
        """Whether the commit log has a row of this timestamp."""
        return bool(self._select(_LOGGED, (ts,)))

    def count_replays(self) -> int:
        """How many replay records there are."""
        return int(self._select(_COUNT_REPLAYS, ())[0][0])

    def replays(self) -> Iterator[list[tuple[int, Any, Any, Any, Any, Any, Any]]]:
        """The replay records as they lie in their table."""
        return self._pages(_REPLAYS, ())

    def _pages(
        self, text: str, bindings: tuple[object, ...], *, after: Any = -1, size: int = _PAGE
    ) -> Iterator[list[Any]]:
        while True:
            page = self._select(text, (*bindings, after, size))
            if page:
                yield page
                after = page[-1][0]
            if len(page) < size:
                return


class Notes:
    """What a long look at a file must remember, kept on the disk: one short value by name."""

    def __init__(self) -> None:
        # The empty name is a file of SQLite's own that is gone when the connection is.
        self._connection = apsw.Connection("")
        self._run = self._connection.cursor().execute
        for text in _NOTES:
            self._run(text).fetchall()

    def swap(self, name: str, value: bytes) -> bytes | None:
        """Note `value` under `name`; returns what was noted there before."""
        found = self._run("SELECT value FROM notes WHERE name = ?", (name,)).fetchall()
        self._run("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))
        return _bytes(found[0][0]) if found else None

    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        """Everything noted, by name."""
        after = ""
        while True:
            page = self._run(
                "SELECT name, value FROM notes WHERE name > ? ORDER BY name LIMIT ?", (after, _PAGE)
            ).fetchall()
            if page:
                yield [(str(name), _bytes(value)) for name, value in page]
                after = str(page[-1][0])
            if len(page) < _PAGE:
                return

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def __enter__(self) -> Notes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
