"""The writer's window: how much work it is given ahead.

Floor 3, `execution`. What the writer has is done in the order in which it was given, so who comes later
waits for all of it, whoever he is. It is given enough that it never waits for the front, two full groups, and
no more than about 50 ms of running functions: two mutations at least.

Only running counts. With the time of COMMIT counted, a slow disk would make for small windows, these for
small groups, and these for a rate that stays low for ever.

Not here: what waits outside (`waiting_line.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from rewake.execution.call_log import CallRecord

_SECONDS = 0.05
_LEAST = 2
_WEIGHT = 1 / 64
"""Of one run in the mean. A run counts as `_SECONDS` at most: one slow mutation among fast ones leaves room
for some 60."""


class WriterWindow:
    """How many pieces of work the writer may have."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.size = most
        """So many at once."""
        # What a run takes about, in seconds.
        self._mean = 0.0

    def ran(self, records: Iterable[CallRecord | None]) -> None:
        """These ran; those of the house's own have no record."""
        mean = self._mean
        for record in records:
            if record is not None:
                mean += (min(record.seconds, _SECONDS) - mean) * _WEIGHT
        self._mean = mean
        within = int(_SECONDS / mean) if mean else self._most
        self.size = max(min(_LEAST, self._most), min(within, self._most))
