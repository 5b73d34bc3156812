"""Past tables: whole tables as they stood at one timestamp, read in pages, however long that takes.

Floor 2, `database`. Nobody holds a snapshot for minutes, and the tables hold the latest documents only. So
each page is read on a snapshot of its own, and before it the commit log is followed up to there: what was
overwritten since the timestamp is put aside (`storage/images.py`) and laid over what is read.

    page -> snapshot -> log rows since the last page -> images -> latest rows + images -> documents at `ts`

The log has to reach back to the last page only, not to the timestamp: a read that goes on for hours holds
nothing back, it only must not stand still for longer than the log is kept.

Not here: reads that fit in one snapshot (`past.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rewake.database.catalog import Catalog
from rewake.database.errors import SnapshotTooOld
from rewake.database.snapshots import Reader, Snapshot
from rewake.database.table import Table
from rewake.errors import Conflict
from rewake.storage import Images

PAGE_DOCUMENTS = 128
"""Documents of one page, each of a megabyte at most; as many more may be images."""


class TableReplaced(Conflict):
    """The table was replaced or removed while it was read, and with it what it held. Begin again."""

    code = "TableReplaced"
    template = "The table {table} was replaced while it was read. Begin again."


class PastPage(NamedTuple):
    """Documents as (key in creation order, text), and the key to go on from; None after the last."""

    documents: list[tuple[bytes, str]]
    next: bytes | None


class PastTables:
    """Some tables at one timestamp. Used from one thread at a time."""

    def __init__(self, reader: Reader, *, ts: int | None = None) -> None:
        """Read at `ts`, or at the latest commit; `reader` is ours from now on.

        Raises:
            SnapshotTooOld, SnapshotInFuture: the log does not know what was at `ts`.
        """
        self._reader = reader
        with reader.begin() if ts is None else reader.begin_at(ts) as snapshot:
            self.ts = snapshot.ts
            self.catalog: Catalog = snapshot.catalog
        self._followed = self.ts
        # Tablet to the index that is read, of the tables that are not read to their end yet.
        self._open = {table.tablet: table.by_creation_time for table in self.catalog.tables.values()}
        self._images = Images()
        # Above every key that a table had at `ts`, by tablet; set when its first page is read.
        self._stops: dict[int, bytes] = {}
        # Of the catalog whose tables were looked at last.
        self._checked_catalog_ts = -1
        self._tablets: frozenset[int] = frozenset()

    def only(self, tables: Iterable[Table]) -> None:
        """Say which tables will be read; the others are not followed any more."""
        wanted = {table.tablet for table in tables}
        self._open = {tablet: index for tablet, index in self._open.items() if tablet in wanted}

    def count(self, table: Table) -> int:
        """About how many documents there are: those of now."""
        with self._reader.begin() as snapshot:
            return snapshot.count(table)

    def page(self, table: Table, *, start: bytes = b"", limit: int = PAGE_DOCUMENTS) -> PastPage:
        """The documents of a table from the key `start` on, in creation order: about `limit`, and twice as
        many at most.

        Raises:
            SnapshotTooOld: the last page was so long ago that the log does not reach back to it.
            TableReplaced: what the table held is gone.
        """
        with self._reader.begin() as snapshot:
            self._follow(snapshot)
            if table.tablet not in self._tablets:
                raise TableReplaced(table=table.name)
            index = table.by_creation_time
            stop = self._stop_of(table, snapshot)
            latest = snapshot.reads.page(index, start, stop, descending=False, limit=limit)
        images = self._images.page(index, start, stop, limit=limit)
        ends = [page[-1][0] for page in (latest, images) if len(page) == limit]
        end = min(ends) if ends else None
        # Both say everything up to `end`.
        found: dict[bytes, str | None] = {key: text for key, text in latest if end is None or key <= end}
        found.update((key, text) for key, text in images if end is None or key <= end)
        documents = [(key, text) for key, text in sorted(found.items()) if text is not None]
        return PastPage(documents, None if end is None else end + b"\0")

    def documents(self, table: Table) -> Iterator[list[str]]:
        """All documents of a table, in pages.

        Raises: as `page`.
        """
        start: bytes | None = b""
        while start is not None:
            page = self.page(table, start=start)
            start = page.next
            yield [text for _, text in page.documents]

    def finish(self, table: Table) -> None:
        """Follow a table no more: it will not be read again."""
        self._open.pop(table.tablet, None)
        self._images.forget(table.by_creation_time)

    def follow(self) -> None:
        """Keep up with the log while something else takes long.

        Raises:
            SnapshotTooOld: as for `page`.
        """
        with self._reader.begin() as snapshot:
            self._follow(snapshot)

    def close(self) -> None:
        """Let go of reader and images."""
        self._images.close()
        self._reader.close()

    def _stop_of(self, table: Table, snapshot: Snapshot) -> bytes:
        """Where a table ends. Later documents come behind: without this, a reader that is slower than those
        who write would never arrive.
        """
        if table.tablet not in self._stops:
            last = snapshot.last_key(table) or b""
            self._stops[table.tablet] = max(last, self._images.last_key(table.by_creation_time)) + b"\0"
        return self._stops[table.tablet]

    def _follow(self, snapshot: Snapshot) -> None:
        if snapshot.log_floor_ts > self._followed:
            raise SnapshotTooOld(ts=self.ts, oldest=snapshot.log_floor_ts)
        if snapshot.catalog_ts != self._checked_catalog_ts:
            self._tablets = frozenset(table.tablet for table in snapshot.catalog.tables.values())
            self._checked_catalog_ts = snapshot.catalog_ts
        for row in snapshot.log_rows(after=self._followed):
            for write in row.writes:
                index = self._open.get(write.tablet)
                if index is None:
                    continue
                for index_id, old_key, new_key in write.keys:
                    if index_id != index:
                        continue
                    before = [(index, old_key, write.old)] if old_key is not None else []
                    if new_key is not None:
                        before.append((index, new_key, None))
                    self._images.add(before)
        self._followed = snapshot.ts
