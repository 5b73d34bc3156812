"""Short reads of the house's own: one at a time, in a thread, each on the latest snapshot.

Floor 5, `deployment`. Not here: reads of functions (`execution`), reads that take long (`feeds.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from rewake.database import Database, Reader, Snapshot

T = TypeVar("T")


class HouseReads:
    """The reader of one deployment, made by the first who reads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reader: Reader | None = None
        self._turn = asyncio.Lock()

    async def read(self, work: Callable[[Snapshot], T]) -> T:
        """What `work` makes of the latest snapshot."""
        async with self._turn:
            return await asyncio.to_thread(self._read, work)

    async def close(self) -> None:
        """Wait for whoever reads, and give the reader up."""
        async with self._turn:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _read(self, work: Callable[[Snapshot], T]) -> T:
        if self._reader is None:
            self._reader = self._database.reader()
        with self._reader.begin() as snapshot:
            return work(snapshot)
