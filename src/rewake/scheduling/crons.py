"""Crons: the scheduler of what runs again and again.

Floor 4, `scheduling`. A scheduler like that of functions that run later, on another backlog; besides it tells
the operator of runs that were skipped.

Not here: what a cron is and when it runs next (`database/crons.py`), running what is due (`scheduler.py`).
Source: semantics 6.6.
"""

from __future__ import annotations

from contextlib import suppress

from rewake.database import CRONS, ScheduledJob, last_skip
from rewake.errors import RewakeError
from rewake.observability import logger
from rewake.scheduling.scheduler import House, Scheduler

_log = logger(__name__)


def cron_scheduler(house: House) -> Scheduler:
    """The scheduler of a deployment's crons."""

    async def ended(job: ScheduledJob) -> None:
        with suppress(RewakeError):  # The run is over, and its log has the line.
            line = await house.read(lambda reads: last_skip(reads, job.id, after_ms=job.due_ms))
            if line is not None:
                _log.warning("%s", line)

    return Scheduler(house, backlog=CRONS, running_max=house.limits.crons_running_max, ended=ended)
