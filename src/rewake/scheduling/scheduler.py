"""The scheduler: runs what is due, exactly once or at most once.

Floor 4, `scheduling`. The backlog is an index of the database, of which only the next few jobs are ever in
memory. News of jobs that were scheduled or cancelled comes by the commit log.

    commit log -> wake -> due_jobs (a short read) -> Lineup -> run -> ended
                   ^ or the next due time               |
                                                        +- mutation: claimed and finished in its own commit
                                                        `- action: begin, run, finish; each a commit

Crons are jobs of another backlog, with a scheduler and places of their own: neither waits for the other.

A crash leaves a mutation's job pending, so it runs again, and never twice; it leaves an action's in progress,
which fails at the next start and never runs again.

Not here: storing and changing jobs (`database/scheduled.py`), running functions (`execution`).
Source: semantics 6.5, 6.6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from rewake.database import (
    SCHEDULED_FUNCTIONS,
    ScheduledJob,
    Table,
    begun_jobs,
    due_jobs,
    has_finished_scheduled,
    next_due_ms,
)
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.execution import Failure, Success, end_of
from rewake.functions import FunctionKind
from rewake.limits import Limits
from rewake.observability import logger
from rewake.scheduling.lineup import Lineup
from rewake.storage import Reads
from rewake.values import decode, encode

T = TypeVar("T")

_log = logger(__name__)

LOST = "Transient error while executing action"
"""What a job fails with whose action was lost in a crash. Source: semantics 6.5."""

_STEP = 100
_LOOK_AGAIN_SECONDS = 60.0
_RETRY_SECONDS = 1.0
_CLOCK_SECONDS = 1.0
"""How often to look at the wall clock while a job waits for its time."""


class House(Protocol):
    """What the scheduler needs of a deployment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def limits(self) -> Limits: ...

    def follow(self, listener: Callable[[], None], *, tablet: int) -> None:
        """Have `listener` called after each commit group that writes to a table."""
        ...

    async def read(self, work: Callable[[Reads], T]) -> T:
        """Run a short read of the latest snapshot."""
        ...

    def kind_of(self, path: str, component: str) -> FunctionKind | None:
        """What kind of function lives at `path`."""
        ...

    async def run_scheduled(self, kind: FunctionKind, job: ScheduledJob) -> Success | Failure:
        """Run the function of a job; a mutation finishes the job itself."""
        ...

    async def run_system(self, path: str, args: str) -> Success | Failure:
        """Run a system mutation."""
        ...


class Scheduler:
    """The jobs of one deployment and one backlog. Made and used in its event loop."""

    def __init__(
        self,
        house: House,
        *,
        backlog: Table = SCHEDULED_FUNCTIONS,
        running_max: int | None = None,
        ended: Callable[[ScheduledJob], Awaitable[None]] | None = None,
    ) -> None:
        """`backlog` is the table of the jobs. `ended` hears of each one that is over."""
        self._house = house
        self._backlog = backlog
        self._ended = ended
        self._lineup = Lineup(running_max=running_max or house.limits.scheduled_running_max)
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        house.follow(self._news.set, tablet=backlog.tablet)

    async def start(self) -> None:
        """Serve until `stop`: first of all, settle what a crash left behind."""
        self._serving = asyncio.create_task(self._serve())

    def stop(self) -> None:
        """Begin no further job."""
        self._stopped.set()
        self._news.set()

    async def close(self) -> None:
        """Begin no further job, and wait for those that run."""
        self.stop()
        if self._serving is not None:
            await self._serving
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def recover(self) -> None:
        """Fail the jobs of actions that were running when the last server ended."""
        while jobs := await self._house.read(
            lambda reads: begun_jobs(reads, limit=_STEP, backlog=self._backlog)
        ):
            for job in jobs:
                await self._finish(job, Failure(LOST))

    async def run_due(self, *, at_most: int | None = None) -> int:
        """Run everything that is due now, and what becomes due by it; returns how many jobs began, a few more
        than `at_most` at the utmost. For whoever moves the clock by hand, instead of `start`.
        """
        count = 0
        while (at_most is None or count < at_most) and (begun := await self._begin_due()):
            count += begun
            while self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
        return count

    async def seconds_to_next(self) -> float | None:
        """How long until `run_due` has something to do; None where nothing is pending."""
        retry = self._lineup.seconds_to_retry(now=self._monotonic())
        now_ms = self._now_ms()
        due_ms = await self._house.read(lambda reads: self._next_due_ms(reads, now_ms))
        pauses = [retry] if retry is not None else []
        if due_ms is not None:
            pauses.append((due_ms - now_ms) / 1e3)
        return min(pauses, default=None)

    async def trim(self) -> None:
        """Forget jobs that were over long ago, in small steps."""
        before_ms = self._now_ms() - self._house.limits.scheduled_retention_seconds * 1e3
        while not self._stopped.is_set() and await self._house.read(
            lambda reads: has_finished_scheduled(reads, before_ms=before_ms)
        ):
            await self._change_job("trim", before_ms=before_ms, limit=float(_STEP))

    # The driver.

    async def _serve(self) -> None:
        is_recovered = False
        while not self._stopped.is_set():
            self._news.clear()
            try:
                if not is_recovered:
                    await self.recover()
                    is_recovered = True
                await self._begin_due()
                due_ms, seconds = await self._next_look()
            except RewakeError as error:
                _log.error("scheduled functions cannot be looked up; it is tried again: %s", error.message)
                due_ms, seconds = None, _RETRY_SECONDS
            except Exception:
                _log.exception("scheduled functions cannot be looked up; it is tried again")
                due_ms, seconds = None, _RETRY_SECONDS
            await self._wait(until_ms=due_ms, seconds=seconds)

    async def _next_look(self) -> tuple[float | None, float]:
        """When to look again where no news comes: a time of the wall clock, and seconds."""
        due_ms: float | None = None
        if not self._lineup.is_full:
            # What is due already runs, or waits for another try.
            now_ms = self._now_ms()
            due_ms = await self._house.read(lambda reads: self._next_due_ms(reads, now_ms))
        retry = self._lineup.seconds_to_retry(now=self._monotonic())
        return due_ms, _LOOK_AGAIN_SECONDS if retry is None else min(_LOOK_AGAIN_SECONDS, retry)

    async def _wait(self, *, until_ms: float | None, seconds: float) -> None:
        """Wait for news, for the time `until_ms` of the wall clock, or for `seconds`."""
        end = self._monotonic() + seconds
        while not self._news.is_set():
            left = end - self._monotonic()
            if until_ms is not None:
                # The wall clock may be set meanwhile, so it is looked at again and again.
                left = min(left, (until_ms - self._now_ms()) / 1e3, _CLOCK_SECONDS)
            if left <= 0:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    async def _begin_due(self) -> int:
        if self._lineup.is_full or self._stopped.is_set():
            return 0
        now_ms, most = self._now_ms(), self._lineup.look_at_most
        due = await self._house.read(
            lambda reads: due_jobs(reads, until_ms=now_ms, limit=most, backlog=self._backlog)
        )
        jobs = self._lineup.looked(due, now=self._monotonic())
        for job in jobs:
            task = asyncio.create_task(self._run(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(jobs)

    async def _run(self, job: ScheduledJob) -> None:
        try:
            await self._perform(job)
            if self._ended is not None:
                await self._ended(job)
        except RewakeError as error:
            # Not the function's failure: the job is still pending, or the log says that it is done.
            if not self._stopped.is_set():
                _log.warning(
                    "the scheduled %s could not be run; it is tried again: %s", job.name, error.message
                )
            self._lineup.not_run(job.id, now=self._monotonic())
        except Exception:
            _log.exception("the scheduled %s could not be run; it is tried again", job.name)
            self._lineup.not_run(job.id, now=self._monotonic())
        else:
            self._lineup.ended(job.id)
        self._news.set()

    async def _perform(self, job: ScheduledJob) -> None:
        if self._house.kind_of(job.name, "") == "action":
            await self._perform_action(job)
            return
        # A mutation, or what is none and fails as one.
        result = await self._house.run_scheduled("mutation", job)
        if isinstance(result, Failure):
            # It has failed its job itself, unless it was cut off with its process: then nothing is left of
            # it, and it would be cut off each time.
            await self._finish(job, result)

    async def _perform_action(self, job: ScheduledJob) -> None:
        if await self._change_job("begin", id=job.id, name=job.name, args=job.args) is not True:
            return  # Cancelled meanwhile.
        reach = self._house.environment.reach
        reach("scheduler.action_begun")
        try:
            result = await self._house.run_scheduled("action", job)
        except RewakeError:
            # There was no place for it, or the server stops: it did not begin.
            await self._change_job("put_back", id=job.id)
            raise
        reach("scheduler.action_ran")
        await self._finish_action(job, result)

    async def _finish_action(self, job: ScheduledJob, result: Success | Failure) -> None:
        """Tell what became of an action, even if the disk is full for a while."""
        pause = _RETRY_SECONDS
        while True:
            try:
                await self._finish(job, result)
                return
            except RewakeError as trouble:
                if self._serving is None or self._stopped.is_set():
                    raise
                _log.error("the outcome of a scheduled action cannot be kept yet: %s", trouble.message)
            await self._wait_stopped(pause)
            pause = min(2 * pause, _LOOK_AGAIN_SECONDS)

    async def _wait_stopped(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _finish(self, job: ScheduledJob, result: Success | Failure) -> None:
        end = end_of(result)
        await self._change_job(
            "finish",
            id=job.id,
            due_ms=job.due_ms,
            error=end.error,
            result=end.result,
            log_lines=list(end.log_lines),
        )

    async def _change_job(self, change: str, **arguments: Any) -> Any:
        """Run a system function of the scheduler's; returns its result."""
        result = await self._house.run_system(f"_system/scheduler:{change}", encode(arguments))
        assert isinstance(result, Success), f"system functions do not fail: {result}"
        return decode(result.value)

    def _next_due_ms(self, reads: Reads, after_ms: float) -> float | None:
        return next_due_ms(reads, after_ms=after_ms, backlog=self._backlog)

    def _now_ms(self) -> float:
        return self._house.environment.clock.now_ns() / 1e6

    def _monotonic(self) -> float:
        return self._house.environment.clock.monotonic()
