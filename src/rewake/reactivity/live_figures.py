"""Live figures: how much live queries have to keep true at the moment.

Floor 4, `reactivity`. Counted when somebody asks, which is rare, so nothing is kept up to date for it.

Not here: what happened since the start (`rewake.tallies`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from rewake.reactivity.entries import Entry


class LiveFigures(msgspec.Struct, frozen=True):
    """The work of live queries."""

    subscriptions: int
    queries: int
    """Different questions among the subscriptions: those that are the same share one run."""
    stale: int
    """Questions whose answer a commit has outdated, and which are to run again."""
    cached: int
    """Answers that nobody shows, kept for the next reader."""
    cached_bytes: int


def live_figures(entries: Iterable[Entry], unused: Mapping[Entry, int]) -> LiveFigures:
    """Count `entries`; `unused` are those that nobody shows, with their sizes."""
    shown = [entry for entry in entries if entry.subscription_count]
    return LiveFigures(
        subscriptions=sum(entry.subscription_count for entry in shown),
        queries=len(shown),
        stale=sum(entry.stale_since is not None for entry in shown),
        cached=len(unused),
        cached_bytes=sum(unused.values()),
    )
