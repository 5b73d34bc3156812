"""The scheduler: runs what is due, exactly once or at most once.

Floor 4, `scheduling`. The backlog is an index of the database, of which only the next few jobs are ever in
memory. News of jobs that were scheduled or cancelled comes by the commit log.

    commit log -> wake -> due_jobs (a short read) -> Lineup -> run -> ended
                   ^ or the next due time               |
                                                        +- mutation: claimed and finished in its own commit
                                                        `- action: begin, run, finish; each a commit

A crash leaves a mutation's job pending, so it runs again, and never twice; it leaves an action's in progress,
which fails at the next start and never runs again.

Not here: storing and changing jobs (`database/scheduled.py`), running functions (`execution`).
Source: semantics 6.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from rewake.database import ScheduledJob, begun_jobs, due_jobs, next_due_ms, touches_schedule
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.execution import Failure, GroupReport, Success
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
"""Even without news and due jobs: the wall clock may have been set."""


class House(Protocol):
    """What the scheduler needs of a deployment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def limits(self) -> Limits: ...

    def follow(self, listener: Callable[[GroupReport], None]) -> None:
        """Have `listener` hear of every commit group from now on."""
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
    """The jobs of one deployment. Made and used in its event loop."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lineup = Lineup(running_max=house.limits.scheduled_running_max)
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: asyncio.Task[None] | None = None
        self._is_closed = False
        house.follow(self._heard)

    async def start(self) -> None:
        """Settle what a crash left behind, and serve until `close`."""
        await self.recover()
        self._serving = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Begin no further job, and wait for those that run."""
        self._is_closed = True
        self._news.set()
        if self._serving is not None:
            self._serving.cancel()
            with suppress(asyncio.CancelledError):
                await self._serving
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def recover(self) -> None:
        """Fail the jobs of actions that were running when the last server ended."""
        while True:
            jobs = await self._house.read(lambda reads: begun_jobs(reads, limit=_STEP))
            for job in jobs:
                await self._finish(job.id, LOST)
            if len(jobs) < _STEP:
                return

    async def run_due(self) -> int:
        """Run everything that is due now, and what becomes due by it; returns how many jobs began. For
        whoever moves the clock by hand, instead of `start`.
        """
        count = 0
        while begun := await self._begin_due():
            count += begun
            while self._tasks:
                await asyncio.gather(*self._tasks, return_exceptions=True)
        return count

    async def next_due_ms(self) -> float | None:
        """When the next pending job is due, in milliseconds since the epoch; None where there is none."""
        return await self._house.read(next_due_ms)

    async def trim(self) -> None:
        """Forget jobs that were over long ago, in small steps."""
        kept_ms = self._house.limits.scheduled_retention_seconds * 1e3
        before = encode(self._now_ms() - kept_ms)
        while not self._is_closed:
            result = await self._house.run_system(
                "_system/scheduler:trim", f'{{"before_ms":{before},"limit":{_STEP}.0}}'
            )
            if isinstance(result, Failure) or decode(result.value) != float(_STEP):
                return

    # The driver.

    def _heard(self, report: GroupReport) -> None:
        if touches_schedule(write.tablet for row in report.rows for write in row.writes):
            self._news.set()

    async def _serve(self) -> None:
        while not self._is_closed:
            self._news.clear()
            try:
                await self._begin_due()
                pause = await self._pause()
            except RewakeError as error:
                _log.error("scheduled functions cannot be looked up; it is tried again: %s", error.message)
                pause = 1.0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)

    async def _pause(self) -> float:
        """How long to wait where no news comes."""
        pause = _LOOK_AGAIN_SECONDS
        if not self._lineup.is_full:
            due_ms = await self._house.read(next_due_ms)
            if due_ms is not None and due_ms > self._now_ms():
                pause = min(pause, (due_ms - self._now_ms()) / 1e3)
        retry = self._lineup.seconds_to_retry(now=self._monotonic())
        return pause if retry is None else min(pause, retry)

    async def _begin_due(self) -> int:
        if self._lineup.is_full or self._is_closed:
            return 0
        now_ms, most = self._now_ms(), self._lineup.look_at_most
        due = await self._house.read(lambda reads: due_jobs(reads, until_ms=now_ms, limit=most))
        jobs = self._lineup.looked(due, now=self._monotonic())
        for job in jobs:
            task = asyncio.create_task(self._run(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(jobs)

    async def _run(self, job: ScheduledJob) -> None:
        try:
            await self._perform(job)
        except RewakeError as error:
            # Not the function's failure: the job is still pending, or the log says that it is done.
            if not self._is_closed:
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
        reach = self._house.environment.reach
        if self._house.kind_of(job.name, "") != "action":
            # A mutation, or what is none and fails as one.
            await self._house.run_scheduled("mutation", job)
            return
        begun = await self._house.run_system("_system/scheduler:begin", f'{{"id":{encode(job.id)}}}')
        if isinstance(begun, Failure) or decode(begun.value) is not True:
            return  # Cancelled meanwhile.
        reach("scheduler.action_begun")
        result = await self._house.run_scheduled("action", job)
        reach("scheduler.action_ran")
        await self._finish(job.id, result.message.removesuffix("\n") if isinstance(result, Failure) else None)

    async def _finish(self, id: str, error: str | None) -> None:
        await self._house.run_system(
            "_system/scheduler:finish", f'{{"error":{encode(error)},"id":{encode(id)}}}'
        )

    def _now_ms(self) -> float:
        return self._house.environment.clock.now_ns() / 1e6

    def _monotonic(self) -> float:
        return self._house.environment.clock.monotonic()
