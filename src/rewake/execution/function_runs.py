"""Function runs: one mutation in an open group, one query on an open snapshot.

Floor 3, `execution`. What the inline runner's threads and worker processes share: who finds the function,
what a replayed mutation comes to, which code a result depends on, and the line of the call log.

    perform(group, job, registry)  -> Mutated      begin and commit of the group are the caller's
    query(snapshot, job, registry) -> QueryRun, CallRecord

Not here: what happens inside a run (`host.py`), groups (`group_writer.py`), threads and processes.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import msgspec

from rewake.auth import Identity, denial_of
from rewake.database import (
    CallResult,
    Database,
    GroupCommit,
    ReadTransaction,
    Snapshot,
    WriteInterrupted,
    WriteTransaction,
    claim_job,
    finish_job,
    is_cron,
    record_module_read,
)
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError
from rewake.execution.call_log import NO_USAGE, CallRecord, identity_kind
from rewake.execution.calls import (
    NO_SOURCE,
    Failure,
    MutationOutcome,
    RequestSource,
    Success,
    Visibility,
)
from rewake.execution.failures import failure_of
from rewake.execution.host import Host
from rewake.execution.memory_limit import OutOfMemory, watched_memory
from rewake.execution.mutation_files import BlobKeysWanted, MutationFiles
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.runner import MutationJob, QueryJob, QueryRun
from rewake.execution.scheduled_calls import end_of
from rewake.execution.standard_sources import holding
from rewake.execution.system_context import SYSTEM_PREFIX
from rewake.execution.system_functions import (
    SystemIdentityRequired,
    system_registry,
    system_registry_for,
)
from rewake.execution.time_limit import FunctionTimedOut, TimeLimit
from rewake.execution.traced_calls import FAILED
from rewake.execution.worker_failures import out_of_memory, timed_out
from rewake.functions import FunctionKind
from rewake.observability import logger
from rewake.tracing import NO_TRACING, Tracing, mark_failed

_log = logger(__name__)


class Mutated(msgspec.Struct, frozen=True):
    """What a mutation came to: an outcome, or an error that is not the author's doing. To be told after
    COMMIT.
    """

    outcome: MutationOutcome | None
    error: RewakeError | None
    record: CallRecord | None
    """None for a replay: nothing ran."""


class FunctionRuns:
    """Runs functions for one deployment in one process."""

    def __init__(
        self, database: Database, *, time_limit: TimeLimit | None = None, tracing: Tracing = NO_TRACING
    ) -> None:
        self._time_limit = time_limit
        self._tracing = tracing
        self.has_run_out_of_memory = False
        """Whether a run has failed for want of memory; reset by whoever looks."""
        self._database = database
        self._environment = database.environment
        self._limits = database.limits
        self._cursors = database.cursors
        self._uploads = database.uploads
        self._deployment_name = database.name

    def perform(self, group: GroupCommit, job: MutationJob, registry: Registry) -> Mutated:
        """Run one mutation inside the group, or find what it came to before.

        Raises:
            GroupDoomed: the whole group is lost.
        """
        if not self._tracing.is_on or not job.source.trace:
            return self._perform(group, job, registry)
        with self._tracing.span(f"run {job.call.path[:200]}", parent=job.source.trace) as span:
            done = self._perform(group, job, registry)
            if done.record is not None:
                span.set_attribute("code.function.name", done.record.path)
            outcome = done.outcome
            if done.error is not None:
                mark_failed(span, done.error.code)
            elif outcome is not None and isinstance(outcome.result, Failure):
                mark_failed(span, FAILED)
            return done

    def _perform(self, group: GroupCommit, job: MutationJob, registry: Registry) -> Mutated:
        started = self._environment.clock.monotonic()
        host: Host | None = None
        failure: Failure | None = None
        path = job.call.path

        def body(transaction: WriteTransaction) -> CallResult:
            nonlocal host, failure, path
            host = self._host(
                transaction,
                job.identity,
                system_registry() if _is_system(job) else registry,
                request_id=job.request_id,
                scheduled="" if is_cron(job.scheduled) else job.scheduled,
                source=job.source,
                files=MutationFiles(lambda: self._database.blobs, job.keys),
            )
            if job.scheduled:
                result = self._run_scheduled(host, transaction, job)
                _refuse_wanting(host)
                # Whatever became of the function, its job has changed, and that is kept.
                if isinstance(result, Failure):
                    failure = result
                    return CallResult("null", result.log_lines)
                return CallResult(result.value, result.log_lines)
            # Here and not before: what was recorded for a repeated mutation counts, whatever became of the
            # function since.
            record, result = self._run(host, job, "mutation")
            _refuse_wanting(host)
            if record is not None:
                path = record.path.public
            try:
                transaction.raise_if_torn()
            except WriteInterrupted as torn:
                result = failure_of(torn, root=None, log_lines=result.log_lines)
            if isinstance(result, Failure):
                failure = result
                raise _RolledBack()
            return CallResult(result.value, result.log_lines)

        performed = group.perform(job.invocation, body)
        outcome: MutationOutcome | None = None
        error: RewakeError | None = None
        if failure is not None:
            outcome = MutationOutcome(failure, performed.ts)
        elif performed.result is not None:
            done = Success(performed.result.value, tuple(performed.result.log_lines))
            outcome = MutationOutcome(done, performed.ts)
        else:
            assert performed.error is not None, "a mutation comes to a result or an error"
            known = performed.error
            error = known if isinstance(known, RewakeError) else _internal(known)
        is_wanting = isinstance(error, BlobKeysWanted)
        if performed.is_replay or is_wanting or (failure is None and _is_system(job)):
            # Nothing ran or is kept, or nothing that an author or an operator wants to read of.
            return Mutated(outcome, error, None)
        came_to = None if outcome is None else outcome.result
        record = self._record(path, host, job, started=started, result=came_to)
        return Mutated(outcome, error, record)

    def _run_scheduled(
        self, host: Host, transaction: WriteTransaction, job: MutationJob
    ) -> Success | Failure:
        """Run the mutation of a job, and finish the job, in one transaction."""
        with transaction.uncounted():
            is_claimed = claim_job(transaction, job.scheduled, name=job.call.path, args=job.call.args)
        if not is_claimed:
            return Success("null")  # Cancelled meanwhile, or done before its outcome was heard.
        result: Success | Failure
        try:
            with transaction.savepoint():
                _, result = self._run(host, job, "mutation")
                if isinstance(result, Failure):
                    raise _RolledBack()
        except _RolledBack:
            pass
        except WriteInterrupted as torn:
            result = failure_of(torn, root=None, log_lines=result.log_lines)
        # The function may have used all that it may read.
        with transaction.uncounted():
            finish_job(transaction, job.scheduled, end_of(result))
        return result

    def query(self, snapshot: Snapshot, job: QueryJob, registry: Registry) -> tuple[QueryRun, CallRecord]:
        """Run one query on a snapshot.

        Raises:
            StorageFailed: a read failed, whatever the function made of that.
        """
        if not self._tracing.is_on or not job.trace:
            return self._query(snapshot, job, registry)
        waited = max(0.0, self._environment.clock.monotonic() - job.asked_at)
        facts = {"rewake.queued_seconds": waited}
        with self._tracing.span(f"run {job.call.path[:200]}", parent=job.trace, attributes=facts) as span:
            run, record = self._query(snapshot, job, registry)
            span.set_attribute("code.function.name", record.path)
            if isinstance(run.result, Failure):
                mark_failed(span, FAILED)
            return run, record

    def _query(self, snapshot: Snapshot, job: QueryJob, registry: Registry) -> tuple[QueryRun, CallRecord]:
        started = self._environment.clock.monotonic()
        transaction = snapshot.transaction()
        own = system_registry_for(registry) if _is_system(job) else registry
        host = self._host(transaction, job.identity, own, journal=job.journal)
        record, result = self._run(host, job, "query")
        snapshot.raise_if_failed()
        path = record.path.public if record is not None else job.call.path
        line = self._record(path, host, job, started=started, result=result)
        if isinstance(result, Failure):
            result = replace(result, run_id=line.request_id)
        module = registry.module_of(job.call.path)
        for name in sorted(host.modules | ({module} if module is not None else set())):
            record_module_read(transaction, name)
        run = QueryRun(
            result=result,
            journal=host.journal if record is not None else job.journal,
            read_set=transaction.read_set,
            read_identity=host.observed.identity,
            read_clock=host.observed.clock,
            code_hash=registry.code_hash(job.call.path) or "",
            seconds=line.seconds,
        )
        return run, line

    def _run(
        self, host: Host, job: MutationJob | QueryJob, kind: FunctionKind
    ) -> tuple[FunctionRecord | None, Success | Failure]:
        try:
            if job.visibility is Visibility.DENIED:
                raise denial_of(job.call.path, kind)
            if job.visibility is Visibility.PUBLIC and job.call.path.startswith(SYSTEM_PREFIX):
                raise SystemIdentityRequired(kind=kind)
            record = host.registry.find_kind(job.call.path, job.visibility, kind)
        except RewakeError as error:
            return None, failure_of(error, root=None)
        limit, memory, result = self._time_limit, watched_memory(), None
        try:
            with limit.running() if limit is not None else nullcontext(), memory, holding(host):
                result = host.run(record, job.call.args)
        except (FunctionTimedOut, OutOfMemory):
            # In code of the author's that makes the text of an exception.
            assert limit is not None
        log_lines = host.log_lines.rendered()
        # By its type: an author's exception may lie about its class, or fail when asked.
        if memory.is_out or issubclass(type(host.error), MemoryError):
            self.has_run_out_of_memory = True
            result = out_of_memory(self._limits, log_lines)
        elif result is None or (limit is not None and limit.is_reached):
            seconds = self._limits.function_seconds_max if limit is None else limit.spent
            result = timed_out(self._limits, log_lines, seconds=seconds)
        return record, result

    def _seed(self) -> bytes:
        return self._environment.random_bytes(16)

    def _host(
        self,
        transaction: ReadTransaction | WriteTransaction,
        identity: Identity,
        registry: Registry,
        *,
        journal: str | None = None,
        request_id: str = "",
        scheduled: str = "",
        source: RequestSource = NO_SOURCE,
        files: MutationFiles | None = None,
    ) -> Host:
        return Host(
            registry=registry,
            transaction=transaction,
            identity=identity,
            now_ms=transaction.now_ms,
            seed=self._seed,
            cursors=self._cursors,
            uploads=self._uploads,
            journal=journal,
            request_id=request_id,
            deployment_name=self._deployment_name,
            scheduled=scheduled,
            source=source,
            files=files,
            time_limit=self._time_limit,
        )

    def _record(
        self,
        path: str,
        host: Host | None,
        job: MutationJob | QueryJob,
        *,
        started: float,
        result: Success | Failure | None,
    ) -> CallRecord:
        return CallRecord(
            path=path,
            kind="query" if isinstance(job, QueryJob) else "mutation",
            seconds=self._environment.clock.monotonic() - started,
            log_lines=tuple(host.log_lines.lines) if host is not None else (),
            error=result.message if isinstance(result, Failure) else None,
            traceback=host.traceback() if host is not None else None,
            # A query answers whoever asks for it, so its run has an id of its own.
            request_id=self._environment.random_bytes(8).hex()
            if isinstance(job, QueryJob)
            else job.request_id,
            limit=host.limit_reached() if host is not None else None,
            usage=host.usage(args=job.call.args, result=result) if host is not None else NO_USAGE,
            identity=identity_kind(job.identity),
            scheduled="" if isinstance(job, QueryJob) else job.scheduled,
            trace=self._tracing.current(),
            called_from=job.called_from if isinstance(job, QueryJob) else job.source.called_from,
        )


def _refuse_wanting(host: Host) -> None:
    """Take back a mutation that wants keys, whatever its author made of that."""
    if host.files.wanted:
        raise BlobKeysWanted(count=host.files.wanted)


def _is_system(job: MutationJob | QueryJob) -> bool:
    return job.visibility is Visibility.INTERNAL and job.call.path.startswith(SYSTEM_PREFIX)


class _RolledBack(Exception):
    """Tells the group to undo a mutation whose failure is already known."""


def _internal(error: BaseException) -> Internal:
    _log.error("a mutation failed inside the house", exc_info=error)
    return Internal(INTERNAL_MESSAGE)
