"""The inline runner: functions run in threads of the server's own process.

Floor 3, `execution`. One writer thread runs every mutation, in groups; a few reader threads hold one
snapshot each. It serves tests, embedding, and `dev` and `serve` until worker processes take over behind the
same interface (`runner.py`).

    loop:    mutate(job) -> queue ................... on_group(report), outcomes <- call_soon_threadsafe
    writer:                 begin, (run)*, commit -> GroupReport -'   (writer_thread.py)
    readers: open_wave(jobs) -> begin snapshot, run each -> Wave      (reader_threads.py)

While the writer's COMMIT waits for the disk, the next mutations gather in its queue and form the next group.
A query runs the code of its own snapshot: while a deploy commits, waves on either side of it are under way,
and new code must not meet an old schema, nor old code a new one.

Not here: what happens inside a run (`host.py`), inside a group (`database/group_commit.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rewake.auth import Identity
from rewake.database import (
    CallResult,
    Database,
    GroupCommit,
    ReadTransaction,
    Snapshot,
    WriteTransaction,
    record_module_read,
)
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError, Unavailable
from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.calls import Failure, MutationOutcome, Success
from rewake.execution.failures import failure_of
from rewake.execution.host import Host
from rewake.execution.output import install_log_handler
from rewake.execution.reader_threads import ReaderThreads
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.runner import GroupReport, MutationJob, QueryJob, QueryRun, Wave
from rewake.execution.side_effects import install_guard
from rewake.execution.writer_thread import Change, WriterThread, Writing
from rewake.functions import FunctionKind
from rewake.observability import logger

_log = logger(__name__)

_VERSIONS_KEPT = 3
"""Versions of the code that snapshots may still ask for: a wave lasts a fraction of a second."""


class RunnerClosed(Unavailable):
    """The server is stopping. Nothing was written; the client sends the call again when it is back."""

    code = "ServerStopping"
    template = "The server is stopping. Try again in a moment."


class InlineRunner:
    """Runs functions in threads. Implements `Runner`; made, started and closed by one event loop."""

    def __init__(
        self, database: Database, registry: Registry, *, call_log: CallLog | None = None, readers: int = 2
    ) -> None:
        self._database = database
        self.registry = registry
        """The code that serves now; set by the writer thread as soon as a push is committed."""
        self.call_log = call_log or CallLog()
        self._environment = database.environment
        self._readers = ReaderThreads(readers, open_reader=database.reader, run=self._run_query)
        self._writer: WriterThread | None = None
        # Each version of the code with the timestamp from which on snapshots are its own. Replaced, never
        # changed: reader threads look at it.
        self._versions: tuple[tuple[int, Registry], ...] = ((0, registry),)
        self._is_closed = False

    async def start(self, on_group: Callable[[GroupReport], None]) -> int:
        """Start the threads; `on_group` hears of every commit group, on this loop. Returns the latest
        timestamp.
        """
        install_guard()
        install_log_handler()
        last_ts = self._database.last_ts()
        self._readers.start()
        self._writer = WriterThread(
            self._database,
            perform=self._perform,
            call_log=self.call_log,
            on_group=on_group,
            told_ts=last_ts,
        )
        self._writer.start()
        return last_ts

    async def close(self) -> None:
        """Finish the mutations already handed in, wait for waves under way, stop the threads."""
        if self._is_closed:
            return
        self._is_closed = True
        # The writer first: a wave under way may be waiting for the news of its last group.
        if self._writer is not None:
            await self._writer.close()
        await self._readers.close()

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
        return await self._hand_in(Change(work))

    async def switch(self, registry: Registry, work: Callable[[GroupCommit], tuple[Any, int]]) -> Any:
        """Run `work` like `change`, and serve `registry` from the moment that it is committed.

        `work` returns its answer and the timestamp that its commit will have.
        """
        added: tuple[int, Registry] | None = None

        def begin(group: GroupCommit) -> Any:
            nonlocal added
            answer, ts = work(group)
            # Before COMMIT: no snapshot has this timestamp before, and the first that has it needs the code.
            added = (ts, registry)
            self._versions = (*self._versions[1 - _VERSIONS_KEPT :], added)
            return answer

        def finish() -> None:
            self.registry = registry

        def undo() -> None:
            self._versions = tuple(version for version in self._versions if version is not added)

        return await self._hand_in(Change(begin, finish, undo))

    async def _hand_in(self, job: MutationJob | Change) -> Any:
        if self._is_closed or self._writer is None:
            raise RunnerClosed()
        return await self._writer.hand_in(job)

    def _perform(self, group: GroupCommit, item: Writing) -> None:
        """Run one mutation inside the group, or find what it came to before. Called in the writer thread."""
        job = item.job
        assert isinstance(job, MutationJob)
        item.outcome = item.error = item.record = None
        started = self._environment.clock.monotonic()
        host: Host | None = None
        failure: Failure | None = None
        path = job.call.path

        def body(transaction: WriteTransaction) -> CallResult:
            nonlocal host, failure, path
            host = self._host(transaction, job.identity, self.registry, request_id=job.request_id)
            # Here and not before: what was recorded for a repeated mutation counts, whatever became of the
            # function since.
            record, result = self._run(host, job, "mutation")
            if record is not None:
                path = record.path.public
            if isinstance(result, Failure):
                failure = result
                raise _RolledBack()
            return CallResult(result.value, result.log_lines)

        performed = group.perform(job.invocation, body)
        if failure is not None:
            item.outcome = MutationOutcome(failure, performed.ts)
        elif performed.result is not None:
            done = Success(performed.result.value, tuple(performed.result.log_lines))
            item.outcome = MutationOutcome(done, performed.ts)
        else:
            assert performed.error is not None, "a mutation comes to a result or an error"
            known = isinstance(performed.error, RewakeError)
            item.error = performed.error if known else _internal(performed.error)  # type: ignore[assignment]
        if not performed.is_replay:
            item.record = self._record(
                path, host, kind="mutation", started=started, failure=failure, request_id=job.request_id
            )

    # Queries.

    async def open_wave(self, jobs: Sequence[QueryJob], *, at: int | None = None) -> Wave:
        """Take a snapshot on an idle reader and run `jobs` on it."""
        if self._is_closed:
            raise RunnerClosed()
        return await self._readers.open_wave(jobs, at=at)

    def _run_query(self, snapshot: Snapshot, job: QueryJob) -> QueryRun:
        """Run one query on a snapshot. Called in a reader thread."""
        started = self._environment.clock.monotonic()
        registry = self._version_at(snapshot.ts)
        transaction = snapshot.transaction()
        host = self._host(transaction, job.identity, registry, journal=job.journal)
        record, result = self._run(host, job, "query")
        path = record.path.public if record is not None else job.call.path
        failure = result if isinstance(result, Failure) else None
        self.call_log.append(
            self._record(path, host, kind="query", started=started, failure=failure, request_id="")
        )
        module = registry.module_of(job.call.path)
        for name in sorted(host.modules | ({module} if module is not None else set())):
            record_module_read(transaction, name)
        return QueryRun(
            result=result,
            journal=host.journal if record is not None else job.journal,
            read_set=transaction.read_set,
            read_identity=host.observed.identity,
            read_clock=host.observed.clock,
            code_hash=registry.code_hash(job.call.path) or "",
        )

    def _version_at(self, ts: int) -> Registry:
        """The code that belongs to a snapshot; the oldest that is kept for one from before."""
        versions = self._versions
        return next((code for since, code in reversed(versions) if since <= ts), versions[0][1])

    def _run(
        self, host: Host, job: MutationJob | QueryJob, kind: FunctionKind
    ) -> tuple[FunctionRecord | None, Success | Failure]:
        try:
            record = host.registry.find_kind(job.call.path, job.visibility, kind)
        except RewakeError as error:
            return None, failure_of(error, root=None)
        return record, host.run(record, job.call.args)

    def _host(
        self,
        transaction: ReadTransaction | WriteTransaction,
        identity: Identity,
        registry: Registry,
        *,
        journal: str | None = None,
        request_id: str = "",
    ) -> Host:
        return Host(
            registry=registry,
            transaction=transaction,
            identity=identity,
            now_ms=transaction.now_ms,
            seed=self._environment.random_bytes(16),
            cursors=self._database.cursors,
            journal=journal,
            request_id=request_id,
        )

    def _record(
        self,
        path: str,
        host: Host | None,
        *,
        kind: str,
        started: float,
        failure: Failure | None,
        request_id: str,
    ) -> CallRecord:
        return CallRecord(
            path=path,
            kind=kind,
            seconds=self._environment.clock.monotonic() - started,
            log_lines=tuple(host.log_lines.lines) if host is not None else (),
            error=failure.message if failure is not None else None,
            traceback=host.traceback() if host is not None else None,
            request_id=request_id,
        )


class _RolledBack(Exception):
    """Tells the group to undo a mutation whose failure is already known."""


def _internal(error: BaseException) -> Internal:
    _log.error("a mutation failed inside the house", exc_info=error)
    return Internal(INTERNAL_MESSAGE)
