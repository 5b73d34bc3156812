"""The fair queue: one piece of work from each lane in turn.

Floor 3, `execution`. A data structure, without clocks or waiting. Work of one lane comes out in the order in
which it went in; a lane that has just had its turn goes to the end of the circle. Lanes of the house stand in
a circle of their own, which has a turn after each round of the others, and after `house_turn` pieces at the
latest.

    put(item, lane) -> [lane: item, item] [lane: item] ... -> pop
                        oldest: item, item, item ---------> drop_oldest(while too old)

Each operation takes the same time however many lanes and items there are.

Not here: what a lane is (`lanes.py`), when work is turned away (`waiting_line.py`).
Source: Nagle, "On packet switches with infinite storage", RFC 970 (1985).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

from rewake.execution.lanes import Lane, Standing

T = TypeVar("T")


class Waiting(msgspec.Struct, Generic[T], eq=False):
    """One piece of work in the queue."""

    item: T
    lane: Lane
    came: float
    """When it came."""
    since: float
    """The same by the clock that decides what is too old (`service_pace.py`)."""
    is_gone: bool = False
    """Set when it leaves the queue."""


class FairQueue(Generic[T]):
    """Work that waits, by lane."""

    def __init__(self, *, house_turn: int) -> None:
        self._house_turn = house_turn
        # Lanes, and each of them once in its circle. One that was emptied out of its turn stays until its
        # turn.
        self._lanes: dict[str, deque[Waiting[T]]] = {}
        self.lanes = 0
        """Lanes in which something waits."""
        self._callers: deque[str] = deque()
        self._house: deque[str] = deque()
        self._since_house = 0
        self.count = 0
        """How much waits."""
        # Of callers, in the order in which they came. Those that have left are skipped, and swept when they
        # are the greater part.
        self._oldest: deque[Waiting[T]] = deque()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[T]:
        """Everything, lane by lane."""
        return (each.item for lane in self._lanes.values() for each in lane)

    def waiting_in(self, lane: Lane) -> int:
        """How much waits in a lane."""
        return len(self._lanes.get(lane.name, ()))

    def put(self, item: T, lane: Lane, *, came: float = 0.0, since: float = 0.0) -> None:
        """Put work at the end of its lane."""
        waiting = Waiting(item, lane, came, since)
        queued = self._lanes.get(lane.name)
        if queued is None:
            queued = self._lanes[lane.name] = deque()
            self._circle_of(lane).append(lane.name)
        self.lanes += not queued
        queued.append(waiting)
        self.count += 1
        if lane.standing is Standing.CALLER:
            if len(self._oldest) > 2 * self.count + 16:
                self._oldest = deque(each for each in self._oldest if not each.is_gone)
            self._oldest.append(waiting)

    def pop(self) -> Waiting[T] | None:
        """Take out what is next; None where nothing waits."""
        while self._callers or self._house:
            circle = self._callers
            if self._house and self._since_house >= min(self._house_turn, len(circle)):
                circle = self._house
            name = circle.popleft()
            queued = self._lanes[name]
            waiting = self._first(queued) if queued else None
            if queued:
                circle.append(name)
            else:
                del self._lanes[name]
            if waiting is not None:
                self._since_house = 0 if circle is self._house else self._since_house + 1
                return waiting
        return None

    def drop_oldest(self, is_too_old: Callable[[float], bool]) -> list[T]:
        """Take out work of callers that came at a moment of which `is_too_old` says so."""
        dropped = []
        while self._oldest:
            waiting = self._oldest[0]
            if not waiting.is_gone:
                if not is_too_old(waiting.since):
                    break
                # What came first of all came first in its lane.
                first = self._first(self._lanes[waiting.lane.name])
                assert first is waiting, "the oldest of all is the oldest of its lane"
                dropped.append(waiting.item)
            self._oldest.popleft()
        return dropped

    def clear(self) -> list[T]:
        """Take out everything."""
        left = list(self)
        self._lanes.clear()
        self._callers.clear()
        self._house.clear()
        self._oldest.clear()
        self.count = self.lanes = 0
        return left

    def _first(self, queued: deque[Waiting[T]]) -> Waiting[T]:
        """Take out the first of a lane in which something waits."""
        waiting = queued.popleft()
        self.lanes -= not queued
        self.count -= 1
        waiting.is_gone = True
        return waiting

    def _circle_of(self, lane: Lane) -> deque[str]:
        return self._house if lane.standing is Standing.HOUSE else self._callers
