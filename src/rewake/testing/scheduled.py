"""Scheduled functions in a test: nothing runs by itself, the test says when.

Floor 8, `testing`. The deployment under test keeps no house, so the scheduler of `scheduling` serves only
when it is told to, on the hand clock.

    run_due     what is due now, and what becomes due by it
    run_all     that, and then the clock is moved to the next job, until none is pending

Not here: the scheduler itself (`scheduling`), the clock (`controls.py`).
Source: semantics 6.5, 9.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rewake.database import pending_jobs
from rewake.deployment import Deployment
from rewake.errors import Conflict
from rewake.loop_thread import LoopThread
from rewake.protocol import FunctionPath
from rewake.testing.controls import HandClock
from rewake.values import Value, decode

_PENDING_MAX = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK_SECONDS = 1e-6
"""So that rounding never stops the clock just before a job is due."""


class ScheduledWithoutEnd(Conflict):
    """Scheduled functions go on and on. Raise `at_most`, or look at what schedules itself again."""

    code = "ScheduledWithoutEnd"
    template = (
        "{at_most} scheduled functions ran, and {function} is still pending. Raise `at_most`; or, where a "
        "function schedules itself again and again, call `run_scheduled` and move the clock yourself."
    )


@dataclass(frozen=True, slots=True)
class ScheduledFunction:
    """A function that is to run later."""

    id: str
    """The id of its job, as `ctx.scheduler` returned it."""
    path: str
    """`messages:remove`, as clients would call it."""
    arguments: Value
    at: datetime
    """When it is due, in UTC."""


class ScheduledWork:
    """The scheduler of one deployment, in the test's hand."""

    def __init__(self, deployment: Deployment, loop: LoopThread, clock: HandClock) -> None:
        self._deployment = deployment
        self._loop = loop
        self._clock = clock

    def pending(self, *, at_most: int = _PENDING_MAX) -> list[ScheduledFunction]:
        """What has not begun, the one that is due first first."""
        jobs = self._loop.run(self._deployment.read(lambda reads: pending_jobs(reads, limit=at_most)))
        return [
            ScheduledFunction(
                id=job.id,
                path=FunctionPath.parse(job.name).public,
                arguments=decode(job.args),
                at=_EPOCH + timedelta(milliseconds=job.due_ms),
            )
            for job in jobs
        ]

    def run_due(self, *, at_most: int) -> int:
        """Run what is due now, and what becomes due by it; returns how many ran.

        Raises:
            ScheduledWithoutEnd: there is more than that.
        """
        count = self._loop.run(self._deployment.scheduler.run_due(at_most=at_most))
        if count >= at_most:
            pending = self.pending(at_most=1)
            if pending and pending[0].at <= self._clock.now:
                raise ScheduledWithoutEnd(at_most=at_most, function=pending[0].path)
        return count

    def run_all(self, *, at_most: int) -> int:
        """Run everything, moving the clock to when it is due; returns how many ran.

        Raises:
            ScheduledWithoutEnd: there is more than that.
        """
        scheduler, count, rounds = self._deployment.scheduler, 0, 0
        while True:
            count += self._loop.run(scheduler.run_due(at_most=at_most - count))
            seconds = self._loop.run(scheduler.seconds_to_next())
            pending = self.pending(at_most=1)
            if not pending:
                return count
            if count >= at_most or rounds >= at_most:
                raise ScheduledWithoutEnd(at_most=at_most, function=pending[0].path)
            self._clock.advance((seconds or 0.0) + _TICK_SECONDS)
            rounds += 1
