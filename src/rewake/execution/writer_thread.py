"""The writer thread: every mutation of the deployment, one after another, in groups.

Floor 3, `execution`. It owns the one writing connection and decides what a group is, whom a lost group
costs what, and in which order its news leaves.

    loop:    hand_in(job) -> queue ........................... on_group(report), then the outcomes
    thread:                  begin, perform*, commit -> records of the call log -> call_soon_threadsafe

Nothing of a group is told before COMMIT has returned: results, failures, log lines and commit log rows leave
together. Where nobody knows whether COMMIT reached the disk, the commit log is asked (DESIGN D4).

Not here: what performing a mutation means (`inline_runner.py`), what a group does to the file
(`database/group_commit.py`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from rewake.database import Database, GroupCommit
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError, Unavailable
from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.runner import GroupReport, MutationJob
from rewake.observability import logger
from rewake.storage import GroupDoomed, LogRow

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the house's own: it takes a group for itself.

    `finish` is called in the thread once it is committed, `undo` if it was not.
    """

    work: Callable[[GroupCommit], Any]
    finish: Callable[[], None] = lambda: None
    undo: Callable[[], None] = lambda: None


@dataclass(eq=False, slots=True)
class Writing:
    """One piece of work and where its outcome goes."""

    job: MutationJob | Change
    future: asyncio.Future[Any]
    outcome: Any = None
    """What it came to; set when it is performed, told after COMMIT."""
    error: RewakeError | None = None
    """Why it came to nothing, where that is not the author's doing."""
    record: CallRecord | None = None
    """Its line of the call log; set when it is performed, told after COMMIT."""
    is_told: bool = False


class WriterThread:
    """One thread with the one writing connection. Made, used and closed by one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        perform: Callable[[GroupCommit, Writing], None],
        call_log: CallLog,
        on_group: Callable[[GroupReport], None],
        told_ts: int,
    ) -> None:
        self._database = database
        self._group = database.group_commit()
        self._perform = perform
        self._call_log = call_log
        self._on_group = on_group
        self._clock = database.environment.clock
        self._limits = database.limits
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Writing | None] = queue.SimpleQueue()
        # The newest timestamp that was told upward, and whether the log may hold rows above it.
        self._told_ts = told_ts
        self._is_unsure = False
        self._thread = threading.Thread(target=self._work, name="rewake-writer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    async def hand_in(self, job: MutationJob | Change) -> Any:
        """Have `job` done in the next group; returns its outcome after COMMIT, when `on_group` was told."""
        future = self._loop.create_future()
        self._queue.put(Writing(job, future))
        return await future

    async def close(self) -> None:
        """Finish what was handed in and stop."""
        self._queue.put(None)
        while self._thread.is_alive():
            # The thread may still hand its last group to this loop, so the loop must keep turning.
            await asyncio.to_thread(self._thread.join, 0.05)

    # In the thread.

    def _work(self) -> None:
        try:
            is_last = False
            while not is_last and (first := self._queue.get()) is not None:
                if isinstance(first.job, Change):
                    self._run_change(first)
                else:
                    is_last = self._run_group(first)
        finally:
            self._group.close()

    def _run_group(self, first: Writing) -> bool:
        """Gather and run one group; True where the end of all work was found in the queue."""
        deadline = self._clock.monotonic() + self._limits.group_seconds
        taken = [first]
        waiting: Writing | None = None
        is_last = False

        def following() -> Writing | None:
            nonlocal waiting, is_last
            if len(taken) >= self._limits.group_mutations_max or self._clock.monotonic() >= deadline:
                return None
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return None
            if item is None:
                is_last = True
                return None
            if isinstance(item.job, Change):
                waiting = item
                return None
            taken.append(item)
            return item

        try:
            self._attempt(taken, following)
        except BaseException as error:
            # A mistake of the house's own must cost this group, and not everybody after it.
            _log.exception("the writer failed in the middle of a group")
            self._give_up(taken, error)
        if waiting is not None:
            self._run_change(waiting)
        return is_last

    def _attempt(self, taken: list[Writing], following: Callable[[], Writing | None]) -> None:
        """Run `taken` and what follows as one group."""
        group = self._group
        running: Writing | None = None
        try:
            group.begin()
            for running in taken[:]:
                self._perform(group, running)
            while (running := following()) is not None:
                self._perform(group, running)
            result = group.commit()
        except GroupDoomed as doomed:
            group.rollback()
            self._after_doom(taken, running, doomed)
        except Exception as error:
            # The file could not be written, or could not even be asked whether it was.
            _log.exception("a commit group failed")
            self._give_up(taken, error)
        else:
            self._tell(result.rows, result.last_ts, taken)

    def _after_doom(self, taken: list[Writing], culprit: Writing | None, doomed: GroupDoomed) -> None:
        """Run the members of a lost group again in their order, the culprit alone."""
        _log.error("a commit group was rolled back by the storage: %s", doomed)
        if len(taken) == 1:
            taken[0].error = doomed.reason
            self._tell((), self._told_ts, taken)
        elif culprit is None:
            # It failed in COMMIT: nobody knows whose fault that was.
            for item in taken:
                self._attempt([item], lambda: None)
        else:
            # Those behind it stay behind it: the next mutation of the same session may be among them.
            place = taken.index(culprit)
            for part in (taken[:place], [culprit], taken[place + 1 :]):
                if part:
                    self._attempt(part, lambda: None)

    def _run_change(self, item: Writing) -> None:
        change, group = item.job, self._group
        assert isinstance(change, Change)
        try:
            group.begin()
            item.outcome = change.work(group)
            result = group.commit()
        except BaseException as error:
            change.undo()
            if isinstance(error, RewakeError) and not isinstance(error, Unavailable):
                group.rollback()
                item.error = error
                self._tell((), self._told_ts, [item])
            else:
                self._give_up([item], error)
            return
        change.finish()
        self._tell(result.rows, result.last_ts, [item])

    def _give_up(self, taken: list[Writing], error: BaseException) -> None:
        """Roll back and tell those of `taken` who were told nothing yet; the commit log has the last word."""
        with suppress(Exception):
            self._group.rollback()
        left = [item for item in taken if not item.is_told]
        self._is_unsure = True
        rows, last_ts = self._news((), self._told_ts)
        committed = {row.invocation for row in rows}
        # A group is in the log as a whole or not at all.
        if not any(isinstance(i.job, MutationJob) and i.job.invocation.id in committed for i in left):
            for item in left:
                item.error = _reason(error)
        self._tell(rows, last_ts, left)

    def _news(self, rows: Sequence[LogRow], last_ts: int) -> tuple[Sequence[LogRow], int]:
        """What is to be told of a group: its own rows, and any before them that a lost answer kept back."""
        if self._is_unsure:
            try:
                rows = tuple(self._database.log_rows(after=self._told_ts))
            except Exception:
                _log.exception("the commit log cannot be read; it is asked again after the next group")
                return (), self._told_ts
            last_ts = max([last_ts, *(row.ts for row in rows)])
            self._is_unsure = False
        return rows, last_ts

    def _tell(self, rows: Sequence[LogRow], last_ts: int, items: list[Writing]) -> None:
        """Send a group's news up: the call log, then on the loop the rows, then the outcomes."""
        rows, last_ts = self._news(rows, last_ts)
        self._told_ts = max(self._told_ts, last_ts)
        report = GroupReport(tuple(rows), self._told_ts)
        for item in items:
            item.is_told = True
            record = item.record
            if item.error is not None and isinstance(item.job, MutationJob):
                record = record or _unfinished(item.job)
                record = replace(record, error=item.error.message)
            if record is not None:
                self._call_log.append(record)
        with suppress(RuntimeError):  # The loop was closed under us: nobody is left to be told.
            self._loop.call_soon_threadsafe(self._deliver, report, items)

    # On the loop.

    def _deliver(self, report: GroupReport, items: list[Writing]) -> None:
        try:
            self._on_group(report)
        except Exception:
            _log.exception("the news of a commit group could not be taken in")
        for item in items:
            if item.future.done():
                continue  # Whoever asked has gone away.
            if item.error is not None:
                item.future.set_exception(item.error)
            else:
                item.future.set_result(item.outcome)


def _unfinished(job: MutationJob) -> CallRecord:
    """The record of a mutation that was cut off before it had one."""
    return CallRecord(
        path=job.call.path,
        kind="mutation",
        seconds=0.0,
        log_lines=(),
        error=None,
        traceback=None,
        request_id=job.request_id,
    )


def _reason(error: BaseException) -> RewakeError:
    if isinstance(error, GroupDoomed):
        return error.reason
    if isinstance(error, RewakeError):
        return error
    return Internal(INTERNAL_MESSAGE)
