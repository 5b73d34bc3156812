"""The writer's window: how much work it is given ahead.

Floor 3, `execution`. What the writer has is done in the order in which it was given, so who comes later
waits for all of it, whoever he is. It is given enough that it never waits for the front, what it runs in
about four groups, and no more: two full groups in number and 50 ms at the most, two mutations at least.

A group ends after `group_seconds` of execution, so that is what is counted, and not the time of COMMIT. With
that, a slow disk would make for small windows, these for small groups, and these for a rate that stays low
for ever.

Not here: what waits outside (`waiting_line.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from rewake.execution.call_log import CallRecord
from rewake.limits import Limits

_GROUPS = 4
_SECONDS = 0.05
"""Of running functions, in the window at the most."""
_LEAST = 2
_WEIGHT = 1 / 64
"""Of one run in the mean. A run counts as `_SECONDS` at most, so that a slow one among fast ones leaves room
for a group, and soon for more."""


class WriterWindow:
    """How many pieces of work the writer may have."""

    def __init__(self, limits: Limits) -> None:
        self._most = 2 * limits.group_mutations_max
        self._group_seconds = limits.group_seconds
        self.size = self._most
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
        within = self._most
        if mean:
            within = int(min(_GROUPS * max(1.0, self._group_seconds / mean), _SECONDS / mean))
        self.size = max(_LEAST, min(within, self._most))
