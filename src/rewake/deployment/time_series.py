"""Time series: what happened in each of the last minutes, for charts.

Floor 5, `deployment`. Once a minute the running totals are compared with those of the minute before, and what
is new is kept; so nothing is added to a call. A window cuts these minutes into buckets of any width, and a
minute that two buckets share is divided between them.

    sample(totals, now) -> [minute, minute, ...] -> window(...) -> totals of each bucket

Kept are two hours, and less where very many functions run: the sum of all entries is bounded.

Not here: what is asked for (`http_api/app_metrics.py`), who samples (`metrics.py`).
Source: wire 7.2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)

MINUTES_MAX = 120
ENTRIES_MAX = 20_000
"""Of all minutes together: about 10 MB."""
_MINUTE = 60.0

Numbers = tuple[float, ...]
"""Totals of one key: each number only grows."""


class Window(msgspec.Struct, frozen=True):
    """A stretch of time in equal buckets. Seconds since the epoch."""

    start: float
    end: float
    buckets: int

    @property
    def width(self) -> float:
        """Seconds of one bucket."""
        return (self.end - self.start) / self.buckets

    @property
    def starts(self) -> list[float]:
        """When each bucket begins."""
        return [self.start + number * self.width for number in range(self.buckets)]


class _Stretch(msgspec.Struct, Generic[K], frozen=True):
    """What was added between two samples."""

    start: float
    end: float
    added: dict[K, Numbers]


class TimeSeries(Generic[K]):
    """The last minutes of totals by key. Used from one thread."""

    def __init__(self, started: float) -> None:
        """`started` is when totals were all 0."""
        self._started = started
        self._sampled = started
        self._totals: dict[K, Numbers] = {}
        self._stretches: deque[_Stretch[K]] = deque()
        self._entries = 0

    def is_due(self, now: float) -> bool:
        """Whether a new minute has begun since the last sample; also where the clock was set back."""
        return now // _MINUTE != self._sampled // _MINUTE

    def sample(self, totals: Mapping[K, Numbers], now: float) -> None:
        """Keep what was added since the last sample."""
        if now <= self._sampled:
            self._totals, self._sampled = dict(totals), now
            return
        stretch = self._latest(totals, now)
        self._stretches.append(stretch)
        self._entries += len(stretch.added)
        self._totals, self._sampled = dict(totals), now
        oldest = now - MINUTES_MAX * _MINUTE
        while self._stretches and (self._stretches[0].end < oldest or self._entries > ENTRIES_MAX):
            self._entries -= len(self._stretches.popleft().added)

    def window(
        self, window: Window, totals: Mapping[K, Numbers], now: float
    ) -> list[dict[K, Numbers] | None]:
        """What was added in each bucket, up to `now` with its `totals`; None for a bucket of which nothing is
        known: before the start, longer ago than is kept, or to come.
        """
        stretches = [*self._stretches]
        if now > self._sampled:
            stretches.append(self._latest(totals, now))
        known = (stretches[0].start, stretches[-1].end) if stretches else (now, now)
        return [
            self._bucket(stretches, start, start + window.width)
            if start + window.width > known[0] and start < known[1]
            else None
            for start in window.starts
        ]

    def _latest(self, totals: Mapping[K, Numbers], now: float) -> _Stretch[K]:
        added = {}
        for key, numbers in totals.items():
            before = self._totals.get(key)
            if numbers != before:
                added[key] = numbers if before is None else _sum(numbers, before, -1.0)
        return _Stretch(self._sampled, now, added)

    @staticmethod
    def _bucket(stretches: list[_Stretch[K]], start: float, end: float) -> dict[K, Numbers]:
        found: dict[K, Numbers] = {}
        for stretch in stretches:
            shared = min(end, stretch.end) - max(start, stretch.start)
            if shared <= 0:
                continue
            part = shared / (stretch.end - stretch.start)
            for key, numbers in stretch.added.items():
                known = found.get(key, (0.0,) * len(numbers))
                found[key] = _sum(known, numbers, part)
        return found


def _sum(left: Numbers, right: Numbers, factor: float) -> Numbers:
    return tuple(a + factor * b for a, b in zip(left, right, strict=True))
