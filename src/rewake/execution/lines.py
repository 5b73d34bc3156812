"""The lines of a deployment: that in front of its writer, and that in front of its readers.

Floor 3, `execution`. One place for what both runners' lines are made of.

Not here: how a line works (`waiting_line.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rewake.database import Database
from rewake.environment import Environment
from rewake.execution.waiting_line import ReadersOverloaded, WaitingLine, WriterOverloaded

T = TypeVar("T")

_WRITER_HOUSE_TURN = 64
"""Mutations of callers between two of the house: some 10 ms."""
_READER_HOUSE_TURN = 4
"""Queries of callers between two waves, each of which serves many."""


def writer_line(database: Database) -> WaitingLine[T]:
    """A line of mutations and steps."""
    limits, environment = database.limits, database.environment
    return WaitingLine(
        WriterOverloaded,
        now=environment.clock.monotonic,
        chance=_chance(environment),
        wait_seconds_max=limits.queue_wait_seconds_max,
        waiting_max=limits.mutations_under_way_max,
        house_turn=_WRITER_HOUSE_TURN,
    )


def reader_line(database: Database) -> WaitingLine[T]:
    """A line of queries and waves."""
    limits, environment = database.limits, database.environment
    return WaitingLine(
        ReadersOverloaded,
        now=environment.clock.monotonic,
        chance=_chance(environment),
        wait_seconds_max=limits.queue_wait_seconds_max,
        waiting_max=limits.queries_under_way_max,
        house_turn=_READER_HOUSE_TURN,
    )


def _chance(environment: Environment) -> Callable[[], float]:
    return lambda: environment.random_bytes(1)[0] / 255
