"""The writer store: the connection that writes, and every statement by which the house does.

Floor 1, `storage`, on `store`. It has the one write transaction, in which each mutation is a savepoint, and
parts of a mutation are savepoints in that:

    begin -> (begin_mutation -> (begin_part -> keep_part | drop_part)* -> keep_mutation | drop_mutation)*
          -> commit | rollback

Not here: which mutations share a transaction, and what becomes of those of one that failed (`database`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import apsw

from rewake.storage.commit_log import Keys, LogRow, PackedRow, unpack_writes
from rewake.storage.failures import GroupDoomed, StorageFailed, failure_of
from rewake.storage.store import ENTRY, TS_END, Head, ReaderStore

_SET_HEAD = (
    "UPDATE _head SET last_ts = ?, catalog_ts = ?, log_floor_ts = ?, log_bytes = ?,"
    " next_tablet = ?, next_index = ?, next_number = ?"
)
_ROWS = (
    "SELECT e.key, d.row, d.json FROM _index_entries e CROSS JOIN _documents d ON d.row = e.row"
    " WHERE e.index_id = ? AND e.key >= ? ORDER BY e.key LIMIT ?"
)
_INSERT_DOCUMENT = "INSERT INTO _documents (tablet, json) VALUES (?, ?)"
_UPDATE_DOCUMENT = "UPDATE _documents SET json = ? WHERE row = ?"
_DELETE_DOCUMENT = "DELETE FROM _documents WHERE row = ?"
_INSERT_ENTRY = "INSERT INTO _index_entries VALUES (?, ?, ?)"
_INSERT_LAST_ENTRY = "INSERT INTO _index_entries VALUES (?, ?, last_insert_rowid())"
"""Of the document that was stored last: the table of entries has no row numbers of its own."""
_DELETE_ENTRY = "DELETE FROM _index_entries WHERE index_id = ? AND key = ?"
_ENSURE_ENTRY = "INSERT OR IGNORE INTO _index_entries VALUES (?, ?, ?)"
_DELETE_ENTRIES = (
    "DELETE FROM _index_entries WHERE index_id = ?1"
    " AND key IN (SELECT key FROM _index_entries WHERE index_id = ?1 LIMIT ?2)"
)
_APPEND_LOG = "INSERT INTO _commit_log VALUES (?, ?, ?)"
_TOUCH_HEAD = ("UPDATE _head SET log_bytes = log_bytes + 1", "UPDATE _head SET log_bytes = log_bytes - 1")
"""Together they change nothing and still make a commit write the page."""
_OLDEST_LOG = "SELECT ts, length(writes) FROM _commit_log ORDER BY ts LIMIT ?"
_TRIM_LOG = "DELETE FROM _commit_log WHERE ts <= ?"
_REPLAY = "SELECT ts, result, log_lines FROM _replays WHERE session = ? AND request = ?"
_RECORD_REPLAY = (
    "INSERT INTO _replays (session, request, ts, result, log_lines, recorded_ms) VALUES (?, ?, ?, ?, ?, ?)"
)
_OLDEST_REPLAYS = "SELECT number, recorded_ms FROM _replays ORDER BY number LIMIT ?"
_TRIM_REPLAYS = "DELETE FROM _replays WHERE number <= ?"
BUSY_MS = 5_000
"""Only the handover between two writers of one server can meet a lock, and it is short."""
_GATHERED_BYTES_MAX = 256 * 1024
"""Rows of the commit log that are larger than this together are not gathered any longer."""

Replay = tuple[str, int, int, str, str, int]
"""What a mutation came to that its client may send again: session, number of the request, timestamp, result,
log lines, and when it was recorded, in ms."""


def _plain(text: str) -> Callable[[WriterStore], None]:
    """A method that runs a statement without bindings."""

    def run(self: WriterStore) -> None:
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        try:
            self._run(text)
        except (apsw.Error, MemoryError) as error:
            self._fail(error)

    return run


class WriterStore(ReaderStore):
    """The connection that writes. There is one in a deployment.

    `doomed` is set by the first statement that fails; every later one is refused with GroupDoomed until
    `rollback`. SQLite may have rolled the whole transaction back by itself, so that the next statement would
    commit alone; and an insert of which some statements ran must not be kept by an author who catches errors.
    """

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        super().__init__(connect)
        self.doomed: StorageFailed | None = None
        # Set while there is no connection that can be trusted; cleared by the `reopen` that succeeds.
        self._is_lost = False
        # Of mutations that were kept in this transaction: what is written for all of them at once, before
        # COMMIT at the latest. Replays by session and number of the request.
        self._log: list[PackedRow] = []
        self._log_bytes = 0
        self._replays: dict[tuple[str, int], Replay] = {}

    def begin(self) -> Head:
        """Begin the write transaction of a group, on a new connection if the last one was lost.

        Raises:
            StorageFailed: the data file cannot be written now. Asking again later is safe.
        """
        if self._is_lost:
            self.reopen()
        assert self.doomed is None, "a doomed group is rolled back before the next begins"
        try:
            self._run("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise failure_of(error) from error
        return self.head()

    def commit(self) -> None:
        """Make the transaction durable. On an error the caller must `reopen` and ask the log."""
        self._write_gathered()
        self._commit()

    _commit = _plain("COMMIT")

    def rollback(self) -> None:
        """Take the whole transaction back, also a doomed one."""
        self._forget_gathered()
        self.doomed = None
        if self._is_lost:
            return  # Closing it took everything back.
        try:
            if self._connection.in_transaction:
                self._run("ROLLBACK")
        except apsw.Error:
            with suppress(StorageFailed):
                self.reopen()

    def reopen(self) -> None:
        """Throw the connection away and make a new one: the only safe thing after a failed COMMIT.

        Raises:
            StorageFailed: the file cannot be opened now; the next `begin` tries again.
        """
        self._forget_gathered()
        self.doomed = None
        self._is_lost = True
        self.close()
        self._open()
        self._is_lost = False

    def erase_lost_commit(self) -> None:
        """Make sure that a COMMIT which failed stays undone, also over a crash.

        Its pages may lie whole at the end of the write-ahead log, where nobody sees them until the log is
        read anew after a crash: then a group that was reported as failed would come to life. A commit of our
        own writes over them. It is not needed on a full disk, where the last page cannot have been written.

        Raises:
            StorageFailed: it could not be written either.
        """
        try:
            self._run("BEGIN IMMEDIATE")
            for text in _TOUCH_HEAD:
                self._run(text)
            self._run("COMMIT")
        except apsw.Error as error:
            # Closed, so that no lock is left until the next `begin`.
            self._is_lost = True
            self.close()
            raise failure_of(error) from error

    def restart_log(self, *, patience_seconds: float) -> bool:
        """Move what is left of the write-ahead log into the data file: the next commit begins it anew.

        Between transactions only. Waits so long for readers that are in the log; returns whether they ended.

        Raises:
            StorageFailed: the disk failed. The next `begin` opens a new connection.
        """
        if self._is_lost:
            return False
        self._connection.set_busy_timeout(round(1e3 * patience_seconds))
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            self._is_lost = True
            self.close()
            raise failure_of(error) from error
        finally:
            if not self._is_lost:
                self._connection.set_busy_timeout(BUSY_MS)
        return True

    begin_mutation = _plain("SAVEPOINT mutation")
    """Begin a mutation within the group. They do not nest."""

    def keep_mutation(self, logged: PackedRow | None = None, replay: Replay | None = None) -> None:
        """End the mutation and keep for the commit what it wrote, with its row of the commit log and what its
        client may ask for again.

        The last two are gathered and written with those of other mutations; `log_rows` and `find_replay` know
        of them before.
        """
        self._release_mutation()
        if logged is not None:
            self._log.append(logged)
            self._log_bytes += len(logged[2])
        if replay is not None:
            self._replays[replay[:2]] = replay
        if self._log_bytes > _GATHERED_BYTES_MAX:
            self._write_gathered()

    def _write_gathered(self) -> None:
        # Between mutations: a savepoint that is taken back must not take these.
        if self._log:
            self._statement(_APPEND_LOG, self._log, self._run_many)
        if self._replays:
            self._statement(_RECORD_REPLAY, [*self._replays.values()], self._run_many)
        self._forget_gathered()

    def _forget_gathered(self) -> None:
        self._log, self._log_bytes, self._replays = [], 0, {}

    def drop_mutation(self) -> None:
        """End the mutation and take back what it wrote, parts that are still open included."""
        self._statement("ROLLBACK TO mutation")
        self._release_mutation()

    _release_mutation = _plain("RELEASE mutation")

    begin_part = _plain("SAVEPOINT part")
    """Begin a part of a mutation that can be taken back alone. Parts nest."""
    keep_part = _plain("RELEASE part")
    """End the innermost part and keep it."""

    def drop_part(self) -> None:
        """End the innermost part and take it back."""
        self._statement("ROLLBACK TO part")
        self.keep_part()

    def set_head(self, head: Head) -> None:
        """Write the head row. Called once per group, before commit."""
        self._statement(
            _SET_HEAD,
            (
                head.last_ts,
                head.catalog_ts,
                head.log_floor_ts,
                head.log_bytes,
                head.next_tablet,
                head.next_index,
                head.next_number,
            ),
        )

    def find_row(self, index_id: int, key: bytes) -> tuple[str, int] | None:
        """The document with this key, and the row where it lies."""
        # Here and wherever else most mutations come by: `_select` or `_statement` without the call.
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        try:
            found: list[Any] = self._run(ENTRY, (index_id, key)).fetchall()
        except apsw.Error as error:
            self._fail(error)
        return found[0] if found else None

    def rows(self, index_id: int, lower: bytes, *, limit: int) -> list[tuple[bytes, int, str]]:
        """Up to `limit` entries from `lower` on, as (key, row, document): what building an index reads."""
        return self._select(_ROWS, (index_id, lower, limit))

    def insert_document(self, tablet: int, text: str, keys: Keys) -> None:
        """Store a document, and its entries in all indexes."""
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        try:
            self._run(_INSERT_DOCUMENT, (tablet, text))
            self._run_many(_INSERT_LAST_ENTRY, keys)
        except (apsw.Error, MemoryError) as error:
            self._fail(error)

    def update_document(self, row: int, text: str) -> None:
        """Give the document at `row` a new text."""
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        try:
            self._run(_UPDATE_DOCUMENT, (text, row))
        except (apsw.Error, MemoryError) as error:
            self._fail(error)

    def delete_document(self, row: int) -> None:
        """Remove the document at `row`."""
        self._statement(_DELETE_DOCUMENT, (row,))

    def insert_entry(self, index_id: int, key: bytes, row: int) -> None:
        """Add an index entry."""
        self._statement(_INSERT_ENTRY, (index_id, key, row))

    def delete_entry(self, index_id: int, key: bytes) -> None:
        """Remove an index entry."""
        self._statement(_DELETE_ENTRY, (index_id, key))

    def ensure_entry(self, index_id: int, key: bytes, row: int) -> None:
        """Add an index entry unless a write has done so meanwhile."""
        self._statement(_ENSURE_ENTRY, (index_id, key, row))

    def delete_entries(self, index_id: int, *, limit: int) -> int:
        """Remove up to `limit` entries of an index; returns how many there were."""
        self._statement(_DELETE_ENTRIES, (index_id, limit))
        return self._connection.changes()

    def log_rows(self, *, after: int, until: int = TS_END) -> Iterator[LogRow]:
        """See `ReaderStore.log_rows`. Rows of this very transaction are among them."""
        gathered = [*self._log]
        yield from super().log_rows(after=after, until=until)
        for ts, invocation, writes in gathered:
            if after < ts <= until:
                yield LogRow(ts, invocation, unpack_writes(writes))

    def oldest_log(self, limit: int) -> list[tuple[int, int]]:
        """(ts, bytes) of the oldest log rows."""
        return self._select(_OLDEST_LOG, (limit,))

    def trim_log(self, until: int) -> None:
        """Forget the log rows with ts <= until."""
        self._statement(_TRIM_LOG, (until,))

    def find_replay(self, session: str, request: int) -> tuple[int, str, str] | None:
        """(ts, result, log lines) recorded for a mutation that a client may send again."""
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        gathered = self._replays.get((session, request))
        if gathered is not None:
            return gathered[2:5]
        try:
            found: list[Any] = self._run(_REPLAY, (session, request)).fetchall()
        except apsw.Error as error:
            self._fail(error)
        return found[0] if found else None

    def oldest_replays(self, limit: int) -> list[tuple[int, int]]:
        """(number, recorded at, in ms) of the oldest replay records."""
        return self._select(_OLDEST_REPLAYS, (limit,))

    def trim_replays(self, until: int) -> None:
        """Forget the replay records up to number `until`."""
        self._statement(_TRIM_REPLAYS, (until,))

    def define_view(self, name: str, *, index_id: int, columns: dict[str, str]) -> None:
        """Make (again) the view by which SQL tools read a table: `columns` maps names to JSON paths."""
        parts = ", ".join(
            f"json_extract(d.json, {_literal(path)}) AS {_quoted(column)}" for column, path in columns.items()
        )
        self._statement(f"DROP VIEW IF EXISTS {_quoted(name)}")
        self._statement(
            f"CREATE VIEW {_quoted(name)} AS SELECT {parts}, d.json AS _document"
            " FROM _index_entries e CROSS JOIN _documents d ON d.row = e.row"
            f" WHERE e.index_id = {index_id:d}"
        )

    def _statement(
        self, text: str, bindings: Sequence[Any] = (), run: Callable[..., object] | None = None
    ) -> None:
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        try:
            (run or self._run)(text, bindings)
        except (apsw.Error, MemoryError) as error:
            self._fail(error)

    def _select(self, text: str, bindings: tuple[object, ...]) -> list[Any]:
        if self.doomed is not None:
            raise GroupDoomed(self.doomed)
        try:
            return self._run(text, bindings).fetchall()
        except apsw.Error as error:
            self._fail(error)

    def _fail(self, error: apsw.Error | MemoryError) -> NoReturn:
        if not isinstance(error, MemoryError):
            self.doomed = failure_of(error)
        elif self._connection.in_transaction:
            raise error  # Python's own, and `writes.py` deals with what is half written.
        else:
            # SQLite's, which then may have rolled everything back.
            self.doomed = StorageFailed(detail="out of memory")
        raise GroupDoomed(self.doomed) from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
