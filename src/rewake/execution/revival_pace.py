"""The revival pace: how long to wait before processes that have died are started again.

Floor 3, `execution`. For a moment, as long as it happens now and then: whatever ended one may be about to
end others, which are then brought back together. Longer each time where they die of their start.

Not here: the starting (`worker_runner.py`).
"""

from __future__ import annotations

from rewake.environment import Clock, pause

_BACKOFF_SECONDS = (0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_CALM_SECONDS = 10.0
"""A process that lived so long did not die of its start."""


class RevivalPace:
    """Counts how often processes were started again lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.revivals = 0
        """How often in a row, after the first time."""
        self._last = -_CALM_SECONDS

    async def wait(self) -> None:
        """Wait before the next start."""
        now = self._clock.monotonic()
        self.revivals = self.revivals + 1 if now - self._last < _CALM_SECONDS else 0
        self._last = now
        await pause(_BACKOFF_SECONDS[min(self.revivals, len(_BACKOFF_SECONDS) - 1)])
