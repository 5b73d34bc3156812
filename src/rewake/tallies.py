"""Tallies: what the house counts of itself, as plain numbers.

Floor 0. One `Tallies` belongs to one deployment; whoever does something worth counting is handed it, adds to
it, and looks at nothing. Reading is for others, and rare, so adding is as cheap as it can be: no names, no
labels, no clock. Whatever callers can choose is pooled: a stranger cannot make these numbers grow in number.

    ran, hit, invalidated -> FunctionTally      groups, waves, sockets, responses, deaths -> Tallies

Not here: what a scrape makes of them (`deployment/metrics_page.py`), minutes (`deployment/time_series.py`).
Source: the naming and bucket advice of the Prometheus documentation.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Upper bounds of durations, from a query that reads one document to an action that waits for the world."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""Upper bounds of the number of mutations in a commit group."""

FUNCTIONS_MAX = 1000
"""Functions with tallies of their own; further ones are pooled."""
POOLED = "_rest"
"""The name under which functions are pooled: those over the bound, and whatever callers make up."""


class Histogram:
    """How often values fell below each of some bounds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """By bound, and at the end those above the last; not yet summed up."""
        self.total = 0.0
        """The sum of all values."""

    def observe(self, value: float, *, count: int = 1) -> None:
        """Take a value in, which was seen so many times."""
        self.counts[bisect_left(self.bounds, value)] += count
        self.total += value * count

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)


class FunctionTally:
    """One function since the start of the server."""

    __slots__ = ("failures", "hits", "invalidations", "kind", "name", "seconds", "successes")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        """`query`, `mutation`, `action` or `httpAction`."""
        self.successes = 0
        self.failures = 0
        self.hits = 0
        """Answers from the cache of queries."""
        self.invalidations = 0
        """How often a commit made a live query of it stale."""
        self.seconds = Histogram(SECONDS)
        """Durations of runs, failed ones too."""


Naming = Callable[[str, str], str | None]
"""The public name of the function that a caller means by a path and a kind; None where there is none."""


class Tallies:
    """The numbers of one deployment. Function runs may be added from any thread, all else from its loop."""

    def __init__(self) -> None:
        self.naming: Naming = lambda path, kind: None
        """Set by the deployment, which knows the functions; asked once for each way to write a path."""
        self._lock = threading.Lock()
        self._by_path: dict[tuple[str, str], FunctionTally] = {}
        self._by_name: dict[tuple[str, str], FunctionTally] = {}
        # Of the writer.
        self.group_sizes = Histogram(SIZES)
        self.commit_seconds = Histogram(SECONDS)
        """Of COMMIT, which waits for the disk."""
        self.rows_written: Counter[int] = Counter()
        """Documents written, by tablet: there are as many as tables."""
        # Of live queries.
        self.wave_seconds = Histogram(SECONDS)
        # Of sync sockets.
        self.transitions = 0
        self.messages_sent = 0
        self.bytes_sent = 0
        self.sockets_opened = 0
        self.sockets_closed: Counter[str] = Counter()
        """By the code of the error, or `left`."""
        # Of the front.
        self.front_waits = Histogram(SECONDS)
        """Of requests and messages that could not begin in the turn in which they were read."""
        # Of the HTTP API.
        self.responses: Counter[int] = Counter()
        """By status."""
        self.refusals: Counter[tuple[str, str]] = Counter()
        """By door (`http`, `sync`, `connection`) and the code of the error."""
        # Of files.
        self.file_bytes_received = 0
        self.file_bytes_sent = 0
        # Of processes.
        self.deaths: Counter[str] = Counter()
        """Worker processes that ended unasked, by role."""
        self.deployed_ns = 0
        """When the code that serves began to; 0 before the first."""

    def ran(self, runs: Iterable[tuple[str, str, float, bool]]) -> None:
        """Functions ran: their paths and kinds, how many seconds each took, and whether it failed."""
        known = self._by_path
        ran = [
            (known.get((kind, path)) or self._tally(path, kind), seconds, has_failed)
            for path, kind, seconds, has_failed in runs
        ]
        with self._lock:
            for tally, seconds, has_failed in ran:
                if has_failed:
                    tally.failures += 1
                else:
                    tally.successes += 1
                tally.seconds.observe(seconds)

    def hit(self, path: str) -> None:
        """A query was answered from the cache."""
        (self._by_path.get(("query", path)) or self._tally(path, "query")).hits += 1

    def invalidated(self, path: str) -> None:
        """A commit made what a live query shows stale."""
        (self._by_path.get(("query", path)) or self._tally(path, "query")).invalidations += 1

    def functions(self) -> list[FunctionTally]:
        """The tallies of all functions that ran, by name and kind."""
        with self._lock:
            return sorted(self._by_name.values(), key=lambda tally: (tally.name, tally.kind))

    def _tally(self, path: str, kind: str) -> FunctionTally:
        name = self.naming(path, kind)
        with self._lock:
            key = (kind, name or POOLED)
            if key not in self._by_name and len(self._by_name) >= FUNCTIONS_MAX:
                key = (kind, POOLED)
            tally = self._by_name.get(key)
            if tally is None:
                tally = self._by_name[key] = FunctionTally(key[1], kind)
            # What callers make up is looked up anew each time, and leaves nothing behind.
            if name is not None and len(self._by_path) < 4 * FUNCTIONS_MAX:
                self._by_path[kind, path] = tally
            return tally
