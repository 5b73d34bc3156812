"""Recent rows: the commit log rows that a result still on its way must be checked against.

Floor 4, `reactivity`. A query ran at snapshot s; by the time its outcome reaches the front, the log
position may have moved on. Before the result is registered or cached, its read set is held against every
row in (s, position] (DESIGN D5). Rows are kept while a wave that began before them may still come in, and
never more than a bound.

Not here: the durable commit log (`storage`).
"""

from __future__ import annotations

from collections import deque

from rewake.database import ReadSet
from rewake.limits import MIB
from rewake.storage import LogRow


class RecentRows:
    """The newest commit log rows, oldest dropped first. Keys only: documents are not kept alive here."""

    def __init__(self, *, position: int, rows_max: int = 10_000, key_bytes_max: int = 32 * MIB) -> None:
        self._rows: deque[tuple[LogRow, int]] = deque()
        self._rows_max = rows_max
        self._key_bytes = 0
        self._key_bytes_max = key_bytes_max
        self._complete_after = position

    def append(self, row: LogRow) -> None:
        """Take the next row, in `ts` order."""
        row = row.keys_only()
        size = sum(len(old or b"") + len(new or b"") for write in row.writes for _, old, new in write.keys)
        self._rows.append((row, size))
        self._key_bytes += size
        while len(self._rows) > self._rows_max or self._key_bytes > self._key_bytes_max:
            dropped, size = self._rows.popleft()
            self._key_bytes -= size
            self._complete_after = dropped.ts

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
