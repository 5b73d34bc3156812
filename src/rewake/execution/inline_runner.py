"""The inline runner: functions run in threads of the server's own process.

Floor 3, `execution`. One writer thread runs every mutation, in groups; a few reader threads hold one
snapshot each. It serves tests, embedding, and `dev` and `serve` until worker processes take over behind the
same interface (`runner.py`).

    loop:    mutate(job) -> queue ................... on_group(report), outcomes <- call_soon_threadsafe
    writer:                 begin, (run)*, commit -> GroupReport -'
    readers: open_wave(jobs) -> begin snapshot, run each -> Wave      (reader_threads.py)

While the writer's COMMIT waits for the disk, the next mutations gather in its queue and form the next group.

Not here: what happens inside a run (`host.py`), inside a group (`database/group_commit.py`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rewake.database import (
    CallResult,
    Database,
    GroupCommit,
    Performed,
    Snapshot,
    WriteTransaction,
    record_module_read,
)
from rewake.errors import Internal, RewakeError, Unavailable
from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.calls import Failure, MutationOutcome, Success
from rewake.execution.failures import failure_of
from rewake.execution.host import Host
from rewake.execution.output import install_log_handler
from rewake.execution.reader_threads import ReaderThreads
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.runner import GroupReport, MutationJob, QueryJob, QueryRun, Wave
from rewake.execution.side_effects import install_guard
from rewake.observability import logger
from rewake.storage import GroupDoomed

_log = logger(__name__)


class RunnerClosed(Unavailable):
    """The server is stopping. Nothing was written; the client sends the call again when it is back."""

    code = "ServerStopping"
    template = "The server is stopping. Try again in a moment."


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of the house's own: it takes a group for itself; `finish` is called once it is committed."""

    work: Callable[[GroupCommit], Any]
    finish: Callable[[], None] = lambda: None


@dataclass(eq=False, slots=True)
class _Writing:
    """One piece of work for the writer thread and where its outcome goes."""

    job: MutationJob | _Change
    future: asyncio.Future[Any]
    outcome: Any = None
    error: BaseException | None = None


class InlineRunner:
    """Runs functions in threads. Implements `Runner`; made, started and closed by one event loop."""

    def __init__(
        self, database: Database, registry: Registry, *, call_log: CallLog | None = None, readers: int = 2
    ) -> None:
        self._database = database
        self.registry = registry
        self.call_log = call_log or CallLog()
        self._environment = database.environment
        self._limits = database.limits
        self._writes: queue.SimpleQueue[_Writing | None] = queue.SimpleQueue()
        self._readers = ReaderThreads(readers, open_reader=database.reader, run=self._run_query)
        self._writer: threading.Thread | None = None
        self._on_group: Callable[[GroupReport], None] = lambda report: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    async def start(self, on_group: Callable[[GroupReport], None]) -> int:
        """Start the threads; `on_group` hears of every commit group, on this loop. Returns the latest
        timestamp.
        """
        install_guard()
        install_log_handler()
        self._loop = asyncio.get_running_loop()
        self._on_group = on_group
        group = self._database.group_commit()
        self._writer = threading.Thread(target=self._write, args=(group,), name="rewake-writer", daemon=True)
        self._writer.start()
        self._readers.start(self._loop)
        return self._database.last_ts()

    async def close(self) -> None:
        """Finish the mutations already handed in, wait for waves under way, stop the threads."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writes.put(None)
        await self._readers.close()
        while self._writer is not None and self._writer.is_alive():
            # The writer may still hand its last group to this loop, so the loop must keep turning.
            await asyncio.to_thread(self._writer.join, 0.05)

    def code_hash(self, path: str) -> str | None:
        """The hash of the code that serves `path` now."""
        return self.registry.code_hash(path)

    # Mutations.

    async def mutate(self, job: MutationJob) -> MutationOutcome:
        """Run one mutation in the next group."""
        outcome: MutationOutcome = await self._hand_in(job)
        return outcome

    async def change(self, work: Callable[[GroupCommit], Any]) -> Any:
        """Run a change of the house's own on the writer thread, as a group for itself (a schema change,
        trimming).
        """
        return await self._hand_in(_Change(work))

    async def switch(self, registry: Registry, work: Callable[[GroupCommit], Any]) -> Any:
        """Run `work` like `change`, and serve `registry` from the moment that it is committed."""

        def finish() -> None:
            self.registry = registry

        return await self._hand_in(_Change(work, finish))

    async def _hand_in(self, job: MutationJob | _Change) -> Any:
        if self._is_closed:
            raise RunnerClosed()
        future = asyncio.get_running_loop().create_future()
        self._writes.put(_Writing(job, future))
        return await future

    def _write(self, group: GroupCommit) -> None:
        """The writer thread."""
        try:
            while (first := self._writes.get()) is not None:
                if isinstance(first.job, _Change):
                    self._run_change(group, first)
                elif self._run_group(group, first):
                    break
        finally:
            group.close()

    def _run_group(self, group: GroupCommit, first: _Writing) -> bool:
        """Gather and run one group; True where the end of all work was found in the queue."""
        clock = self._environment.clock
        deadline = clock.monotonic() + self._limits.group_seconds
        taken = [first]
        waiting: _Writing | None = None
        is_last = False

        def following() -> _Writing | None:
            nonlocal waiting, is_last
            if len(taken) >= self._limits.group_mutations_max or clock.monotonic() >= deadline:
                return None
            try:
                item = self._writes.get_nowait()
            except queue.Empty:
                return None
            if item is None:
                is_last = True
                return None
            if isinstance(item.job, _Change):
                waiting = item
                return None
            taken.append(item)
            return item

        self._attempt(group, taken, following)
        if waiting is not None:
            self._run_change(group, waiting)
        return is_last

    def _attempt(
        self, group: GroupCommit, taken: list[_Writing], following: Callable[[], _Writing | None]
    ) -> None:
        """Run `taken` and what follows as one group. A doomed group runs again without its culprit, who
        runs alone.
        """
        running: _Writing | None = None
        try:
            group.begin()
            for running in taken[:]:
                self._perform(group, running)
            while (running := following()) is not None:
                self._perform(group, running)
            result = group.commit()
        except GroupDoomed as doomed:
            group.rollback()
            self._after_doom(group, taken, running, doomed)
            return
        except Exception as error:
            # COMMIT itself failed and the commit log knows of none of the group: nothing was written.
            _log.exception("a commit group failed")
            group.rollback()
            self._release((), self._database.last_ts(), taken, error=_unavailable(error))
            return
        self._release(tuple(result.rows), result.last_ts, taken)

    def _after_doom(
        self, group: GroupCommit, taken: list[_Writing], culprit: _Writing | None, doomed: BaseException
    ) -> None:
        _log.error("a commit group was rolled back by the storage: %s", doomed)
        if culprit is None or len(taken) == 1:
            # It failed alone, or in COMMIT: each member is told so by itself.
            if len(taken) == 1:
                self._release((), self._database.last_ts(), taken, error=_unavailable(doomed))
                return
            for item in taken:
                self._attempt(group, [item], lambda: None)
            return
        others = [item for item in taken if item is not culprit]
        if others:
            self._attempt(group, others, lambda: None)
        self._attempt(group, [culprit], lambda: None)

    def _perform(self, group: GroupCommit, item: _Writing) -> None:
        """Run one mutation inside the group, or find what it came to before."""
        job = item.job
        assert isinstance(job, MutationJob)
        item.outcome = item.error = None
        started = self._environment.clock.monotonic()
        host: Host | None = None
        failure: Failure | None = None
        path = job.call.path

        def body(transaction: WriteTransaction) -> CallResult:
            nonlocal host, failure
            host = self._host(transaction, job.identity)
            result = host.run(record, job.call.args)
            if isinstance(result, Failure):
                failure = result
                raise _RolledBack()
            return CallResult(result.value, result.log_lines)

        try:
            record = self.registry.find_kind(path, job.visibility, "mutation")
        except RewakeError as error:
            item.outcome = failure = failure_of(error, root=None)
        else:
            path = record.path.public
            performed = group.perform(job.invocation, body)
            item.outcome = failure or performed
            if failure is None and performed.error is not None:
                known = isinstance(performed.error, RewakeError)
                item.error = performed.error if known else _internal(performed.error)
        if isinstance(item.outcome, Performed) and item.outcome.is_replay:
            return
        self._note(
            path,
            kind="mutation",
            started=started,
            result=failure or Success("null", tuple(host.log_lines.lines) if host is not None else ()),
            traceback=host.traceback() if host is not None else None,
            request_id=job.request_id,
        )

    def _run_change(self, group: GroupCommit, item: _Writing) -> None:
        change = item.job
        assert isinstance(change, _Change)
        try:
            group.begin()
            item.outcome = change.work(group)
            result = group.commit()
            change.finish()
        except (GroupDoomed, Exception) as error:
            group.rollback()
            known = error if isinstance(error, RewakeError) else _unavailable(error)
            self._release((), self._database.last_ts(), [item], error=known)
            return
        self._release(tuple(result.rows), result.last_ts, [item])

    def _release(
        self,
        rows: tuple[Any, ...],
        last_ts: int,
        items: list[_Writing],
        *,
        error: BaseException | None = None,
    ) -> None:
        """Send a group's news to the loop: rows first, then the outcomes."""
        report = GroupReport(rows, last_ts)
        assert self._loop is not None

        def deliver() -> None:
            self._on_group(report)
            for item in items:
                if item.future.done():
                    continue
                failure = error or item.error
                if failure is not None:
                    item.future.set_exception(failure)
                elif not isinstance(item.job, MutationJob):
                    item.future.set_result(item.outcome)
                elif isinstance(item.outcome, Failure):
                    item.future.set_result(MutationOutcome(item.outcome, last_ts))
                else:
                    done: Performed = item.outcome
                    assert done.result is not None
                    item.future.set_result(
                        MutationOutcome(Success(done.result.value, tuple(done.result.log_lines)), done.ts)
                    )

        self._loop.call_soon_threadsafe(deliver)

    # Queries.

    async def open_wave(self, jobs: Sequence[QueryJob], *, at: int | None = None) -> Wave:
        """Take a snapshot on an idle reader and run `jobs` on it."""
        if self._is_closed:
            raise RunnerClosed()
        return await self._readers.open_wave(jobs, at=at)

    def _run_query(self, snapshot: Snapshot, job: QueryJob) -> QueryRun:
        """Run one query on a snapshot. Called in a reader thread."""
        started = self._environment.clock.monotonic()
        registry = self.registry
        transaction = snapshot.transaction()
        host = self._host(transaction, job.identity, registry)
        record: FunctionRecord | None = None
        try:
            record = registry.find_kind(job.call.path, job.visibility, "query")
        except RewakeError as error:
            result: Success | Failure = failure_of(error, root=None)
        else:
            result = host.run(record, job.call.args)
        path = record.path.public if record is not None else job.call.path
        self._note(
            path, kind="query", started=started, result=result, traceback=host.traceback(), request_id=""
        )
        module = registry.module_of(job.call.path)
        if module is not None:
            record_module_read(transaction, module)
        return QueryRun(
            result=result,
            journal=None,
            read_set=transaction.read_set,
            read_identity=host.observed.identity,
            read_clock=host.observed.clock,
            code_hash=registry.code_hash(job.call.path) or "",
        )

    def _host(self, transaction: Any, identity: Any, registry: Registry | None = None) -> Host:
        return Host(
            registry=registry or self.registry,
            transaction=transaction,
            identity=identity,
            now_ms=transaction.now_ms,
            seed=self._environment.random_bytes(16),
        )

    def _note(
        self,
        path: str,
        *,
        kind: str,
        started: float,
        result: Success | Failure,
        traceback: str | None,
        request_id: str,
    ) -> None:
        error = result.message if isinstance(result, Failure) else None
        seconds = self._environment.clock.monotonic() - started
        self.call_log.append(CallRecord(path, kind, seconds, result.log_lines, error, traceback, request_id))


class _RolledBack(Exception):
    """Tells the group to undo a mutation whose failure is already known."""


def _unavailable(error: BaseException) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    return Unavailable(f"The change could not be written ({error}). Nothing was changed; try again.")


def _internal(error: BaseException) -> Internal:
    _log.error("a mutation failed inside the house", exc_info=error)
    return Internal("Your request couldn't be completed. Try again later.")
