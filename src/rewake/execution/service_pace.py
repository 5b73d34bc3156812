"""The pace: how long one piece of work takes those who do it, measured while more waits.

Floor 3, `execution`. Plain arithmetic: whoever owns the clock says when something was done. What counts is
what is done in a spell in which work waits all the time, since a server with little to do is in no hurry. The
two slowest portions of the last sixteen are left out: a mutation of a second, a paused process, a deploy and
a laptop's sleep are one portion each, and say nothing of those behind them.

    begin(now) -> done(count, now)* -> seconds_each          end() where nothing waits any more

Not here: what is made of it (`waiting_line.py`). Source: the trimmed mean of robust statistics (Huber, 1981).
"""

from __future__ import annotations

from collections import deque

_PORTION_SECONDS = 0.02
"""Work is measured in portions of at least so long: one by one would be noise."""
_PORTIONS = 16
_SLOWEST = 2
PORTIONS_MIN = 6
"""Fewer say nothing: an eighth of a second in which work waits is a burst, and no overload."""
_STEP_SECONDS_MAX = 1.0
"""So much of the time between two pieces of work counts as service: a disk may be slow, a server that is
asleep is none."""


class Pace:
    """How fast work is done. The caller's clock is in seconds."""

    def __init__(self, *, portions_min: int = PORTIONS_MIN) -> None:
        self._portions_min = portions_min
        self.seconds_each: float | None = None
        """How long one piece of work takes; None while that is not known."""
        self.served = 0.0
        """Seconds of service since the beginning. Stands still while nothing is done: what waits then does
        not age."""
        self._portions: deque[tuple[float, int]] = deque(maxlen=_PORTIONS)
        # Of the portion that is not over: when it began, and what was done in it. None: nothing waits, or
        # nothing was done since work waits.
        self._begun: float | None = None
        self._count = 0
        self._last = 0.0
        self.is_waiting = False
        """Whether work waits."""

    def begin(self, now: float) -> None:
        """From now on work waits. Harmless when it did before."""
        if not self.is_waiting:
            self.is_waiting = True
            self._last = now

    def done(self, count: int, now: float) -> None:
        """So much work was done since the last time."""
        if not self.is_waiting:
            return
        self.served += min(now - self._last, _STEP_SECONDS_MAX)
        self._last = now
        if self._begun is None:
            self._begun = now  # What was done until here had begun before anything waited.
            return
        self._count += count
        elapsed = now - self._begun
        if elapsed >= _PORTION_SECONDS and self._count:
            self._portions.append((elapsed, self._count))
            self._begun, self._count = now, 0
            self._measure()

    def end(self) -> None:
        """Nothing waits any more: what was measured says nothing about the next spell."""
        self.is_waiting = False
        self._begun, self._count = None, 0
        self._portions.clear()
        self.seconds_each = None

    def _measure(self) -> None:
        if len(self._portions) < self._portions_min:
            return
        by_speed = sorted(self._portions, key=lambda portion: portion[0] / portion[1])
        counted = by_speed[:-_SLOWEST]
        self.seconds_each = sum(seconds for seconds, _ in counted) / sum(count for _, count in counted)
