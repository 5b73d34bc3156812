"""The worker: a process that runs functions, and the template that such processes are forked from.

Floor 3, `execution`. The front process starts one template for each version of the code:

    template: Begin -> load the project -> Loaded -> (Fork -> fork)*
    writer:   open the database -> Ready -> groups (`group_writer.py`) until the pipe ends
    reader:   open the database -> Ready -> one snapshot at a time until the pipe ends
    actions:  open the database -> Ready -> a thread for each action (`action_worker.py`)

Forking gives every worker exactly the code that was analysed, whatever lies on disk by then, in a few
milliseconds. The template opens no database: connections of SQLite must not cross a fork. A process has one
thread, which is all that an endless loop of an author can hold up, and it dies with its parent.

Not here: the other end of the pipe (`worker_process.py`, `worker_runner.py`).
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rewake.database import (
    Database,
    DocumentCheck,
    GroupCommit,
    Reader,
    SchemaChange,
    SchemaMismatch,
    Snapshot,
)
from rewake.environment import process_environment
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError
from rewake.execution.action_worker import ActionWorker
from rewake.execution.calls import MutationOutcome
from rewake.execution.code_switch import apply_code, check_code, name_source
from rewake.execution.error_facts import ErrorFacts
from rewake.execution.function_runs import FunctionRuns
from rewake.execution.group_writer import Change, GroupWriter, Writing, restarting_log
from rewake.execution.loader import load_project
from rewake.execution.memory_limit import install_memory_watch
from rewake.execution.output import install_log_handler
from rewake.execution.pipe_frames import PipeBroken
from rewake.execution.registry import Registry
from rewake.execution.run_mark import RunMark
from rewake.execution.runner import GroupReport, MutationJob, QueryJob
from rewake.execution.schema_steps import Stepped, change_of
from rewake.execution.side_effects import install_guard
from rewake.execution.standard_sources import install_standard_sources
from rewake.execution.time_limit import TimeLimit
from rewake.execution.worker_bounds import MemoryBound, die_with, refuse_debugger
from rewake.execution.worker_messages import (
    Apply,
    Begin,
    Check,
    Checked,
    EndWave,
    Failed,
    Fork,
    FromFront,
    FromWorker,
    Loaded,
    Loading,
    LogLine,
    LookRound,
    More,
    Mutate,
    OpenWave,
    Outcome,
    Prepared,
    Ran,
    Ready,
    RestartLog,
    Step,
    Surveyed,
    Told,
    Trim,
    pack_prepared,
    packed,
)
from rewake.execution.worker_pipe import Pipe
from rewake.observability import ROOT, logger, wanted_level
from rewake.storage import Durability, Role, without_documents
from rewake.tracing import Tracing, tracing_from

_log = logger(__name__)

_COLLECTED_AFTER = 50_000
"""So many objects more are made by a project that is being loaded before garbage is looked for; by default it
is 700, and looking took a ninth of the time."""
_ANSWER_SECONDS = 0.001
"""After so long what is known of a batch is told; whoever asked for it need not wait for the rest."""


class _Worker:
    """What the processes that run queries and mutations have."""

    def __init__(
        self,
        pipe: Pipe,
        mark: RunMark,
        database: Database,
        registry: Registry,
        *,
        runs: FunctionRuns,
        bound: MemoryBound,
        tracing: Tracing,
    ) -> None:
        self._tracing = tracing
        self._pipe = pipe
        self._mark = mark
        self._database = database
        self._registry = registry
        self._clock = database.environment.clock
        self._runs = runs
        self._bound = bound
        self._set_up(database)

    def _set_up(self, database: Database) -> None:
        """Make what only this kind of worker has."""
        raise NotImplementedError

    def _is_worn(self) -> bool:
        """Whether memory was wanting, and most of it is still taken after that run."""
        if not self._runs.has_run_out_of_memory:
            return False
        self._runs.has_run_out_of_memory = False
        gc.collect()
        is_worn = self._bound.is_worn
        if is_worn:
            _log.warning(
                "earlier runs have left too little memory in this process; a fresh one takes its place"
            )
        return is_worn


class WriterWorker(_Worker):
    """The writer's process: a group writer whose source and hearer are the pipe."""

    def _set_up(self, database: Database) -> None:
        self._writer = GroupWriter(
            database,
            source=self,
            perform=self._perform,
            prepare=self._prepare,
            tell=self._tell,
            told_ts=database.last_ts(),
            tracing=self._tracing,
        )

    def work(self) -> None:
        """Write until the pipe ends, or until memory is worn out."""
        self._writer.work()

    # The source of the group writer.

    def get(self) -> Writing | None:
        """Wait for work; None at the end of the pipe, and where a fresh process should go on."""
        if self._is_worn():
            return None
        message = self._pipe.read()
        return None if message is None else self._writing(message)

    def get_nowait(self) -> Writing | None:
        """Work that is there already."""
        message = self._pipe.read_ready()
        if message is None:
            raise queue.Empty
        return self._writing(message)

    def qsize(self) -> int:
        """How much work is there already."""
        return self._pipe.ready_count()

    def _writing(self, message: FromFront) -> Writing:
        if isinstance(message, Mutate):
            return Writing(message.job, message.number)
        if isinstance(message, Trim):
            return Writing(Change(lambda group: group.trim()), message.number)
        if isinstance(message, RestartLog):
            return Writing(restarting_log(message.patience_seconds), message.number)
        if isinstance(message, Step):
            change = change_of(message.step, self._database, invocation=message.invocation)
            return Writing(change, message.number)
        if isinstance(message, Apply):
            return Writing(Change(lambda group: self._apply(group, message)), message.number)
        raise PipeBroken(f"a writer has no use for {type(message).__name__}")

    # Its work and its news.

    def _apply(self, group: GroupCommit, message: Apply) -> SchemaChange:
        if message.evidence is not None:
            self._database.environment.reach("schema.before_finish")
        invocation, evidence = message.invocation, message.evidence
        return apply_code(
            group,
            self._registry,
            invocation=invocation,
            evidence=evidence,
            is_start=message.is_start,
            deploy=message.deploy,
        )[0]

    def _perform(self, group: GroupCommit, item: Writing) -> None:
        assert isinstance(item.job, MutationJob)
        item.outcome = item.error = item.record = item.prepared = None
        self._mark.set(item.asker, self._clock.monotonic())
        try:
            done = self._runs.perform(group, item.job, self._registry)
        finally:
            self._mark.clear()
        item.outcome, item.error, item.record = done.outcome, done.error, done.record
        if self._runs.has_run_out_of_memory:
            gc.collect()  # What the run has taken hangs on its error, and reading on takes memory, too.

    def _prepare(self, items: list[Writing]) -> None:
        outcomes = []
        for item in items:
            if item.outcome is not None:
                item.prepared = packed(_outcome(item))
                outcomes.append(item.prepared)
        self._mark.leave(pack_prepared(Prepared(outcomes)))

    def _tell(self, report: GroupReport, items: list[Writing]) -> None:
        rows = without_documents(report.rows)
        outcomes = [_outcome(item) if item.error or not item.prepared else item.prepared for item in items]
        self._pipe.send(Told(rows, report.last_ts, outcomes, report.commit_seconds))


def _outcome(item: Writing) -> Outcome:
    if item.error is not None:
        return Outcome(item.asker, error=ErrorFacts.of(item.error), record=item.record)
    outcome = item.outcome
    if isinstance(outcome, MutationOutcome):
        return Outcome(item.asker, outcome.ts, outcome.result, record=item.record)
    if isinstance(outcome, Stepped):
        return Outcome(item.asker, stepped=outcome)
    if isinstance(outcome, tuple):
        return Outcome(item.asker, trimmed=outcome)  # type: ignore[arg-type]
    if isinstance(outcome, bool):
        return Outcome(item.asker, has_restarted=outcome)
    return Outcome(item.asker, changed=outcome)


class ReaderWorker(_Worker):
    """A reader's process: one snapshot at a time."""

    def _set_up(self, database: Database) -> None:
        self._reach = database.environment.reach
        self._reader: Reader = database.reader()
        # Of the version that this worker has loaded, before it serves; made by LookRound.
        self._check = DocumentCheck(self._registry.schema, database.schemas)
        self._snapshot: Snapshot | None = None

    def work(self) -> None:
        """Read until the pipe ends, or until memory is worn out."""
        while (message := self._pipe.read()) is not None:
            if isinstance(message, EndWave):
                self._end()
                if self._is_worn():
                    break
                continue
            try:
                if isinstance(message, OpenWave) and message.is_in_parts:
                    self._answer_all(message)
                    if self._is_worn():
                        break
                    continue
                answer = self._answer(message)
                if is_short := isinstance(message, OpenWave) and message.is_short:
                    self._end()
                self._pipe.send(answer)
                if is_short and self._is_worn():
                    break
            except RewakeError as error:
                self._end()
                self._pipe.send(Failed(ErrorFacts.of(error)))
            except Exception as error:
                self._runs.has_run_out_of_memory |= isinstance(error, MemoryError)
                _log.exception("a wave failed inside the house")
                self._end()
                self._pipe.send(Failed(ErrorFacts.of(Internal(INTERNAL_MESSAGE))))
        self._end()
        self._reader.close()

    def _answer(self, message: FromFront) -> FromWorker:
        if isinstance(message, OpenWave):
            self._end()
            at = message.at
            self._snapshot = self._reader.begin() if at is None else self._reader.begin_at(at)
            if at is not None:
                check_code(self._snapshot, self._registry)
            self._reach("wave.after_snapshot")
            return self._run(self._snapshot, message.jobs)
        if isinstance(message, More) and self._snapshot is not None:
            return self._run(self._snapshot, message.jobs)
        if isinstance(message, LookRound | Check):
            self._end()
            return self._check_documents(is_first=isinstance(message, LookRound))
        raise PipeBroken(f"a reader has no use for {type(message).__name__} now")

    def _answer_all(self, message: OpenWave) -> None:
        """Run questions on a snapshot of their own; what is known is told when the rest takes too long."""
        self._end()
        snapshot = self._snapshot = self._reader.begin()
        self._reach("wave.after_snapshot")
        ran, seconds = Ran(snapshot.ts, [], []), 0.0
        try:
            for number, job in enumerate(message.jobs):
                if seconds > _ANSWER_SECONDS:
                    self._pipe.send(ran)
                    ran, seconds = Ran(snapshot.ts, [], []), 0.0
                seconds += self._run_one(snapshot, number, job, ran)
            self._reach("wave.before_answer")
        finally:
            if ran.runs:
                self._pipe.send(ran)
        self._end()

    def _check_documents(self, *, is_first: bool) -> FromWorker:
        with self._reader.begin() as snapshot:
            if is_first:
                return Surveyed(self._check.survey(snapshot))
            try:
                return Checked(self._check.step(snapshot))
            except SchemaMismatch as mismatch:
                name_source(mismatch, self._registry)
                raise

    def _run(self, snapshot: Snapshot, jobs: Sequence[QueryJob]) -> Ran:
        ran = Ran(snapshot.ts, [], [])
        for number, job in enumerate(jobs):
            self._run_one(snapshot, number, job, ran)
        self._reach("wave.before_answer")
        return ran

    def _run_one(self, snapshot: Snapshot, number: int, job: QueryJob, ran: Ran) -> float:
        """Run the job with this number, and put what it comes to behind what `ran` before; gives the seconds
        that it took.
        """
        self._mark.set(number, self._clock.monotonic())
        try:
            run, record = self._runs.query(snapshot, job, self._registry)
        finally:
            self._mark.clear()
        ran.runs.append(run)
        ran.records.append(record)
        return run.seconds

    def _end(self) -> None:
        if self._snapshot is not None:
            self._snapshot.end()
            self._snapshot = None


class _PipeLog(logging.Handler):
    """Sends what the house says to the front: warnings and errors, or as `REWAKE_LOG_LEVEL` wants it."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(logging.WARNING)
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        self._pipe.send(LogLine(record.levelno, record.name, self.format(record)))


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for garbage less often in here. What modules leave behind stays for good, nearly all of it."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        # Unless the project has a wish of its own.
        if gc.get_threshold() == (_COLLECTED_AFTER, *before[1:]):
            gc.set_threshold(*before)


def _serve_template(pipe: Pipe, descriptors: socket.socket) -> None:
    """Load the project, then fork workers until the pipe ends. Returns in the template only at the end of
    its life, and in each worker at the end of its own.
    """
    begin = pipe.read()
    if not isinstance(begin, Begin):
        return
    sys.path[:] = begin.path
    # The house stays for good: neither loading nor any run has to look through it for garbage.
    gc.freeze()
    gc.enable()
    install_guard()
    install_standard_sources()
    install_memory_watch()
    install_log_handler()
    refuse_debugger()
    try:
        with _seldom_collected():
            registry = load_project(begin.settings, on_import=lambda file: pipe.send(Loading(file)))
        pipe.send(Loaded(registry.analysis()))
    except RewakeError as error:
        pipe.send(Failed(ErrorFacts.of(error)))
        return
    gc.collect()
    gc.freeze()
    # The kernel takes away workers that have ended; the front hears of it by their pipes.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while isinstance(message := pipe.read(), Fork):
        _, passed, _, _ = socket.recv_fds(descriptors, 1, 3)
        template = os.getpid()
        if os.fork() == 0:
            pipe.close()
            descriptors.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with(template)
            _serve_worker(message, Pipe(passed[0]), RunMark(passed[1]), registry)
            return
        for descriptor in passed:
            os.close(descriptor)


def _serve_worker(fork: Fork, pipe: Pipe, mark: RunMark, registry: Registry) -> None:
    house, log = logging.getLogger(ROOT), _PipeLog(pipe)
    if (wanted := wanted_level(os.environ)) is not None:
        house.setLevel(wanted)
        log.setLevel(wanted)
    house.addHandler(log)
    try:
        database = Database.open(
            fork.data,
            environment=process_environment(spared=not fork.is_armed),
            name=fork.name,
            limits=fork.limits,
            files=fork.files,
            role=Role.WORKER,
            durability=Durability(fork.durability),
        )
        # After the fork: threads that send spans would not survive it.
        tracing = tracing_from(
            os.environ,
            service=fork.name,
            role=fork.role,
            random_bytes=database.environment.random_bytes,
        )
        tracing.share()
        worker = _worker_of(fork, pipe, mark, database, registry, tracing=tracing)
    except RewakeError as error:
        pipe.send(Failed(ErrorFacts.of(error)))
        return
    _log.info("process %d runs functions as %s", os.getpid(), fork.role)
    pipe.send(Ready(os.getpid()))
    worker.work()
    tracing.close()
    database.close()


def _worker_of(
    fork: Fork, pipe: Pipe, mark: RunMark, database: Database, registry: Registry, *, tracing: Tracing
) -> WriterWorker | ReaderWorker | ActionWorker:
    """The worker of a role, bound to the memory that it may take."""
    if fork.role == "actions":
        actions = ActionWorker(
            read=pipe.read, send=pipe.send, database=database, registry=registry, tracing=tracing
        )
        MemoryBound(fork.limits.action_memory_bytes_max)
        return actions
    kind = WriterWorker if fork.role == "writer" else ReaderWorker
    # Actions have no such limit: they wait for the world, in threads.
    time_limit = TimeLimit(fork.limits, root=registry.root)
    bound = MemoryBound(fork.limits.worker_memory_bytes_max)
    runs = FunctionRuns(database, tracing=tracing)
    worker = kind(pipe, mark, database, registry, runs=runs, bound=bound, tracing=tracing)
    time_limit.start()
    return worker


def main(arguments: list[str]) -> None:
    """The template's life. `arguments`: pipe, channel of descriptors, process id of the front."""
    pipe, descriptors, parent = map(int, arguments)
    # Whoever stops the server (Ctrl-C, a service manager) means the front, which then ends the pipes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_with(parent)
    _serve_template(Pipe(pipe), socket.socket(fileno=descriptors))
    sys.stdout.flush()
    sys.stderr.flush()
    # No farewell of author modules (threads, atexit): what they should outlive is over.
    os._exit(0)
