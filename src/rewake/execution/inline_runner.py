"""The inline runner: functions run in threads of the server's own process.

Floor 3, `execution`. One writer thread runs every mutation, in groups; a few reader threads hold one
snapshot each. It serves tests, embedding, and `--workers 0`, where a debugger can stop in a function; worker
processes stand behind the same interface (`worker_runner.py`).

    loop:    mutate(job) -> queue ................... on_group(report), outcomes <- call_soon_threadsafe
    writer:                 begin, (run)*, commit -> GroupReport -'   (writer_thread.py)
    readers: open_wave(jobs) -> begin snapshot, run each -> Wave      (reader_threads.py)
    actions: act(job) -> a thread each -> calls back into the loop    (action_crew.py)

While the writer's COMMIT waits for the disk, the next mutations gather in its queue and form the next group.
A query runs the code of its own snapshot: while a deploy commits, waves on either side of it are under way,
and new code must not meet an old schema, nor old code a new one.

Not here: what happens inside a run (`host.py`), inside a group (`database/group_commit.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from rewake.database import (
    CheckProgress,
    Database,
    DeployNote,
    DocumentCheck,
    Evidence,
    GroupCommit,
    OnProgress,
    Reader,
    SchemaChange,
    SchemaMismatch,
    Snapshot,
    Survey,
    TrimResult,
    no_progress,
)
from rewake.execution.action_crew import ThreadCrew
from rewake.execution.action_desk import ActionDesk
from rewake.execution.call_log import CallLog
from rewake.execution.calls import Failure, MutationOutcome, Success
from rewake.execution.code_switch import apply_code, check_code, name_source
from rewake.execution.function_runs import FunctionRuns
from rewake.execution.group_writer import Change, Writing, restarting_log
from rewake.execution.lanes import HOUSE, WAVES, Lane
from rewake.execution.lines import reader_line
from rewake.execution.output import install_log_handler
from rewake.execution.reader_threads import ReaderThreads
from rewake.execution.registry import Registry
from rewake.execution.rollout_driver import roll_out
from rewake.execution.runner import (
    ActionJob,
    Calls,
    Code,
    GroupReport,
    MutationJob,
    QueryJob,
    QueryRun,
    RunnerClosed,
    RunnerFigures,
    Wave,
    asked_by_wave,
)
from rewake.execution.schema_steps import BuildIndexes, SchemaStep, Stepped, change_of
from rewake.execution.side_effects import install_guard
from rewake.execution.thread_loading import load_in_thread
from rewake.execution.writer_thread import WriterThread
from rewake.tracing import NO_TRACING, Tracing

_VERSIONS_KEPT = 32
"""Versions of the code that snapshots may still ask for: a wave lasts a fraction of a second."""


class InlineRunner:
    """Runs functions in threads. Implements `Runner`; made, started and closed by one event loop."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        *,
        call_log: CallLog | None = None,
        readers: int = 2,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._database = database
        self.registry = registry
        """The code that serves now; set by the writer thread as soon as a push is committed."""
        self.analysis = registry.analysis()
        """What is known of `registry`."""
        self.call_log = call_log or CallLog()
        self._tracing = tracing
        self._runs = FunctionRuns(database, tracing=tracing)
        self._readers = ReaderThreads(
            readers,
            open_reader=database.reader,
            run=self._run_query,
            line=reader_line(database),
            check_past=lambda snapshot: check_code(snapshot, self._version_at(snapshot.ts)),
        )
        self._writer: WriterThread | None = None
        self._actions = ActionDesk(database.limits, call_log=self.call_log)
        self._crew: ThreadCrew | None = None
        # Each version of the code with the timestamp from which on snapshots are its own. Replaced, never
        # changed: reader threads look at it.
        self._versions: tuple[tuple[int, Registry], ...] = ((0, registry),)
        self._is_closed = False

    async def start(self, on_group: Callable[[GroupReport], None], calls: Calls | None = None) -> int:
        """Start the threads; `on_group` hears of every commit group, on this loop, where `calls` serves
        actions. Returns the latest timestamp.
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
            tracing=self._tracing,
        )
        self._writer.start()
        if calls is not None:
            self._crew = ThreadCrew(
                self._database,
                self._actions,
                calls=calls,
                registry=lambda: self.registry,
                tracing=self._tracing,
            )
        return last_ts

    async def close(self) -> None:
        """Finish the mutations already handed in, wait for waves under way, stop the threads."""
        if self._is_closed:
            return
        await self.end_actions()
        if self._crew is not None:
            self._crew.close()
        self._is_closed = True
        # The writer before readers: a wave under way may be waiting for the news of its last group.
        if self._writer is not None:
            await self._writer.close()
        await self._readers.close()

    def code_hash(self, path: str) -> str | None:
        """The hash of the code that serves `path` now."""
        return self.registry.code_hash(path)

    def figures(self) -> RunnerFigures:
        """How much there is to do at the moment."""
        running, waiting = self._actions.running, self._actions.queued
        waits = {"readers": self._readers.waits}
        if self._writer is None:
            return RunnerFigures(0, running, waiting, waits=waits)
        waits["writer"] = self._writer.waits
        return RunnerFigures(self._writer.queued, running, waiting, waits=waits)

    # Mutations.

    async def mutate(self, job: MutationJob) -> MutationOutcome:
        """Run one mutation in the next group."""
        outcome: MutationOutcome = await self._hand_in(job, job.lane)
        return outcome

    async def change(self, work: Callable[[GroupCommit], Any]) -> Any:
        """Run a change of the house's own on the writer thread, as a group for itself (a schema change,
        trimming).
        """
        return await self._hand_in(Change(work))

    async def trim(self) -> TrimResult:
        """Forget old log rows and replay records, one small step of them."""
        result: TrimResult = await self.change(lambda group: group.trim())
        return result

    async def restart_log(self, patience_seconds: float) -> bool:
        """See `Runner.restart_log`."""
        return bool(await self._hand_in(restarting_log(patience_seconds)))

    async def tend(self) -> bool:
        """Do a small step of what goes on in the background with indexes and staged validators."""
        return not (await self.step(BuildIndexes(None))).is_idle

    async def step(self, step: SchemaStep) -> Stepped:
        """Do a step of a schema change on the writer thread."""
        invocation = self._database.environment.random_bytes(16).hex()
        stepped: Stepped = await self._hand_in(change_of(step, self._database, invocation=invocation))
        return stepped

    async def push(
        self,
        code: Code,
        *,
        invocation: str,
        on_progress: OnProgress = no_progress,
        deploy: DeployNote | None = None,
    ) -> SchemaChange:
        """Do what the schema of `code` asks of existing data, and switch to it."""
        seconds = self._database.limits.load_seconds_max
        # A deploy was loaded before, for its plan; yet here its imports may meet something else.
        registry = code if isinstance(code, Registry) else await load_in_thread(code, seconds)
        port = InlineRollout(self, self._database, registry, invocation=invocation, deploy=deploy)
        try:
            return await roll_out(port, on_progress)
        finally:
            port.close()

    async def switch(
        self,
        registry: Registry,
        evidence: Evidence | None,
        *,
        invocation: str,
        deploy: DeployNote | None = None,
    ) -> SchemaChange:
        """Commit schema and hashes of `registry`, and serve it from the moment that they are committed.

        Raises:
            SchemaWorkLeft: something has to be done in the background first.
        """
        analysis = registry.analysis()
        added: tuple[int, Registry] | None = None

        def begin(group: GroupCommit) -> SchemaChange:
            nonlocal added
            if evidence is not None:
                self._database.environment.reach("schema.before_finish")
            changes, ts = apply_code(
                group,
                registry,
                invocation=invocation,
                evidence=evidence,
                is_start=registry is self.registry,
                deploy=deploy,
            )
            # Before COMMIT: no snapshot has this timestamp before, and the first that has it needs the code.
            added = (ts, registry)
            self._versions = (*self._versions[1 - _VERSIONS_KEPT :], added)
            return changes

        def finish() -> None:
            self.registry, self.analysis = registry, analysis

        def undo() -> None:
            self._versions = tuple(version for version in self._versions if version is not added)

        changes: SchemaChange = await self._hand_in(Change(begin, finish, undo))
        if self._crew is not None:
            self._actions.close_sockets(self._crew)
        return changes

    async def _hand_in(self, job: MutationJob | Change, lane: Lane = HOUSE) -> Any:
        if self._is_closed or self._writer is None:
            raise RunnerClosed()
        return await self._writer.hand_in(job, lane)

    def _perform(self, group: GroupCommit, item: Writing) -> None:
        """Run one mutation inside the group. Called in the writer thread."""
        assert isinstance(item.job, MutationJob)
        item.outcome = item.error = item.record = None
        done = self._runs.perform(group, item.job, self.registry)
        item.outcome, item.error, item.record = done.outcome, done.error, done.record

    # Actions.

    async def act(self, job: ActionJob) -> Success | Failure:
        """Run one action in a thread of its own."""
        if self._is_closed or self._crew is None:
            raise RunnerClosed()
        return await self._actions.act(job, self._crew)

    async def end_actions(self) -> None:
        """Let no further action begin, give those that run a little time, and have them end."""
        if self._crew is not None:
            await self._actions.close(self._crew, grace_seconds=self._database.limits.action_grace_seconds)

    # Queries.

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> Wave:
        """Take a snapshot on an idle reader and run `jobs` on it."""
        if self._is_closed:
            raise RunnerClosed()
        return await self._readers.open_wave(jobs, at=at, lane=lane)

    async def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> tuple[QueryRun, int]:
        """Run one query on a snapshot of its own."""
        return await asked_by_wave(self, job, lane)

    def _run_query(self, snapshot: Snapshot, job: QueryJob) -> QueryRun:
        """Run one query on a snapshot. Called in a reader thread."""
        run, record = self._runs.query(snapshot, job, self._version_at(snapshot.ts))
        self.call_log.append(record)
        return run

    def _version_at(self, ts: int) -> Registry:
        """The code that belongs to a snapshot. For one from before the oldest that is kept: `check_code` has
        found it to be the same code.
        """
        versions = self._versions
        return next((code for since, code in reversed(versions) if since <= ts), versions[0][1])


class InlineRollout:
    """One rollout in this process. Implements `RolloutPort`.

    Documents are read in a thread, on a connection that lasts as long as the rollout.
    """

    def __init__(
        self,
        runner: InlineRunner,
        database: Database,
        registry: Registry,
        *,
        invocation: str,
        deploy: DeployNote | None = None,
    ) -> None:
        self._runner = runner
        self._database = database
        self._registry = registry
        self._invocation = invocation
        self._deploy = deploy
        self._check = DocumentCheck(registry.schema, database.schemas)
        # Made by the survey: most rollouts need none.
        self._reader: Reader | None = None

    async def switch(self, evidence: Evidence | None) -> SchemaChange:
        """See `InlineRunner.switch`."""
        return await self._runner.switch(
            self._registry, evidence, invocation=self._invocation, deploy=self._deploy
        )

    async def step(self, step: SchemaStep) -> Stepped:
        """See `InlineRunner.step`."""
        return await self._runner.step(step)

    async def survey(self) -> Survey:
        """Begin the check."""
        self._reader = self._reader or self._database.reader()
        return await asyncio.to_thread(self._survey, self._reader)

    async def check(self) -> CheckProgress:
        """Do a step of the check."""
        assert self._reader is not None, "a check begins with the survey"
        return await asyncio.to_thread(self._step, self._reader)

    async def checkpoint(self) -> None:
        """Move what the steps wrote into the data file."""
        await asyncio.to_thread(self._database.checkpoint)

    def close(self) -> None:
        """Close the connection; nothing of the rollout is under way."""
        if self._reader is not None:
            self._reader.close()

    def _survey(self, reader: Reader) -> Survey:
        with reader.begin() as snapshot:
            return self._check.survey(snapshot)

    def _step(self, reader: Reader) -> CheckProgress:
        with reader.begin() as snapshot:
            try:
                return self._check.step(snapshot)
            except SchemaMismatch as mismatch:
                name_source(mismatch, self._registry)
                raise
