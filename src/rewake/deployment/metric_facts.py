"""Metric facts: everything that a page of metrics shows, gathered at one moment.

Floor 5, `deployment`. Plain records: who gathers them (`metrics.py`) does not know the texts, and who writes
the texts (`metrics_page.py`) does not know where they come from.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rewake.deployment.processes import ProcessFigures
from rewake.execution import RunnerFigures
from rewake.reactivity import LiveFigures
from rewake.tallies import Tallies

DUE_MAX = 1000
"""So many due jobs are counted; there may be more."""


class DoorFigures(msgspec.Struct, frozen=True):
    """What a server knows that a deployment does not."""

    sockets: int = 0
    connections: int = 0
    refused: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Connections and sockets for which there was no place, by setting."""


class Backlog(msgspec.Struct, frozen=True):
    """Scheduled jobs that are due and have not begun."""

    due: int
    """At most `DUE_MAX`."""
    lag_seconds: float
    """How long the first of them has been due; 0 where none is."""


class Stored(msgspec.Struct, frozen=True):
    """What lies in the data file, as far as a short look can tell."""

    backlogs: Mapping[str, Backlog]
    tables: Mapping[int, str]
    """Names of the application's tables, by tablet."""
    log_bytes: int
    """Of the commit log that is kept."""
    log_since_ns: int
    """From when on it is kept; 0 where all of it is."""


class Facts(msgspec.Struct, frozen=True):
    """Everything that a page shows."""

    name: str
    version: str
    now_ns: int
    tallies: Tallies
    runner: RunnerFigures
    live: LiveFigures
    door: DoorFigures
    under_way: Mapping[str, int]
    processes: tuple[ProcessFigures, ...]
    data_bytes: int
    wal_bytes: int
    call_log_entries: int
    stored: Stored | None
    """None where the data file cannot be read now."""
