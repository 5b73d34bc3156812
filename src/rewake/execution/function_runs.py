"""Function runs: one mutation in an open group, one query on an open snapshot.

Floor 3, `execution`. What the inline runner's threads and worker processes share: who finds the function,
what a replayed mutation comes to, which code a result depends on, and the line of the call log.

    perform(group, job, registry)  -> Mutated      begin and commit of the group are the caller's
    query(snapshot, job, registry) -> QueryRun, CallRecord

Not here: what happens inside a run (`host.py`), groups (`group_writer.py`), threads and processes.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from rewake.auth import denial_of
from rewake.database import (
    CallResult,
    Database,
    GroupCommit,
    Snapshot,
    WriteInterrupted,
    WriteTransaction,
    claim_job,
    finish_job,
    is_cron,
    record_module_read,
)
from rewake.environment import RandomTexts
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError
from rewake.execution.call_log import CallRecord, CallUsage, identity_kind
from rewake.execution.calls import (
    SYSTEM_PREFIX,
    CalledFrom,
    Failure,
    MutationOutcome,
    Success,
    Visibility,
)
from rewake.execution.current_run import current
from rewake.execution.failures import failure_of
from rewake.execution.host import Host
from rewake.execution.memory_limit import OutOfMemory
from rewake.execution.mutation_files import BlobKeysWanted
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.runner import MutationJob, QueryJob, QueryRun
from rewake.execution.scheduled_calls import end_of
from rewake.execution.standard_sources import source_exchange
from rewake.execution.surroundings import Surroundings
from rewake.execution.system_functions import (
    SystemIdentityRequired,
    system_registry,
    system_registry_for,
)
from rewake.execution.time_limit import FunctionTimedOut
from rewake.execution.traced_calls import FAILED
from rewake.execution.worker_failures import out_of_memory, timed_out
from rewake.functions import FunctionKind
from rewake.observability import logger
from rewake.tracing import NO_TRACING, Tracing, mark_failed

_log = logger(__name__)

_ID_BYTES = 8


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

    def __init__(self, database: Database, *, tracing: Tracing = NO_TRACING) -> None:
        self._tracing = tracing
        self.has_run_out_of_memory = False
        """Whether a run has failed for want of memory; reset by whoever looks."""
        self._database = database
        self._limits = database.limits
        self._monotonic = database.environment.clock.monotonic
        self._hold, self._release = source_exchange()
        self._ids = RandomTexts(database.environment, _ID_BYTES)
        self.around = Surroundings(
            seed=lambda: database.environment.random_bytes(16),
            cursors=database.cursors,
            uploads=database.uploads,
            blobs=lambda: database.blobs,
            deployment_name=database.name,
        )

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
        started = self._monotonic()
        is_system = _is_system(job)
        attempt = _Attempt(self, job, registry, is_system, job.call.path)
        performed = group.perform(job.invocation, attempt.body)
        outcome: MutationOutcome | None = None
        error: RewakeError | None = None
        if attempt.failure is not None:
            outcome = MutationOutcome(attempt.failure, performed.ts)
        elif performed.result is not None:
            outcome = MutationOutcome(
                Success(performed.result.value, performed.result.log_lines), performed.ts
            )
        else:
            assert performed.error is not None, "a mutation comes to a result or an error"
            known = performed.error
            error = known if isinstance(known, RewakeError) else _internal(known)
        host = attempt.host
        if host is None or (attempt.failure is None and attempt.is_system):
            # Nothing ran, or nothing that an author or an operator wants to read of.
            return Mutated(outcome, error, None)
        if error is not None and isinstance(error, BlobKeysWanted):
            return Mutated(outcome, error, None)  # Nothing is kept: it is run again.
        record = self._record(
            attempt.path,
            "mutation",
            host,
            job,
            started=started,
            result=None if outcome is None else outcome.result,
            request_id=job.request_id,
            called_from=job.source.called_from,
            scheduled=job.scheduled,
        )
        return Mutated(outcome, error, record)

    def query(self, snapshot: Snapshot, job: QueryJob, registry: Registry) -> tuple[QueryRun, CallRecord]:
        """Run one query on a snapshot.

        Raises:
            StorageFailed: a read failed, whatever the function made of that.
        """
        if not self._tracing.is_on or not job.trace:
            return self._query(snapshot, job, registry)
        waited = max(0.0, self._monotonic() - job.asked_at)
        facts = {"rewake.queued_seconds": waited}
        with self._tracing.span(f"run {job.call.path[:200]}", parent=job.trace, attributes=facts) as span:
            run, record = self._query(snapshot, job, registry)
            span.set_attribute("code.function.name", record.path)
            if isinstance(run.result, Failure):
                mark_failed(span, FAILED)
            return run, record

    def _query(self, snapshot: Snapshot, job: QueryJob, registry: Registry) -> tuple[QueryRun, CallRecord]:
        started = self._monotonic()
        transaction = snapshot.transaction()
        own = system_registry_for(registry) if _is_system(job) else registry
        host = Host(own, transaction, job.identity, self.around, journal=job.journal)
        record, result = self.run(host, job, "query")
        snapshot.raise_if_failed()
        if record is None:
            path, module = job.call.path, registry.module_of(job.call.path)
            if module is not None:
                host.modules.add(module)
        else:
            path, module = record.name, record.path.module
        # A query answers whoever asks for it, so its run has an id of its own.
        line = self._record(
            path,
            "query",
            host,
            job,
            started=started,
            result=result,
            request_id=next(self._ids),
            called_from=job.called_from,
        )
        if isinstance(result, Failure):
            result = replace(result, run_id=line.request_id)
        for name in sorted(host.modules):
            record_module_read(transaction, name)
        run = QueryRun(
            result=result,
            journal=host.journal if record is not None else job.journal,
            packed_read_set=transaction.recorder.packed(),
            read_identity=host.has_read_identity,
            read_clock=host.has_read_clock,
            code_hash="" if module is None else registry.module_hashes.get(module, ""),
            seconds=line.seconds,
        )
        return run, line

    def run(
        self, host: Host, job: MutationJob | QueryJob, kind: FunctionKind
    ) -> tuple[FunctionRecord | None, Success | Failure]:
        """Find the function of a job and run it, within its limits of time and memory."""
        call = job.call
        try:
            if job.visibility is Visibility.DENIED:
                raise denial_of(call.path, kind)
            if job.visibility is Visibility.PUBLIC and call.path.startswith(SYSTEM_PREFIX):
                raise SystemIdentityRequired(kind=kind)
            record = host.registry.find(call.path, job.visibility, kind)
        except RewakeError as error:
            return None, failure_of(error, root=None)
        result: Success | Failure | None = None
        assert current.run is None, "one run at a time in a thread"
        try:
            current.run = host
            self._hold()
            result = host.run(record, call.args)
        except (FunctionTimedOut, OutOfMemory):
            pass  # In code of the author's that makes the text of an exception.
        finally:
            self._release()
            current.run = None
        # By its type: an author's exception may lie about its class, or fail when asked.
        if host.is_out_of_memory or (host.error is not None and issubclass(type(host.error), MemoryError)):
            self.has_run_out_of_memory = True
            result = out_of_memory(self._limits, host.log_lines.rendered())
        elif result is None or host.is_out_of_time:
            seconds = host.author_seconds if host.is_out_of_time else self._limits.function_seconds_max
            result = timed_out(self._limits, host.log_lines.rendered(), seconds=seconds)
        return record, result

    def _record(
        self,
        path: str,
        kind: FunctionKind,
        host: Host,
        job: MutationJob | QueryJob,
        *,
        started: float,
        result: Success | Failure | None,
        request_id: str,
        called_from: CalledFrom,
        scheduled: str = "",
    ) -> CallRecord:
        has_failed = host.error is not None
        used = host.transaction.usage
        usage = CallUsage(
            used.documents_read,
            used.bytes_read,
            used.documents_written,
            used.bytes_written,
            len(job.call.args),
            len(result.value) if isinstance(result, Success) else None,
        )
        return CallRecord(
            path=path,
            kind=kind,
            seconds=self._monotonic() - started,
            log_lines=tuple(host.log_lines.lines),
            error=result.message if isinstance(result, Failure) else None,
            traceback=host.traceback() if has_failed else None,
            request_id=request_id,
            limit=host.limit_reached() if has_failed else None,
            usage=usage,
            identity=identity_kind(host.identity),
            scheduled=scheduled,
            trace=self._tracing.current() if self._tracing.is_on else "",
            called_from=called_from,
        )


class _Attempt(msgspec.Struct, eq=False):
    """One mutation while its group performs it, and what is known of that by the end."""

    runs: FunctionRuns
    job: MutationJob
    registry: Registry
    is_system: bool
    path: str
    """As it is told of: of the job, then of the function."""
    host: Host | None = None
    """None until it runs, and so for good where its result was recorded before."""
    failure: Failure | None = None

    def body(self, transaction: WriteTransaction) -> CallResult:
        """What the group runs, unless it has run before."""
        job = self.job
        host = self.host = Host(
            system_registry() if self.is_system else self.registry,
            transaction,
            job.identity,
            self.runs.around,
            request_id=job.request_id,
            scheduled="" if job.scheduled and is_cron(job.scheduled) else job.scheduled,
            source=job.source,
            keys=job.keys,
        )
        if job.scheduled:
            result = self._run_scheduled(host, transaction)
            if host.used_files is not None:
                host.used_files.refuse_wanting()
            # Whatever became of the function, its job has changed, and that is kept.
            if isinstance(result, Failure):
                self.failure = result
                return CallResult("null", result.log_lines)
            return CallResult(result.value, result.log_lines)
        # Here and not before: what was recorded for a repeated mutation counts, whatever became of the
        # function since.
        record, result = self.runs.run(host, job, "mutation")
        if host.used_files is not None:
            host.used_files.refuse_wanting()
        if record is not None:
            self.path = record.name
        try:
            transaction.raise_if_broken()
        except WriteInterrupted as torn:
            result = failure_of(torn, root=None, log_lines=result.log_lines)
        if isinstance(result, Failure):
            self.failure = result
            raise _RolledBack()
        return CallResult(result.value, result.log_lines)

    def _run_scheduled(self, host: Host, transaction: WriteTransaction) -> Success | Failure:
        """Run the mutation of a job, and finish the job, in one transaction."""
        job = self.job
        with transaction.uncounted():
            is_claimed = claim_job(transaction, job.scheduled, name=job.call.path, args=job.call.args)
        if not is_claimed:
            return Success("null")  # Cancelled meanwhile, or done before its outcome was heard.
        result: Success | Failure
        try:
            with transaction.savepoint():
                _, result = self.runs.run(host, job, "mutation")
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


def _is_system(job: MutationJob | QueryJob) -> bool:
    return job.visibility is Visibility.INTERNAL and job.call.path.startswith(SYSTEM_PREFIX)


class _RolledBack(Exception):
    """Tells the group to undo a mutation whose failure is already known."""


def _internal(error: BaseException) -> Internal:
    _log.error("a mutation failed inside the house", exc_info=error)
    return Internal(INTERNAL_MESSAGE)
