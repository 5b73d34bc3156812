"""Crons in a test: nothing runs by itself, the test moves the clock and says when.

Floor 8, `testing`. As `scheduled.py`, for what runs again and again. It has a step of its own, because a
backend with crons is never done.

Not here: the scheduler itself (`scheduling`), the clock (`controls.py`).
Source: semantics 6.6, 9.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rewake.database import list_crons, runs_of_cron
from rewake.deployment import Deployment
from rewake.loop_thread import LoopThread
from rewake.protocol import FunctionPath
from rewake.storage import Reads
from rewake.values import Value, decode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CronRun:
    """What came of a run of a cron, or of several that were skipped."""

    outcome: Literal["success", "failed", "canceled"]
    due: datetime
    """When it was due, in UTC; the first of those that were skipped."""
    result: Value
    """What it returned, where it was a success and not too long; else None."""
    error: str | None
    skipped: int
    log_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestCron:
    """A cron of the project."""

    __test__ = False

    name: str
    path: str
    """`presence:clear`, as clients would call it."""
    arguments: Value
    at: datetime
    """When it runs next, in UTC."""
    runs: tuple[CronRun, ...]
    """The last ones, the oldest first."""


class CronWork:
    """The crons of one deployment, in the test's hand."""

    def __init__(self, deployment: Deployment, loop: LoopThread) -> None:
        self._deployment = deployment
        self._loop = loop

    def listed(self) -> list[TestCron]:
        """All crons, in order of their names."""
        return self._loop.run(self._deployment.read(_listed))

    def run_due(self) -> int:
        """Run what is due now; returns how many ran."""
        return self._loop.run(self._deployment.crons.run_due())


def _listed(reads: Reads) -> list[TestCron]:
    return [
        TestCron(
            name=cron["identifier"],
            path=FunctionPath.parse(cron["name"]).public,
            arguments=cron["args"][0],
            at=_moment(cron["scheduledTime"]),
            runs=tuple(_run(run) for run in runs_of_cron(reads, cron["_id"])),
        )
        for cron in list_crons(reads)
    ]


def _run(run: dict[str, Any]) -> CronRun:
    status = run["status"]
    is_whole = status["kind"] == "success" and not status["isTruncated"]
    return CronRun(
        outcome=status["kind"],
        due=_moment(run["scheduledTime"]),
        result=decode(status["result"]) if is_whole else None,
        error=status.get("error"),
        skipped=int(status.get("count", 0)),
        log_lines=tuple(run["logLines"]),
    )


def _moment(ms: float) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
