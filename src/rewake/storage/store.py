"""The store: one SQLite connection, and every statement by which the house reads.

Floor 1, `storage`. Tables of authors are not tables of SQLite: documents and index entries of all of them lie
in two fixed tables, told apart by tablet and index id (docs/decisions/0004). Keys are the order-preserving
bytes of `values`, so a range of an index is a range of bytes:

    _index_entries (index_id, key) -> row        _documents row -> json
    by_id is an index like the others            canonical text, readable by any SQLite tool

`ReaderStore` has a snapshot between `begin` and `end`. Texts of statements are constant, so SQLite prepares
each once; and every statement is read to its end at once, so nothing holds a snapshot open behind anyone's
back.

Not here: the connection that writes (`writer_store.py`); what a tablet or an index means, limits, read sets
(`database`); opening and formats (`data_file.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn, Protocol

import apsw
import msgspec

from rewake.storage.commit_log import LogRow, unpack_writes
from rewake.storage.failures import StorageFailed, failure_of

KEY_END = b"\xff"
"""Above every key: the highest tag of the key codec is 0x15."""

HEAD = "SELECT last_ts, catalog_ts, log_floor_ts, log_bytes, next_tablet, next_index, next_number FROM _head"
ENTRY = (
    "SELECT json, row FROM _documents"
    " WHERE row = (SELECT row FROM _index_entries WHERE index_id = ? AND key = ?)"
)
_PAGE_ASC = (
    "SELECT e.key, d.json FROM _index_entries e CROSS JOIN _documents d ON d.row = e.row"
    " WHERE e.index_id = ? AND e.key >= ? AND e.key < ? ORDER BY e.key LIMIT ?"
)
_PAGE_DESC = (
    "SELECT e.key, d.json FROM _index_entries e CROSS JOIN _documents d ON d.row = e.row"
    " WHERE e.index_id = ? AND e.key >= ? AND e.key < ? ORDER BY e.key DESC LIMIT ?"
)
_COUNT = "SELECT count(*) FROM _index_entries WHERE index_id = ?"
_LOG = "SELECT ts, invocation, writes FROM _commit_log WHERE ts > ? AND ts <= ? ORDER BY ts LIMIT ?"
_LOG_DESC = "SELECT ts, invocation, writes FROM _commit_log WHERE ts > ? AND ts < ? ORDER BY ts DESC LIMIT ?"
_FIND_INVOCATION = "SELECT ts FROM _commit_log WHERE ts > ? AND invocation = ?"

_LOG_PAGE = 256
TS_END = 2**63 - 1


class Head(msgspec.Struct):
    """The row that is never trimmed.

    `last_ts` labels the latest commit, `catalog_ts` the latest that changed tables, indexes or schema. All
    log rows above `log_floor_ts` are present. The three counters give out numbers that are never used twice.
    """

    last_ts: int
    catalog_ts: int
    log_floor_ts: int
    log_bytes: int
    next_tablet: int
    next_index: int
    next_number: int


class Reads(Protocol):
    """What reading needs of a snapshot: the latest one, an older one, or the writer's own transaction."""

    def find(self, index_id: int, key: bytes) -> str | None:
        """The document whose key in the index is `key`."""
        ...

    def page(
        self, index_id: int, lower: bytes, upper: bytes | None, *, descending: bool, limit: int
    ) -> list[tuple[bytes, str]]:
        """Up to `limit` entries of [lower, upper) as (key, document), in index order or its reverse."""
        ...


class ReaderStore:
    """A connection that reads snapshots."""

    failed: StorageFailed | None
    """What a read of this snapshot ran into; `begin` clears it. A handler may have swallowed the error, and
    what it came to afterwards is worth nothing."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self.failed = None
        self._open()

    def _open(self) -> None:
        self._connection = self._connect()
        self._cursor = self._connection.cursor()
        self._run = self._cursor.execute
        self._run_many = self._cursor.executemany

    def begin(self) -> Head:
        """Take a snapshot; it lasts until `end`. The head is read inside it and so labels it truly."""
        self.failed = None
        try:
            self._run("BEGIN")
            return self.head()
        except apsw.Error as error:
            self.end()
            raise failure_of(error) from error

    def end(self) -> None:
        """Let the snapshot go. Harmless when there is none."""
        if self._connection.in_transaction:
            self._run("ROLLBACK")

    @property
    def is_reading(self) -> bool:
        """Whether a snapshot is held."""
        return self._connection.in_transaction

    def close(self) -> None:
        """Close the connection. Harmless when closed already, and on a failing disk: what is committed lies
        in the write-ahead log.
        """
        for each in (self._cursor, self._connection):
            with suppress(apsw.Error):
                each.close(True)

    def head(self) -> Head:
        """The head row as this connection sees it now."""
        return Head(*self._select(HEAD, ())[0])

    def find(self, index_id: int, key: bytes) -> str | None:
        """See `Reads.find`."""
        found = self._select(ENTRY, (index_id, key))
        return found[0][0] if found else None

    def page(
        self, index_id: int, lower: bytes, upper: bytes | None, *, descending: bool, limit: int
    ) -> list[tuple[bytes, str]]:
        """See `Reads.page`."""
        text = _PAGE_DESC if descending else _PAGE_ASC
        return self._select(text, (index_id, lower, KEY_END if upper is None else upper, limit))

    def count(self, index_id: int) -> int:
        """The entries of an index. Looks at each of them, so it is for background work."""
        return int(self._select(_COUNT, (index_id,))[0][0])

    def log_rows(self, *, after: int, until: int = TS_END) -> Iterator[LogRow]:
        """The log rows with after < ts <= until, oldest first; read in pages, so it may be left early."""
        while True:
            rows = self._select(_LOG, (after, until, _LOG_PAGE))
            for ts, invocation, writes in rows:
                yield LogRow(ts, invocation, unpack_writes(writes))
                after = ts
            if len(rows) < _LOG_PAGE:
                return

    def log_rows_newest_first(self, *, after: int) -> Iterator[LogRow]:
        """The log rows with ts > after, newest first."""
        before = TS_END
        while True:
            rows = self._select(_LOG_DESC, (after, before, _LOG_PAGE))
            for ts, invocation, writes in rows:
                yield LogRow(ts, invocation, unpack_writes(writes))
                before = ts
            if len(rows) < _LOG_PAGE:
                return

    def find_invocation(self, invocation: str, *, after: int) -> int | None:
        """The timestamp at which an invocation was committed above `after`, or None if it was not.

        Asked after a crash or an error during COMMIT: the log decides what happened.
        """
        found = self._select(_FIND_INVOCATION, (after, invocation))
        return int(found[0][0]) if found else None

    def _select(self, text: str, bindings: tuple[object, ...]) -> list[Any]:
        # The row shapes are those of the statement texts above; a typed row class per statement would be
        # copied for every row read.
        try:
            return self._run(text, bindings).fetchall()
        except apsw.Error as error:
            self._fail(error)

    def _fail(self, error: apsw.Error) -> NoReturn:
        self.failed = failure_of(error)
        raise self.failed from error
