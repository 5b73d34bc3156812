"""Snapshots: one state of the database, read by as many runs as one likes.

Floor 2, `database`. A wave is one snapshot: all stale queries of it run at one timestamp, each in a
ReadTransaction with a read set of its own. The engine's read transaction is the snapshot, and its label is
read inside it, so label and content cannot disagree. Keep it short: while it lasts, the write-ahead log
cannot begin anew.

    Reader.begin() -> Snapshot --transaction()--> ReadTransaction   (any number)   -> end()
    Reader.begin_at(ts): the same, as it stood at `ts`, as far back as the log is kept

Not here: what runs in it (`execution`), in what order (`reactivity`).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from rewake.database.catalog import Catalog, CatalogCache, load_catalog
from rewake.database.errors import SnapshotInFuture, SnapshotTooOld
from rewake.database.past import PastReads
from rewake.database.reads import ReadTransaction
from rewake.database.table import Table
from rewake.environment import Environment
from rewake.limits import Limits
from rewake.storage import Head, LogRow, ReaderStore, Reads


class Snapshot:
    """One consistent state, from `begin` until `end`. Also a context manager."""

    def __init__(
        self,
        store: ReaderStore,
        reads: Reads,
        catalog: Catalog,
        *,
        ts: int,
        catalog_ts: int,
        head: Head,
        environment: Environment,
        limits: Limits,
    ) -> None:
        self.ts = ts
        self.catalog = catalog
        self.catalog_ts = catalog_ts
        self.log_floor_ts = head.log_floor_ts
        self.log_bytes = head.log_bytes
        """The log rows above it are there."""
        self.next_tablet = head.next_tablet
        """Tables that are made later have this tablet or a higher one."""
        self._store = store
        self._reads = reads
        self._environment = environment
        self._limits = limits

    def transaction(self) -> ReadTransaction:
        """A run's reads of this state, with a read set and limits of its own."""
        now_ms = self._environment.clock.now_ns() / 1e6
        return ReadTransaction(self._reads, self.catalog, ts=self.ts, now_ms=now_ms, limits=self._limits)

    @property
    def reads(self) -> Reads:
        """The state without a read set: for the house's own reads."""
        return self._reads

    def raise_if_failed(self) -> None:
        """Refuse what was made of a read that failed: a handler may have swallowed its error.

        Raises:
            StorageFailed: a read of this snapshot ran into it.
        """
        if self._store.failed is not None:
            raise self._store.failed

    def documents(
        self, table: Table, *, after: bytes = b"", until: bytes | None = None, limit: int
    ) -> list[tuple[bytes, str]]:
        """Up to `limit` documents of a table as (key in creation order, text), behind the key `after`, up to
        and with `until`.
        """
        lower = after + b"\0" if after else b""
        upper = None if until is None else until + b"\0"
        return self._reads.page(table.by_creation_time, lower, upper, descending=False, limit=limit)

    def last_key(self, table: Table) -> bytes | None:
        """The key in creation order of a table's last document; None where it is empty."""
        page = self._reads.page(table.by_creation_time, b"", None, descending=True, limit=1)
        return page[0][0] if page else None

    def count(self, table: Table) -> int:
        """How many documents a table has. Looks at each, so it is for background work."""
        return self._store.count(table.by_id)

    def log_rows(self, *, after: int) -> Iterator[LogRow]:
        """The commit log from above `after`, which is not below `log_floor_ts`, to this state."""
        return self._store.log_rows(after=after, until=self.ts)

    def end(self) -> None:
        """Let the state go. Its transactions must not be used any more. Harmless when done before."""
        self._store.end()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()


class Reader:
    """A connection that takes one snapshot at a time."""

    def __init__(
        self, store: ReaderStore, *, catalogs: CatalogCache, environment: Environment, limits: Limits
    ) -> None:
        self._store = store
        self._catalogs = catalogs
        self._environment = environment
        self._limits = limits

    def begin(self) -> Snapshot:
        """Take a snapshot of everything that is committed now."""
        assert not self._store.is_reading, "end the last snapshot first"
        head = self._store.begin()
        try:
            catalog = self._catalogs.at(head.catalog_ts, self._store)
        except BaseException:
            self._store.end()
            raise
        return Snapshot(
            self._store,
            self._store,
            catalog,
            ts=head.last_ts,
            catalog_ts=head.catalog_ts,
            head=head,
            environment=self._environment,
            limits=self._limits,
        )

    def begin_at(self, ts: int) -> Snapshot:
        """Take a snapshot of what was committed at `ts` (nanoseconds since the epoch).

        Raises:
            SnapshotInFuture: `ts` is above the latest commit. SnapshotTooOld: the log does not reach back so
            far, or an index was dropped since, whose past is gone.
        """
        assert not self._store.is_reading, "end the last snapshot first"
        head = self._store.begin()
        try:
            if ts > head.last_ts:
                raise SnapshotInFuture(ts=ts, last_ts=head.last_ts)
            if ts < head.log_floor_ts:
                raise SnapshotTooOld(ts=ts, oldest=head.log_floor_ts)
            reads = PastReads(self._store, self._store.log_rows_newest_first(after=ts))
            catalog = self._catalogs.at(head.catalog_ts, self._store)
            catalog_ts = head.catalog_ts
            if catalog_ts > ts:
                present, catalog, catalog_ts = catalog, load_catalog(reads), ts
                # Entries of a dropped index are gone, and later writes say nothing about it. Those of a table
                # that an import has replaced are kept as long as the log.
                if not catalog.index_ids() <= present.index_ids() | present.retired_index_ids():
                    raise SnapshotTooOld(ts=ts, oldest=head.catalog_ts)
        except BaseException:
            self._store.end()
            raise
        return Snapshot(
            self._store,
            reads,
            catalog,
            ts=ts,
            catalog_ts=catalog_ts,
            head=head,
            environment=self._environment,
            limits=self._limits,
        )

    def close(self) -> None:
        """Let go what is held and close the connection."""
        self._store.end()
        self._store.close()
