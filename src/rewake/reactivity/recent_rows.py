"""Recent rows: the commit log rows that a result still on its way must be checked against.

Floor 4, `reactivity`. A query ran at snapshot s; by the time its outcome reaches the front, the log
position may have moved on. Before the result is registered or cached, its read set is held against every
row in (s, position] (DESIGN D5). A snapshot is not older than the position at which it was asked for, so rows
are kept while a run that was asked for before them is on its way, and never more than a bound. A few are kept
at any time, unless they are large: they serve a reader that does not see the newest commits.

    begin: the run is asked for -> append(row)* -> first_touch(read set, after s) -> end: old rows are dropped

Not here: the durable commit log (`storage`).
"""

from __future__ import annotations

import asyncio
from collections import deque

from rewake.database import ReadSet
from rewake.limits import MIB
from rewake.storage import LogRow


class RecentRows:
    """The newest commit log rows, oldest dropped first. Keys only: documents are not kept alive here."""

    def __init__(
        self,
        *,
        position: int,
        rows_max: int = 10_000,
        key_bytes_max: int = 32 * MIB,
        rows_spare: int = 100,
        key_bytes_spare: int = 1 * MIB,
    ) -> None:
        self._rows: deque[tuple[LogRow, int]] = deque()
        self._rows_max = rows_max
        self._rows_spare = rows_spare
        self._key_bytes = 0
        self._key_bytes_max = key_bytes_max
        # Kept objects take five times the bytes of their keys: a hundred mutations of 4,000 documents were
        # 150 MB that nobody waited for.
        self._key_bytes_spare = key_bytes_spare
        self._complete_after = position
        self.newest = position
        """The newest row that was here: whoever is at it need not ask for a touch."""
        # The position at which each run on its way was asked for, by number: the oldest is the first.
        self._travelling: dict[int, int] = {}
        self._arrived: asyncio.Event | None = None  # Made by who waits; set whenever the last has arrived.
        self._runs = 0

    def __len__(self) -> int:
        return len(self._rows)

    def begin(self) -> int:
        """A run is about to be asked for: rows that come in are kept until its `end`. Gives its number."""
        number = self._runs = self._runs + 1
        self._travelling[number] = self.newest
        return number

    def end(self, number: int) -> None:
        """The result of that run was held against the rows."""
        del self._travelling[number]
        if not self._travelling and self._arrived is not None:
            self._arrived.set()
        if len(self._rows) > self._rows_spare or self._key_bytes > self._key_bytes_spare:
            self._drop_unneeded()

    async def all_arrived(self) -> None:
        """Wait until no run is on its way."""
        while self._travelling:
            self._arrived = asyncio.Event()
            await self._arrived.wait()

    def append(self, row: LogRow) -> None:
        """Take the next row, in `ts` order."""
        self.newest = row.ts
        size, has_documents = 0, False
        for write in row.writes:
            has_documents = has_documents or write.old is not None or write.new is not None
            for _, old, new in write.keys:
                if old:
                    size += len(old)
                if new:
                    size += len(new)
        # From a worker it comes without.
        self._rows.append((row.keys_only() if has_documents else row, size))
        self._key_bytes += size
        self._drop_unneeded()

    def first_touch(self, read_set: ReadSet, *, after: int) -> int | None:
        """The `ts` of the first row after `after` that touches `read_set`, or None.

        A snapshot older than what is kept counts as touched by the first row after it: asking again is
        always right.
        """
        if after < self._complete_after:
            return after + 1
        touch: int | None = None
        # Newest first: results are checked against the few rows that came in while they travelled.
        for row, _ in reversed(self._rows):
            if row.ts <= after:
                break
            if read_set.touched_by(row):
                touch = row.ts
        return touch

    def _drop_unneeded(self) -> None:
        """Let go of what nobody on the way was asked for before, but for the newest few; and of what is too
        much.
        """
        rows = self._rows
        needed_after = next(iter(self._travelling.values()), self.newest)
        while rows:
            count, key_bytes = len(rows), self._key_bytes
            oldest, size = rows[0]
            if count <= self._rows_max and key_bytes <= self._key_bytes_max:
                is_spare = count <= self._rows_spare and key_bytes <= self._key_bytes_spare
                if is_spare or oldest.ts > needed_after:
                    break
            rows.popleft()
            self._key_bytes -= size
            self._complete_after = oldest.ts
