"""The waiting line: work that waits for the writer or a reader, and who is turned away.

Floor 3, `execution`. A state machine without I/O around a fair queue. The one promise: nobody waits much
longer than `queue_wait_seconds_max` in vain. Who would is told so at the door, with a time; who did all the
same, since the line behind the door turned out slower, is told at twice that. Nothing that was turned away
has begun.

    join(item, lane) -> the line of his own lane too long? -> Overloaded, with seconds
                     `-> waits -> next() -> in service -> done(count)
                              `-> too_late()

What is judged is how long *this* caller would wait: what is ahead of him by turns, at the measured pace. So
one who floods is turned away while others are let in.

Not here: the order of turns (`fair_queue.py`), how the pace is measured (`service_pace.py`).
Source: decision 0024; Nichols and Jacobson, "Controlling Queue Delay" (2012).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import ClassVar, Generic, TypeVar

from rewake.errors import Unavailable
from rewake.execution.fair_queue import FairQueue
from rewake.execution.lanes import Lane, Standing
from rewake.execution.service_pace import PORTIONS_MIN, Pace
from rewake.tallies import SECONDS, Histogram

T = TypeVar("T")

_OWN_SHARE = 0.9
"""Who waits already is turned away a little before the line is full, so that there is room for others."""
_FIRST_SHARE = 1.5
"""Who has nothing in line yet may wait so much longer: a session has one mutation in it, and to turn that
away costs its connection."""
_BEFORE_SHARE_MAX = 0.75
"""So much of the longest wait may be over before: a quarter is left, or nobody would be let in."""
_RETRY_SECONDS_MAX = 60


class Overloaded(Unavailable):
    """More waits than the server does in time. Nothing was done; try again after the time that it says."""

    template = (
        "The server has more {kind} to do than it can in time. Nothing was done; "
        "try again in {seconds} seconds."
    )
    kind: ClassVar[str]

    def __init__(self, *, seconds: int) -> None:
        super().__init__(kind=self.kind, seconds=seconds)
        self.retry_seconds = seconds


class WriterOverloaded(Overloaded):
    """More mutations wait than the writer runs in time. Nothing was written; try again after the time that it
    says, or raise `queue_wait_seconds_max`.
    """

    # A code that official clients know as a reason to wait longer before they come back (wire 1.14).
    code = "CommitterFullError"
    kind = "mutations"


class ReadersOverloaded(Overloaded):
    """More queries wait than the readers run in time. Try again after the time that it says, or raise
    `queue_wait_seconds_max`.
    """

    code = "ExecuteFullError"
    kind = "queries"


class FrontOverloaded(Overloaded):
    """More requests arrive than the server begins in time. Nothing was done; try again after the time that it
    says, or give the server more processor time.
    """

    code = "ServerFullError"
    kind = "requests"


class WaitingLine(Generic[T]):
    """One line. Used from one event loop."""

    def __init__(
        self,
        refusal: type[Overloaded],
        *,
        now: Callable[[], float],
        chance: Callable[[], float],
        wait_seconds_max: float,
        waiting_max: int,
        house_turn: int,
        portions_min: int = PORTIONS_MIN,
    ) -> None:
        """`chance`, from 0 to 1, spreads those who come back; `house_turn` as for `FairQueue`, `portions_min`
        as for `Pace`.
        """
        self._error = refusal
        self._now = now
        self._chance = chance
        self._wait_seconds_max = wait_seconds_max
        self._waiting_max = waiting_max
        self._queue: FairQueue[T] = FairQueue(house_turn=house_turn)
        self._pace = Pace(portions_min=portions_min)
        self.in_service = 0
        """What was taken and is not done, and so is ahead of everybody; set by whoever takes."""
        self.waited_before = 0.0
        """So many seconds whoever comes now may have waited already; set by whoever knows."""
        self.waits = Histogram(SECONDS)
        """How long work waited that was taken."""

    def __len__(self) -> int:
        return self._queue.count

    def join(self, item: T, lane: Lane) -> None:
        """Wait for a turn.

        Raises:
            Overloaded: that would be too long. Never where the lane is not a caller's.
        """
        refusal = self.refuses(lane)
        if refusal is not None:
            raise refusal
        now, pace = self._now(), self._pace
        if not pace.is_waiting:
            pace.begin(now)
        self._queue.put(item, lane, came=now, since=pace.served)

    def refuses(self, lane: Lane) -> Overloaded | None:
        """The error for who would join in `lane` now and wait for too long; None for who may join."""
        queue = self._queue
        if not queue.count or lane.standing is not Standing.CALLER:
            return None
        is_full = queue.count >= _OWN_SHARE * self._waiting_max
        if not is_full and self._pace.seconds_each is None:
            return None
        own = queue.waiting_in(lane)
        # Everybody else has at most as many turns before him as he has himself.
        ahead = min(queue.count, (own + 1) * queue.lanes)
        seconds = self.wait_seconds(ahead)
        before = min(self.waited_before, _BEFORE_SHARE_MAX * self._wait_seconds_max)
        most = (self._wait_seconds_max - before) * (1.0 if own else _FIRST_SHARE)
        is_long = seconds is not None and seconds > most
        # Who has less than half of an equal share did not fill it.
        if is_long or (is_full and own and 2 * own * queue.lanes >= queue.count):
            return self.refusal(seconds)
        return None

    def passed(self, count: int) -> None:
        """So much work went past the line, in which nothing was."""
        self.waits.observe(0.0, count=count)

    def next(self) -> T | None:
        """Whose turn it is; None where nothing waits."""
        queue = self._queue
        if not queue.count or (waiting := queue.pop()) is None:
            return None
        self.waits.observe(self._now() - waiting.came)
        if not queue.count:
            self._pace.end()
        return waiting.item

    def done(self, count: int = 1) -> None:
        """So much of what was taken is done."""
        if self._pace.is_waiting:
            self._pace.done(count, self._now())

    def too_late(self) -> list[T]:
        """Take out what has waited for so long that it should have been turned away."""
        if not self._queue.count:
            return []
        served, most = self._pace.served, 2 * self._wait_seconds_max
        dropped = self._queue.drop_oldest(lambda since: served - since > most)
        if dropped and not self._queue.count:
            self._pace.end()
        return dropped

    def clear(self) -> list[T]:
        """Take out everything."""
        self._pace.end()
        return self._queue.clear()

    def refusal(self, waiting: float | None = None) -> Overloaded:
        """The error for who is turned away now, where `waiting` seconds of work are ahead of him."""
        if waiting is None:
            waiting = self.wait_seconds(self._queue.count) or self._wait_seconds_max
        # When about half of it is done, and then not all at once.
        seconds = waiting / 2 * (1.0 + self._chance())
        return self._error(seconds=min(max(1, ceil(seconds)), _RETRY_SECONDS_MAX))

    def wait_seconds(self, ahead: int) -> float | None:
        """How long who has so many ahead of him waits; None while that is not known."""
        each = self._pace.seconds_each
        return None if each is None else (ahead + self.in_service) * each
