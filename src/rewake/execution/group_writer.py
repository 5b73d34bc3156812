"""The group writer: every mutation of the deployment, one after another, in groups.

Floor 3, `execution`. It owns the one writing connection and decides what a group is, whom a lost group
costs what, and in which order its news leaves. Whether it works in a thread (`writer_thread.py`) or is all
that a process does (`worker.py`), it takes work from a source and hands news to a hearer:

    source.get() -> begin, perform*, prepare(items), commit -> tell(report, items)

Nothing of a group is told before COMMIT has returned: results, failures, log lines and commit log rows leave
together. `prepare` is for a hearer in another process: it keeps what it hears back until it is told, and asks
the commit log if that never happens (DESIGN D4).

Not here: what performing a mutation means (`function_runs.py`), what a group does to the file
(`database/group_commit.py`).
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from rewake.database import CommitResult, Database, GroupCommit
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError, Unavailable
from rewake.execution.call_log import CallRecord
from rewake.execution.group_size import GroupSize
from rewake.execution.mutation_files import BlobKeysWanted
from rewake.execution.runner import GroupReport, MutationJob
from rewake.observability import logger
from rewake.storage import GroupDoomed, LogRow
from rewake.tracing import NO_TRACING, Tracing

_log = logger(__name__)


class Change(msgspec.Struct, frozen=True):
    """A change of the house's own: it takes a group for itself.

    `finish` is called in the thread once it is committed, `undo` if it was not. One that is not in a group
    takes place between two, and commits nothing.
    """

    work: Callable[[GroupCommit], Any]
    finish: Callable[[], None] = lambda: None
    undo: Callable[[], None] = lambda: None
    is_in_group: bool = True


def restarting_log(patience_seconds: float) -> Change:
    """What `Runner.restart_log` asks for."""
    return Change(lambda group: group.restart_log(patience_seconds=patience_seconds), is_in_group=False)


class Writing(msgspec.Struct, eq=False):
    """One piece of work and where its outcome goes."""

    job: MutationJob | Change
    asker: Any
    """Whom the hearer of the news tells: a future, or a number on a pipe. Nothing here looks at it."""
    outcome: Any = None
    """What it came to; set when it is performed, told after COMMIT."""
    error: RewakeError | None = None
    """Why it came to nothing, where that is not the author's doing."""
    record: CallRecord | None = None
    """Its line of the call log; set when it is performed, told after COMMIT."""
    is_told: bool = False
    prepared: Any = None
    """What `prepare` made of it, for the hearer; as lasting as the outcome."""


class WorkSource(Protocol):
    """Where work comes from. `queue.SimpleQueue` is one."""

    def get(self) -> Writing | None:
        """Wait for the next piece of work; None is the end of all work."""
        ...

    def get_nowait(self) -> Writing | None:
        """The next piece of work that is there already.

        Raises:
            queue.Empty: there is none.
        """
        ...

    def qsize(self) -> int:
        """How much is there already."""
        ...


class GroupWriter:
    """The one writing connection of a deployment. Made in one thread, used in one (`work`)."""

    def __init__(
        self,
        database: Database,
        *,
        source: WorkSource,
        perform: Callable[[GroupCommit, Writing], None],
        tell: Callable[[GroupReport, list[Writing]], None],
        prepare: Callable[[list[Writing]], None] = lambda items: None,
        told_ts: int,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._database = database
        self._tracing = tracing
        self._group = database.group_commit()
        self._source = source
        self._perform = perform
        self._tell_up = tell
        self._prepare = prepare
        self._clock = database.environment.clock
        self._limits = database.limits
        self._size = GroupSize(
            mutations_max=self._limits.group_mutations_max, idle_seconds_max=self._limits.group_seconds
        )
        # The newest timestamp that was told upward, and whether the log may hold rows above it.
        self._told_ts = told_ts
        self._is_unsure = False
        # Of the commit that is about to be told.
        self._commit_seconds = 0.0
        self._last_commit_seconds = 0.0
        # What the disk failed with last, and was logged; None again once a group was committed.
        self._trouble: str | None = None

    def work(self) -> None:
        """Do what the source gives until its end, then close the connection."""
        try:
            is_last, now = False, self._clock.monotonic
            while not is_last:
                free_at = now()
                first = self._source.get()
                if first is None:
                    break
                if isinstance(first.job, Change):
                    self._run_change(first)
                else:
                    is_last = self._run_group(first, waited_seconds=now() - free_at)
        finally:
            self._group.close()

    def _run_group(self, first: Writing, *, waited_seconds: float) -> bool:
        """Gather and run one group; True where the end of all work was found in the queue."""
        most = self._size.most
        deadline = self._clock.monotonic() + self._limits.group_seconds
        taken = [first]
        waiting: Writing | None = None
        is_last = is_cut = False

        def following() -> Writing | None:
            nonlocal waiting, is_last, is_cut
            is_cut = len(taken) >= most or self._clock.monotonic() >= deadline
            if is_cut:
                return None
            try:
                item = self._source.get_nowait()
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
        self._size.ended(
            taken=len(taken),
            left=self._source.qsize() if is_cut else 0,
            waited_seconds=waited_seconds,
            commit_seconds=self._last_commit_seconds,
        )
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
            self._prepare(taken)
            began = self._clock.monotonic()
            result = group.commit() if not self._tracing.is_on else self._commit_traced(group, taken)
            self._commit_seconds = self._last_commit_seconds = self._clock.monotonic() - began
        except GroupDoomed as doomed:
            group.rollback()
            self._after_doom(taken, running, doomed)
        except Exception as error:
            # The file could not be written, or could not even be asked whether it was.
            if isinstance(error, Unavailable):
                self._note_trouble(error)
            else:
                _log.exception("a commit group failed")
            self._give_up(taken, error)
        else:
            if self._trouble is not None and result.rows:
                self._trouble = None
                _log.warning("the data file can be written again")
            self._tell(result.rows, result.last_ts, taken)

    def _commit_traced(self, group: GroupCommit, taken: list[Writing]) -> CommitResult:
        """Commit within a span of the first member's request, linked to those of the others."""
        jobs = [item.job for item in taken if isinstance(item.job, MutationJob)]
        traces = [job.source.trace for job in jobs if job.source.trace]
        if not traces:
            return group.commit()
        facts = {"rewake.group.mutations": len(jobs)}
        with self._tracing.span("commit group", parent=traces[0], links=traces[1:], attributes=facts):
            return group.commit()

    def _note_trouble(self, error: RewakeError) -> None:
        """Log what the disk does, once: a full disk refuses thousands of groups in a minute."""
        if error.message != self._trouble:
            self._trouble = error.message
            _log.error("%s Mutations fail until that is over; nothing that was acknowledged is lost.", error)

    def _after_doom(self, taken: list[Writing], culprit: Writing | None, doomed: GroupDoomed) -> None:
        """Run the members of a lost group again in their order, the culprit alone."""
        self._note_trouble(doomed.reason)
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
        if not change.is_in_group:
            self._run_between(item)
            return
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

    def _run_between(self, item: Writing) -> None:
        """Do a change that is in no group. Whatever it fails with, there is nothing to undo."""
        change = item.job
        assert isinstance(change, Change)
        try:
            item.outcome = change.work(self._group)
        except Exception as error:
            item.error = _reason(error)
        self._tell((), self._told_ts, [item])

    def _give_up(self, taken: list[Writing], error: BaseException) -> None:
        """Roll back and tell those of `taken` who were told nothing yet; the commit log has the last word."""
        with suppress(Exception):
            self._group.rollback()
        left = [item for item in taken if not item.is_told]
        self._is_unsure = True
        rows, last_ts = self._news(self._told_ts)
        committed = {row.invocation for row in rows}
        # A group is in the log as a whole or not at all.
        if not any(isinstance(i.job, MutationJob) and i.job.invocation.id in committed for i in left):
            for item in left:
                item.error = _reason(error)
        self._tell(rows, last_ts, left)

    def _news(self, last_ts: int) -> tuple[Sequence[LogRow], int]:
        """What is to be told of a group where nobody is sure: its own rows, and any before them that a lost
        answer kept back.
        """
        try:
            rows = tuple(self._database.log_rows(after=self._told_ts))
        except Exception:
            _log.exception("the commit log cannot be read; it is asked again after the next group")
            return (), self._told_ts
        self._is_unsure = False
        return rows, max([last_ts, *(row.ts for row in rows)])

    def _tell(self, rows: Sequence[LogRow], last_ts: int, items: list[Writing]) -> None:
        """Send a group's news up: its rows and the outcomes of its members."""
        if self._is_unsure:
            rows, last_ts = self._news(last_ts)
        self._told_ts = max(self._told_ts, last_ts)
        ran = 0
        for item in items:
            item.is_told = True
            job, error = item.job, item.error
            if not isinstance(job, MutationJob):
                continue
            ran += 1
            if error is not None:
                # One that wants keys is run again: that is the run that counts.
                is_wanting = isinstance(error, BlobKeysWanted)
                record = None if is_wanting else replace(item.record or _unfinished(job), error=error.message)
                item.record = record
        seconds, self._commit_seconds = self._commit_seconds, 0.0
        self._tell_up(GroupReport(tuple(rows), self._told_ts, ran, seconds), items)


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
        trace=job.source.trace,
        called_from=job.source.called_from,
    )


def _reason(error: BaseException) -> RewakeError:
    if isinstance(error, GroupDoomed):
        return error.reason
    if isinstance(error, RewakeError):
        return error
    return Internal(INTERNAL_MESSAGE)
