"""The worker runner: functions run in processes of their own, and the front lives whatever they do.

Floor 3, `execution`. One template for each version of the code, one writer, a few readers; all forked from
the template, so a worker that takes the place of a dead one runs the very code that was analysed.

    push:   new template loads -> its workers open the database -> what the schema asks of existing data is
            done in the background (`worker_rollout.py`) -> the writer's seat is held until it is idle -> the
            new writer commits schema and hashes -> seats change -> the old ones finish and end
    actions: one process takes them (`action_workers.py`); the one before a push finishes what it has
    death:  of a writer, the commit log decides (`writer_seat.py`); of a reader, its queries run elsewhere
            (`reader_pool.py`); of a template, its workers go with it, and the project is pushed anew
    hang:   a run that is over its time is cut off with its process

What old code ran that may have seen the new schema is run again (`switch_moment.py`).

Not here: what workers do (`worker.py`), mutations in flight (`writer_desk.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from rewake.database import Database, DeployNote, Evidence, OnProgress, SchemaChange, TrimResult, no_progress
from rewake.errors import RewakeError
from rewake.execution.action_desk import ActionDesk
from rewake.execution.action_workers import ActionWorkers
from rewake.execution.analysis import Analysis
from rewake.execution.call_log import CallLog
from rewake.execution.calls import Failure, MutationOutcome, Success
from rewake.execution.lanes import WAVES, Lane
from rewake.execution.lines import reader_line
from rewake.execution.loader import ProjectSettings
from rewake.execution.past_code import PastCode
from rewake.execution.reader_pool import ReaderPool
from rewake.execution.revival_pace import RevivalPace
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
    WorkerFacts,
)
from rewake.execution.schema_steps import BuildIndexes, SchemaStep, Stepped
from rewake.execution.switch_moment import SwitchMoment
from rewake.execution.time_watch import TimeWatch
from rewake.execution.worker_failures import WorkerLost, cut_off
from rewake.execution.worker_messages import Fork, Mutate, Outcome, RestartLog, Step, Trim
from rewake.execution.worker_plan import WorkerPlan
from rewake.execution.worker_process import Template, Worker, all_ended
from rewake.execution.worker_rollout import WorkerRollout
from rewake.execution.writer_seat import WriterSeat
from rewake.handoff import Handoff
from rewake.observability import logger
from rewake.tallies import Tallies

_log = logger(__name__)

_DRAIN_SECONDS = 10.0


class WorkerRunner:
    """Runs functions in worker processes. Implements `Runner`; made, started and closed by one event loop."""

    def __init__(
        self, database: Database, plan: WorkerPlan, *, call_log: CallLog, tallies: Tallies | None = None
    ) -> None:
        self._database = database
        self._tallies = tallies or Tallies()
        self._plan = plan
        clock = database.environment.clock
        self._call_log = call_log
        self.analysis = Analysis()
        """What is known of the code that serves now; empty before the first push."""
        self.on_retired: Callable[[ProjectSettings], None] = lambda settings: None
        """Called when the last process of replaced code has ended; set by whoever keeps its files."""
        # The version that serves; and before the first push, the one that it will take.
        self._template: Template | None = None
        self._first: Template | None = plan.template
        self._past: PastCode | None = None
        # What was written down of the deploy that `_template` came with.
        self._deploy: DeployNote | None = None
        self._seat: WriterSeat
        self._switch = SwitchMoment(lambda: self._seat.told_ts)
        self._readers = ReaderPool(
            call_log=call_log,
            on_lost=self._reader_lost,
            code_hash=self.code_hash,
            cut_off=cut_off(database.limits),
            line=reader_line(database),
            switch=self._switch,
        )
        self._actions = ActionDesk(database.limits, call_log=call_log)
        self._crew: ActionWorkers | None = None
        # One push at a time, which may take long; one change of seats at a time, which may not: a writer that
        # dies during a push is replaced before the push goes on. Taken in this order.
        self._pushing = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._reviving = asyncio.Lock()
        self._is_armed = True
        self._is_closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pace = RevivalPace(clock)
        self._watch = TimeWatch(clock, database.limits.system_seconds_max, self._at_work)

    async def start(self, on_group: Callable[[GroupReport], None], calls: Calls | None = None) -> int:
        """Be ready for the first push. Returns the latest timestamp."""
        if calls is not None:
            self._crew = ActionWorkers(self._actions, calls=calls, on_lost=self._actions_lost)
        last_ts = self._database.last_ts()
        self._seat = WriterSeat(
            self._database,
            call_log=self._call_log,
            on_group=on_group,
            on_lost=self._writer_lost,
            told_ts=last_ts,
        )
        self._watch.begin()
        return last_ts

    async def close(self) -> None:
        """Finish the mutations already handed in and the waves under way, and end all processes."""
        if self._is_closed:
            return
        await self.end_actions()
        if self._template is not None:
            await self._seat.drain(_DRAIN_SECONDS)
        self._is_closed = True
        self._watch.end()
        for task in list(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        workers = self._readers.close()
        if self._crew is not None:
            workers += self._crew.close()
        writer = await self._seat.close()
        if writer is not None:
            workers.append(writer)
        await all_ended(workers, _DRAIN_SECONDS)
        for template in (self._template, self._first):
            if template is not None:
                await template.end()

    def code_hash(self, path: str) -> str | None:
        """The hash of the code that serves `path` now."""
        return self.analysis.code_hash(path)

    def figures(self) -> RunnerFigures:
        """How much there is to do at the moment."""
        found = [("template", self._template), ("writer", self._seat.worker)]
        found += [("reader", worker) for worker in self._readers.workers]
        if self._past is not None:
            found.append(("past template", self._past.template))
            found += [("past reader", worker) for worker in self._past.readers.workers]
        found.append(("actions", None if self._crew is None else self._crew.worker))
        workers = [WorkerFacts(role, peer.pid) for role, peer in found if peer is not None and peer.is_alive]
        waits = {"writer": self._seat.waits, "readers": self._readers.waits}
        return RunnerFigures(
            self._seat.queued, self._actions.running, self._actions.queued, tuple(workers), waits
        )

    # Calls.

    def mutate(self, job: MutationJob) -> Handoff[MutationOutcome]:
        """Run one mutation in the writer's next group."""
        if self._is_closed:
            raise RunnerClosed()
        return self._seat.hand_in(partial(Mutate.of, job=job), job.lane)

    async def act(self, job: ActionJob) -> Success | Failure:
        """Run one action in the process for actions."""
        if self._is_closed or self._crew is None:
            raise RunnerClosed()
        return await self._actions.act(job, self._crew)

    async def end_actions(self) -> None:
        """Let no further action begin, give those that run a little time, and have them end."""
        if self._crew is not None:
            await self._actions.close(self._crew, grace_seconds=self._database.limits.action_grace_seconds)

    async def trim(self) -> TrimResult:
        """Forget old log rows and replay records, one small step of them."""
        if self._is_closed:
            raise RunnerClosed()
        outcome: Outcome = await self._seat.hand_in(Trim)
        assert outcome.trimmed is not None
        return outcome.trimmed

    async def restart_log(self, patience_seconds: float) -> bool:
        """See `Runner.restart_log`."""
        if self._is_closed:
            raise RunnerClosed()
        outcome: Outcome = await self._seat.hand_in(lambda number: RestartLog(number, patience_seconds))
        return outcome.has_restarted

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> Wave:
        """Take a snapshot on an idle reader and run `jobs` on it."""
        past = self._past
        if past is not None and at is not None and past.since <= at < self._switch.since:
            with suppress(RunnerClosed, WorkerLost):
                return await past.open_wave(jobs, at=at, lane=lane)
        if self._is_closed:
            raise RunnerClosed()
        return await self._readers.open_wave(jobs, at=at, lane=lane, is_all=is_all)

    def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> Handoff[tuple[QueryRun, int]]:
        """Run one query on an idle reader, together with others."""
        if self._is_closed:
            raise RunnerClosed()
        return self._readers.desk.pose(job, lane)

    # Code.

    async def tend(self) -> bool:
        """Do a small step of what goes on in the background with indexes and staged validators."""
        try:
            return not (await self.step(BuildIndexes(None))).is_idle
        except WorkerLost:
            return False  # The processes are being started again; there will be another time.

    async def step(self, step: SchemaStep, *, unseated: Worker | None = None) -> Stepped:
        """Have the writer do a step of a schema change; or `unseated`, where no code serves yet.

        Raises:
            WorkerLost: the code that serves was lost.
        """
        if self._is_closed:
            raise RunnerClosed()
        invocation = self._database.environment.random_bytes(16).hex()
        if self._template is None or not self._template.is_alive:
            if unseated is None:
                raise WorkerLost()
            outcome = await self._seat.step_unseated(unseated, Step(0, invocation, step))
        else:
            outcome = await self._served(
                self._seat.hand_in(lambda number: Step(number, invocation, step)), self._template
            )
        assert outcome.stepped is not None
        return outcome.stepped

    async def _served(self, work: Handoff[Outcome], serving: Template) -> Outcome:
        """What `work` of a seated writer comes to, unless the code that serves is lost.

        Whoever brings it back may be waiting for us.
        """
        doing = asyncio.ensure_future(work)
        while not doing.done():
            if not serving.is_alive:
                doing.cancel()
                raise WorkerLost()
            ends: list[asyncio.Future[Any]] = [doing, serving.ended]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            serving = self._template or serving
        return doing.result()

    async def push(
        self,
        code: Code,
        *,
        invocation: str,
        on_progress: OnProgress = no_progress,
        deploy: DeployNote | None = None,
    ) -> SchemaChange:
        """Load `code` in new processes and switch to them."""
        assert isinstance(code, ProjectSettings), "workers load their project themselves"
        async with self._pushing:
            if self._is_closed:
                raise RunnerClosed()
            return await self._push(code, invocation, on_progress, deploy)

    async def _push(
        self,
        settings: ProjectSettings,
        invocation: str,
        on_progress: OnProgress,
        deploy: DeployNote | None,
    ) -> SchemaChange:
        template, self._first = self._first, None
        if template is None or template.settings != settings or not template.is_alive:
            template = await Template.load(settings, limits=self._database.limits)
        try:
            roles = ["writer", *["reader"] * self._plan.readers]
            writer, *readers = [await self._fork(template, role) for role in roles]
            await asyncio.gather(*(worker.ready() for worker in (writer, *readers)))
            # It opens the database while the others switch; where they do not, it ends with its template.
            actor = await self._fork(template, "actions") if self._crew is not None else None
            port = WorkerRollout(
                self, self._database, template, writer, readers, invocation=invocation, deploy=deploy
            )
            changes = await roll_out(port, on_progress)
        finally:
            if self._template is not template:
                await template.end()
        if actor is not None and self._crew is not None:
            await self._seat_actions(self._crew, actor)
        return changes

    async def _seat_actions(self, crew: ActionWorkers, actor: Worker) -> None:
        """Let actions run in `actor` from now on, whose code serves."""
        try:
            await actor.ready()
        except RewakeError as error:
            # The push is committed. Better no actions for a moment than those of the code from before.
            _log.error("the process for actions cannot be started; it is tried again: %s", error.message)
            crew.vacate()
        else:
            crew.seat(actor)
        self._actions.close_sockets(crew)

    async def switch(
        self,
        template: Template,
        writer: Worker,
        readers: list[Worker],
        evidence: Evidence | None,
        *,
        invocation: str,
        deploy: DeployNote | None = None,
    ) -> SchemaChange:
        """Have `writer` commit schema and hashes of the code of `template`, and seat these workers.

        Raises:
            SchemaWorkLeft: something has to be done in the background first.
        """
        async with self._changing:
            if self._is_closed:
                raise RunnerClosed()
            await self._seat.hold()
            self._switch.begin()
            try:
                is_start = self._template is None
                changes, report = await self._seat.apply(
                    writer, invocation, evidence, is_start=is_start, deploy=deploy
                )
            except BaseException:
                self._seat.release()
                raise
            finally:
                self._switch.end()
            # From here on without a pause: nobody may see one half of it.
            before, self._template, self._deploy = self._template, template, deploy
            self.analysis = template.analysis
            since, self._switch.since = self._switch.since, report.last_ts
            self._is_armed = False
            left = self._readers.replace(readers)
            if self._seat.worker is not None:
                left.append(self._seat.worker)
            if self._crew is not None and self._crew.worker is not None:
                left.append(self._crew.worker)
            self._seat.seat(writer)
            self._seat.tell(report)
            self._seat.release()
            template.ended.add_done_callback(lambda _: self._template_lost(template))
            if before is not None:
                self._spawn(self._retire(self._kept(before, since), left))
            return changes

    async def _fork(self, template: Template, role: str) -> Worker:
        engine = self._database.engine
        database = self._database
        fork = Fork(
            role,
            database.name,
            str(engine.path),
            engine.durability.value,
            database.limits,
            database.files,
            self._is_armed,
        )
        return await template.fork(fork, claim=engine.lock_descriptor)

    # Deaths.

    def _writer_lost(self) -> None:
        if not self._is_closed:
            self._tallies.deaths["writer"] += 1
            _log.warning("the writer process ended and is started again; nothing is lost")
            self._spawn(self._revive())

    def _reader_lost(self) -> None:
        if not self._is_closed:
            self._tallies.deaths["reader"] += 1
            _log.warning("a reader process ended and is started again")
            self._spawn(self._revive())

    def _actions_lost(self) -> None:
        if not self._is_closed:
            self._tallies.deaths["actions"] += 1
            _log.warning("the process for actions ended or is stuck, and another is started")
            self._spawn(self._revive())

    def _template_lost(self, template: Template) -> None:
        if not self._is_closed and self._template is template:
            self._tallies.deaths["template"] += 1
            _log.warning("the process that holds the code ended; the project is loaded again")
            # Its workers end with it, by the kernel's doing on Linux, by ours elsewhere.
            actor = None if self._crew is None else self._crew.worker
            for worker in [*self._readers.replace([]), self._seat.worker, actor]:
                if worker is not None:
                    worker.kill()
            self._spawn(self._revive())

    async def _revive(self) -> None:
        """Bring the processes back up to their number."""
        async with self._reviving:
            while not self._is_closed and not self._is_complete:
                await self._pace.wait()
                try:
                    await self._fill()
                except RewakeError as error:
                    _log.error("worker processes cannot be started; it is tried again: %s", error.message)
                except OSError as error:
                    _log.error("worker processes cannot be started; it is tried again: %s", error)

    @property
    def _is_complete(self) -> bool:
        has_actions = self._crew is None or self._crew.worker is not None
        return self._seat.worker is not None and has_actions and self._readers.size >= self._plan.readers

    async def _fill(self) -> None:
        template = self._template
        assert template is not None, "only what was served once can be lost"
        if not template.is_alive:
            async with self._pushing:
                if self._template is template:
                    invocation = self._database.environment.random_bytes(16).hex()
                    await self._push(template.settings, invocation, no_progress, self._deploy)
            return
        async with self._changing:
            if self._template is template:
                await self._fill_from(template)

    async def _fill_from(self, template: Template) -> None:
        await self._seat.recovered()
        if self._seat.worker is None:
            writer = await self._fork(template, "writer")
            await writer.ready()
            self._seat.seat(writer)
        if self._crew is not None and self._crew.worker is None:
            actor = await self._fork(template, "actions")
            await actor.ready()
            self._crew.seat(actor)
        while self._readers.size < self._plan.readers:
            reader = await self._fork(template, "reader")
            await reader.ready()
            self._readers.add(reader)

    def _at_work(self) -> list[Worker | None]:
        """Whoever may be running a function of queries and mutations."""
        past = self._past.readers.busy if self._past is not None else ()
        return [*self._readers.busy, *past, self._seat.worker]

    def _kept(self, template: Template, since: int) -> PastCode:
        """Let the code of `template`, which served from `since` on, answer reads at its timestamps."""
        if self._past is not None:
            self._past.make_way()
        self._past = PastCode(
            template,
            since=since,
            fork=self._fork,
            call_log=self._call_log,
            cut_off=cut_off(self._database.limits),
            line=reader_line(self._database),
        )
        return self._past

    async def _retire(self, past: PastCode, workers: list[Worker]) -> None:
        """Let workers that were replaced finish, then end their template, when nobody asks for it."""
        try:
            await asyncio.gather(*(asyncio.shield(worker.ended) for worker in workers))
            await past.serve_for(self._database.limits.code_kept_seconds)
        finally:
            if self._past is past:
                self._past = None
            await all_ended(past.close(), _DRAIN_SECONDS)
            await past.template.end()
            self.on_retired(past.template.settings)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
