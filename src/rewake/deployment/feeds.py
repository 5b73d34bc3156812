"""Feeds: who reads tables and the commit log for programs that keep a copy elsewhere.

Floor 5, `deployment`. Reads run in threads, one at a time, each on a short snapshot. A snapshot that is read
in pages is remembered between them, so that its before-images are gathered once; the few that were used last
are kept, and one that is not is begun again from the log.

Not here: what is read (`database/change_feed.py`), HTTP (`http_api/streaming_export.py`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rewake.database import (
    Changes,
    Database,
    PastTables,
    Reader,
    Selection,
    SnapshotPage,
    changes,
    columns_of,
    empty_tables,
    indexes_of,
    snapshot_page,
)

T = TypeVar("T")

_KEPT = 4


class Feeds:
    """The feeds of one deployment, of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[int, PastTables] = OrderedDict()
        self._reader: Reader | None = None  # Made by the first who follows the log.

    async def snapshot(
        self, selection: Selection, *, ts: int | None, start: tuple[str, bytes] | None
    ) -> tuple[int, SnapshotPage]:
        """A page of all tables at `ts`, or at the latest commit; and which timestamp that is.

        Raises:
            SnapshotTooOld, SnapshotInFuture, TableReplaced: it cannot be had (any more).
        """
        async with self._turn:
            return await asyncio.to_thread(self._snapshot, selection, ts, start)

    async def changes(self, selection: Selection, *, after: int) -> Changes:
        """What was committed above `after`. Raises: as `change_feed.changes`."""
        async with self._turn:
            return await asyncio.to_thread(self._changes, selection, after)

    async def columns(self) -> Mapping[str, list[str]]:
        """The names of fields in the first documents of each table, by table."""
        return await self._look(columns_of)

    async def empty_tables(self) -> Mapping[str, bool]:
        """Which tables there are, and whether each has no document."""
        return await self._look(empty_tables)

    async def indexes(self) -> list[dict[str, Any]]:
        """Every declared index, and how far it is."""
        return await self._look(lambda past: indexes_of(past.catalog))

    async def close(self) -> None:
        """Let go of everything."""
        async with self._turn:
            for past in self._kept.values():
                past.close()
            self._kept.clear()
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _snapshot(
        self, selection: Selection, ts: int | None, start: tuple[str, bytes] | None
    ) -> tuple[int, SnapshotPage]:
        past = self._kept.pop(ts, None) if ts is not None else None
        if past is None:
            past = PastTables(self._database.reader(), ts=ts)
        try:
            page = snapshot_page(past, selection, start=start)
        except BaseException:
            past.close()
            raise
        if page.next is None:
            past.close()
            return past.ts, page
        before = self._kept.pop(past.ts, None)
        if before is not None:
            before.close()
        self._kept[past.ts] = past
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)[1].close()
        return past.ts, page

    def _changes(self, selection: Selection, after: int) -> Changes:
        if self._reader is None:
            self._reader = self._database.reader()
        return changes(self._reader, selection, after=after)

    async def _look(self, work: Callable[[PastTables], T]) -> T:
        """Have a short look at everything."""

        def look() -> T:
            past = PastTables(self._database.reader())
            try:
                return work(past)
            finally:
                past.close()

        async with self._turn:
            return await asyncio.to_thread(look)
