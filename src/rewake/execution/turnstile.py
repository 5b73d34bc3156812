"""The turnstile: how many requests may begin in one turn of the front's event loop.

Floor 3, `execution`. A state machine without I/O; `soon` runs something in the next turn. A turn in which
much begins is a long one, and everybody waits for its end: requests that lie unread in their sockets, answers
of the writer, pushes to live sessions. So only so many begin in one, and the others stand in a waiting line
by lane, where they can be counted, take turns, and are turned away where they would wait too long.

    has_room() -> yes: it begins now
               `-> no: wait(entrant, lane) -> line -> turn -> begin()
                       `-> FrontOverloaded        `-> too late -> turn_away(error)

While there is room this costs a comparison. A request that is turned away costs its reading and a few bytes,
a fifth of one that begins or less; yet a flood could make of that all that is done. So of those who come in
one turn at least a sixteenth begins in the next.

Not here: whose lane it is (`server/entrance.py`), the lines for the writer and the readers, which come after
this one (`lines.py`). Source: decision 0024; Mogul and Ramakrishnan, "Eliminating Receive Livelock in an
Interrupt-driven Kernel" (1996).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from rewake.environment import Environment
from rewake.execution.lanes import Lane
from rewake.execution.waiting_line import FrontOverloaded, Overloaded, WaitingLine
from rewake.limits import Limits
from rewake.observability import logger
from rewake.tallies import Histogram

_log = logger(__name__)

TURN_ENTRANTS = 64
"""So many may begin in one turn: some 10 ms of small calls, and as many as gather well in one commit."""
_WAITING_PER_SECOND = 3_000
"""So many may wait for each second of `queue_wait_seconds_max` while it is not known how long that is, and as
the last resort: a third of that time, if calls are small."""
_SHARE = 16
"""At least one of so many who came in a turn begins in the next."""

_PORTIONS_MIN = 3
"""A portion is a whole turn here, and those of a flood are long: six would be a second or more."""
_WAIT_SHARE = 0.35
"""Of `queue_wait_seconds_max`: who has passed here may have to wait once more, for the writer or a reader."""


class Entrant(Protocol):
    """Who waits at the turnstile. One of the two is called, once."""

    def begin(self) -> None:
        """It is his turn."""
        ...

    def turn_away(self, error: Overloaded) -> None:
        """He waited for too long."""
        ...


class Turnstile:
    """The turnstile of one front. Used from its event loop."""

    def __init__(
        self,
        limits: Limits,
        environment: Environment,
        *,
        soon: Callable[[Callable[[], None]], object],
        waits: Histogram | None = None,
    ) -> None:
        """`waits` takes how long those had waited that began; those who need not wait are not in it."""
        self._soon = soon
        self._line: WaitingLine[Entrant] = WaitingLine(
            FrontOverloaded,
            now=environment.clock.monotonic,
            chance=lambda: environment.random_bytes(1)[0] / 255,
            wait_seconds_max=limits.queue_wait_seconds_max * _WAIT_SHARE,
            waiting_max=max(2 * TURN_ENTRANTS, int(_WAITING_PER_SECOND * limits.queue_wait_seconds_max)),
            house_turn=TURN_ENTRANTS,
            portions_min=_PORTIONS_MIN,
        )
        if waits is not None:
            self._line.waits = waits
        # Of the present turn; all begin anew with the next. Lines do not become shorter within one.
        self._begun = 0
        self._came = 0
        self._refused: dict[str, Overloaded] = {}
        self._taken = 0  # Out of the line, in the turn before.
        self.is_crowded = False
        """Whether somebody waits: then whoever comes may be turned away."""
        self.is_full = False
        """Whether nobody more may begin in this turn."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    def has_room(self) -> bool:
        """Whether one more may begin, at once; he is counted."""
        if self.is_full:
            self._came += 1
            return False
        if not self._begun:
            self._soon(self._turn)
        self._begun += 1
        self.is_full = self._begun >= TURN_ENTRANTS
        return True

    def refuses(self, lane: Lane) -> Overloaded | None:
        """The error for who would wait for too long in `lane`; None for who may wait. He is counted where he
        is turned away.
        """
        refusal = self._refused.get(lane.name)
        if refusal is None:
            refusal = self._line.refuses(lane)
            if refusal is None:
                return None
            self._refused[lane.name] = refusal
        self._came += 1
        return refusal

    def wait(self, entrant: Entrant, lane: Lane) -> None:
        """Have `entrant` begin when it is his turn. There was no room.

        Raises:
            FrontOverloaded: that would be too late. Never where the lane is not a caller's.
        """
        assert self._begun or self.is_crowded, "a turn comes"
        self._line.join(entrant, lane)
        self.is_crowded = self.is_full = True

    def came_late(self, seconds: float) -> None:
        """Whoever comes in this turn may have lain unread for so long."""
        self._line.waited_before = seconds

    async def turn_of(self, lane: Lane) -> None:
        """As `wait`: return when it is the turn of the task that asks.

        Raises:
            FrontOverloaded: that would be, or was, too late.
        """
        waiter = _Waiter(asyncio.get_running_loop())
        self.wait(waiter, lane)
        await waiter.turn

    def _turn(self) -> None:
        """A turn of the loop begins."""
        came, self._came, self._begun = self._came, 0, 0
        self._refused.clear()
        line = self._line
        if not self.is_crowded:
            self.is_full = False
            self._taken = 0
            return
        # First of all: what follows is others' code.
        self._soon(self._turn)
        line.done(self._taken)
        for late in line.too_late():
            late.turn_away(line.refusal())
        most = max(TURN_ENTRANTS, came // _SHARE)
        entrants: list[Entrant] = []
        while len(entrants) < most and (entrant := line.next()) is not None:
            entrants.append(entrant)
        self._taken = len(entrants)
        self._begun = max(1, self._taken)  # For a turn was asked for.
        self.is_crowded = len(line) > 0
        self.is_full = self.is_crowded or self._begun >= TURN_ENTRANTS
        for entrant in entrants:
            try:
                entrant.begin()
            except Exception:
                _log.exception("a request could not be begun")  # Nobody else's loss.


class _Waiter:
    """A task that waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.turn: asyncio.Future[None] = loop.create_future()

    def begin(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)

    def turn_away(self, error: Overloaded) -> None:
        if not self.turn.done():
            self.turn.set_exception(error)
