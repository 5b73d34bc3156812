"""The lines of a deployment: that in front of its writer, and that in front of its readers.

Floor 3, `execution`. One place for what both runners' lines are made of.

Not here: how a line works (`waiting_line.py`).
"""

from __future__ import annotations

from typing import TypeVar

from rewake.database import Database
from rewake.execution.waiting_line import Overloaded, ReadersOverloaded, WaitingLine, WriterOverloaded

T = TypeVar("T")

_WRITER_HOUSE_TURN = 64
"""Mutations of callers between two of the house: some 10 ms."""
_READER_HOUSE_TURN = 4
"""Queries of callers between two waves, each of which serves many."""


def writer_line(database: Database) -> WaitingLine[T]:
    """A line of mutations and steps."""
    return _line(
        database, WriterOverloaded, database.limits.mutations_under_way_max, house_turn=_WRITER_HOUSE_TURN
    )


def reader_line(database: Database) -> WaitingLine[T]:
    """A line of queries and waves."""
    return _line(
        database, ReadersOverloaded, database.limits.queries_under_way_max, house_turn=_READER_HOUSE_TURN
    )


def _line(
    database: Database, refusal: type[Overloaded], waiting_max: int, *, house_turn: int
) -> WaitingLine[T]:
    environment = database.environment
    return WaitingLine(
        refusal,
        now=environment.clock.monotonic,
        chance=lambda: environment.random_bytes(1)[0] / 255,
        wait_seconds_max=database.limits.queue_wait_seconds_max,
        waiting_max=waiting_max,
        house_turn=house_turn,
    )
