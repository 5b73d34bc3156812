"""The writer's desk: which mutations wait, which the writer has, and what becomes of them when it dies.

Floor 3, `execution`. A state machine without I/O: `writer_seat.py` moves messages and hands in events.

    hand_in -> waiting, by lane -> take -> with the writer -> told -> delivered
                                    ^             |
                    '---- lost: run again, in their old order ---- or decided by the commit log

A writer leaves behind what a group came to before its COMMIT (`prepared`) and tells it afterwards (`told`).
If it dies in between, the group is in the commit log as a whole or not at all, and the log is asked: then the
prepared outcomes stand, or everything runs again. A mutation that was running at two deaths, or that was
killed because it took too long, is not run again: it fails, in its turn.

Not here: reading the log, starting processes (`writer_seat.py`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec

from rewake.execution.call_log import CallRecord
from rewake.execution.calls import Failure
from rewake.execution.error_facts import ErrorFacts
from rewake.execution.lanes import Lane
from rewake.execution.waiting_line import Overloaded, WaitingLine
from rewake.execution.worker_failures import ResultLost, WorkerLost
from rewake.execution.worker_messages import (
    HouseWork,
    Mutate,
    Outcome,
    Told,
)
from rewake.execution.writer_window import WriterWindow
from rewake.limits import Limits

_DEATHS_MAX = 2
_LOSSES_MAX = 5


class Work(msgspec.Struct, eq=False):
    """One piece of the writer's work."""

    number: int
    message: Mutate | HouseWork
    asker: Any
    """Whom the driver tells; nothing here looks at it."""
    deaths: int = 0
    """Writers that died while they ran this one."""
    losses: int = 0
    """Writers that died while they had this one."""
    verdict: Outcome | None = None
    """Set when it is not to run again; delivered when its turn comes."""


Delivery = tuple[Work, Outcome]


class WriterDesk:
    """The queue of one deployment's writer."""

    def __init__(self, line: WaitingLine[Work], limits: Limits) -> None:
        self._window = WriterWindow(limits)
        self._line = line
        # What writers that died had taken: it goes before everything that waits in the line.
        self._again: deque[Work] = deque()
        self._taken: OrderedDict[int, Work] = OrderedDict()
        # Of what was taken, that which goes with the next `take`.
        self._ready: list[Work] = []
        self._next_number = 1

    @property
    def is_idle(self) -> bool:
        """Whether the writer has nothing."""
        return not self._taken

    @property
    def is_empty(self) -> bool:
        """Whether there is no work at all."""
        return not self._taken and not self._again and not self._line

    @property
    def has_more(self) -> bool:
        """Whether there is work that the writer was not sent."""
        return bool(self._ready or self._again or self._line)

    def __len__(self) -> int:
        """How much work there is."""
        return len(self._taken) + len(self._again) + len(self._line)

    def hand_in(self, make: Callable[[int], Mutate | HouseWork], asker: Any, lane: Lane) -> None:
        """Put work at the end of its lane; `make` gives its message by its number.

        Raises:
            Overloaded: it would wait for too long.
        """
        self._line.join(Work(self._next_number, make(self._next_number), asker), lane)
        self._next_number += 1

    def pass_through(self, make: Callable[[int], Mutate | HouseWork], asker: Any) -> bool:
        """Have the writer take work with the next `take`, where nothing waits and it has room: that is most
        work, and the line costs more than the rest of its way. False, and nothing has happened, elsewhere.
        """
        if self._again or self._line or len(self._taken) >= self._window.size:
            return False
        number = self._next_number
        work = self._taken[number] = Work(number, make(number), asker)
        self._ready.append(work)
        self._next_number += 1
        return True

    def take(self) -> tuple[list[Work], list[Delivery]]:
        """Work to send to the writer now, in order; and outcomes that were decided without it and whose turn
        it is.
        """
        taken, self._ready = self._ready, []
        if taken:
            self._line.passed(len(taken))
        delivered: list[Delivery] = []
        while len(self._taken) < self._window.size:
            work = self._again[0] if self._again else self._line.next()
            if work is None:
                break
            if work.verdict is not None and self._taken:
                break  # Those before it are told first.
            if self._again:
                self._again.popleft()
            if work.verdict is not None:
                delivered.append((work, work.verdict))
            else:
                taken.append(work)
                self._taken[work.number] = work
        self._line.in_service = len(self._taken) + len(self._again)
        return taken, delivered

    def too_late(self) -> list[Work]:
        """Take out what has waited for too long, of those that the writer never had."""
        return self._line.too_late()

    def refusal(self) -> Overloaded:
        """What to tell those."""
        return self._line.refusal()

    def told(self, told: Told) -> list[Delivery]:
        """A group is over; returns what to deliver, in the order in which the work was taken."""
        records, outcomes = [], {}
        for outcome in told.outcomes:
            records.append(outcome.record)
            outcomes[outcome.number] = outcome
        self._window.ran(records)
        self._line.done(len(records))
        delivered = self._deliver(outcomes)
        self._line.in_service = len(self._taken) + len(self._again)
        return delivered

    def died(
        self,
        *,
        prepared: Iterable[Outcome],
        running: int | None,
        cut_off: Failure | None,
        given_up: Callable[[Work], Failure],
        committed: Collection[str],
        ts: int,
    ) -> list[Delivery]:
        """The writer is gone.

        `prepared` is what it had left behind of its last group; `running` is the work that it was running;
        `cut_off` is its failure where it was killed for taking too long; `given_up` makes that of work that
        kills its writer again and again; `committed` are the invocations in the commit log above what was
        told; `ts` is where failures read.
        """
        # Of a group that was told nothing is taken any more.
        outcomes = {outcome.number: outcome for outcome in prepared if outcome.number in self._taken}
        if all(_invocation(self._taken[number]) not in committed for number in outcomes):
            outcomes = {}
        delivered = self._deliver(outcomes)
        for work in self._taken.values():
            work.losses += 1
            if _invocation(work) in committed and not _may_run_again(work):
                work.verdict = Outcome(work.number, error=ErrorFacts.of(ResultLost()))
            elif work.number == running:
                work.deaths += 1
                if cut_off is not None:
                    work.verdict = _failed(work, cut_off, ts)
                elif work.deaths >= _DEATHS_MAX:
                    work.verdict = _failed(work, given_up(work), ts)
            elif work.losses >= _LOSSES_MAX:
                work.verdict = Outcome(work.number, error=ErrorFacts.of(WorkerLost()))
        self._again.extendleft(reversed(self._taken.values()))
        self._taken.clear()
        self._ready.clear()
        return delivered

    def give_up(self) -> list[Work]:
        """Empty the desk; returns what was on it."""
        left = [*self._taken.values(), *self._again, *self._line.clear()]
        self._taken.clear()
        self._ready.clear()
        self._again.clear()
        return left

    def _deliver(self, outcomes: dict[int, Outcome]) -> list[Delivery]:
        delivered = []
        for number in tuple(self._taken):
            if not outcomes:
                break
            outcome = outcomes.pop(number, None)
            if outcome is not None:
                delivered.append((self._taken.pop(number), outcome))
        return delivered


def _invocation(work: Work) -> str | None:
    return work.message.invocation if isinstance(work.message, Mutate) else None


def _may_run_again(work: Work) -> bool:
    """Whether work that is committed does nothing when it runs again: its result is recorded for its session,
    or its job is not pending any more.
    """
    message = work.message
    return isinstance(message, Mutate) and (message.session is not None or bool(message.scheduled))


def _failed(work: Work, result: Failure, ts: int) -> Outcome:
    message = work.message
    assert isinstance(message, Mutate), "only functions are marked as running"
    record = CallRecord(
        path=message.path,
        kind="mutation",
        seconds=0.0,
        log_lines=(),
        error=result.message,
        traceback=None,
        request_id=message.request_id,
        trace=message.source.trace,
        called_from=message.source.called_from,
    )
    return Outcome(work.number, ts, result, record=record)
