"""The writer's seat: the one process that writes at a time, and its replacement when it dies.

Floor 3, `execution`. Drives the desk (`writer_desk.py`): sends what may be sent, takes in what a group came
to, and after a death asks the commit log before anything runs again.

    mutate -> desk -> seated worker -> Told -> on_group, then the outcomes
    death  -> the log above what was told -> on_group, decided outcomes -> next worker -> the rest, again

Not here: where workers come from, time limits (`worker_runner.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from rewake.database import Database, DeployNote, Evidence, SchemaChange
from rewake.environment import pause
from rewake.execution.call_log import CallLog
from rewake.execution.lanes import HOUSE, Lane
from rewake.execution.lines import writer_line
from rewake.execution.runner import GroupReport
from rewake.execution.waiting_line import WaitingLine
from rewake.execution.worker_failures import WorkerLost, cut_off, given_up
from rewake.execution.worker_messages import (
    Apply,
    FromWorker,
    HouseWork,
    Mutate,
    Outcome,
    Step,
    Told,
    unpack_prepared,
)
from rewake.execution.worker_process import Worker
from rewake.execution.writer_desk import Delivery, Work, WriterDesk
from rewake.handoff import Handoff
from rewake.observability import logger
from rewake.storage import LogRow
from rewake.tallies import Histogram

_log = logger(__name__)

_LOG_SECONDS = 0.5
_message_of = attrgetter("message")


class WriterSeat:
    """Who writes now. Used from one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        call_log: CallLog,
        on_group: Callable[[GroupReport], None],
        on_lost: Callable[[], None],
        told_ts: int,
    ) -> None:
        self._database = database
        self._call_log = call_log
        self._on_group = on_group
        self._on_lost = on_lost
        self._line: WaitingLine[Work] = writer_line(database)
        self._desk = WriterDesk(self._line, database.limits)
        self.told_ts = told_ts
        """The newest timestamp that was told upward."""
        self.worker: Worker | None = None
        """Who sits here; None from a death until the next one is seated."""
        self._is_held = False
        self._will_pump = False  # Set by work that was handed in; cleared by the next pump.
        self._idle: list[asyncio.Future[None]] = []
        self._recovering: set[asyncio.Task[None]] = set()

    def hand_in(self, make: Callable[[int], Mutate | HouseWork], lane: Lane = HOUSE) -> Handoff[Any]:
        """Have work done. To be awaited is its `Outcome`, of a mutation the `MutationOutcome`: after COMMIT,
        when `on_group` was told.

        Raises, here or where it is awaited:
            Overloaded: it would wait, or has waited, for too long; it was not begun.
        """
        asker: Handoff[Any] = Handoff()
        worker = self.worker
        is_open = worker is not None and worker.is_alive and not self._is_held
        if not (is_open and self._desk.pass_through(make, asker)):
            self._desk.hand_in(make, asker, lane)
        if not self._will_pump:
            # In the next turn of the loop: what is handed in together goes to the worker in one piece.
            self._will_pump = True
            asyncio.get_running_loop().call_soon(self._pump)
        return asker

    @property
    def queued(self) -> int:
        """Pieces of work that were handed in and not yet answered."""
        return len(self._desk)

    @property
    def waits(self) -> Histogram:
        """How long mutations waited."""
        return self._line.waits

    def seat(self, worker: Worker) -> None:
        """Let `worker` write from now on. Whoever sat here before has finished."""
        before, self.worker = self.worker, worker
        if before is not None:
            before.hear = _nothing
            before.close()
        worker.hear = self._hear
        worker.ended.add_done_callback(lambda _: self._worker_ended(worker))
        self._pump()

    async def hold(self) -> None:
        """Send nothing more, and wait until the worker has nothing."""
        self._pump()  # What has passed through is the worker's already.
        self._is_held = True
        while not self._desk.is_idle:
            await self._idle_future()
        await self.recovered()

    def release(self) -> None:
        """Send again."""
        self._is_held = False
        self._pump()

    async def recovered(self) -> None:
        """Wait until it is known what writers that died have committed: nobody may sit down before."""
        while self._recovering:
            await asyncio.wait(self._recovering)

    async def apply(
        self,
        worker: Worker,
        invocation: str,
        evidence: Evidence | None,
        *,
        is_start: bool,
        deploy: DeployNote | None = None,
    ) -> tuple[SchemaChange, GroupReport]:
        """Have `worker`, which does not sit here yet, commit its own code as the code that serves. The seat
        is held. The report is for the caller to pass on, once it serves that code.

        Raises:
            WorkerLost: it died, and the log says that nothing was committed.
            SchemaMismatch: a document does not fit.
            SchemaWorkLeft: something has to be done first.
        """
        try:
            told = await worker.ask(Apply(0, invocation, evidence, is_start, deploy))
        except WorkerLost:
            rows = await self._untold()
            if all(row.invocation != invocation for row in rows):
                raise
            return SchemaChange(), GroupReport(tuple(rows), rows[-1].ts)
        assert isinstance(told, Told)
        (outcome,) = told.outcomes
        if outcome.error is not None:
            raise outcome.error.error()
        assert outcome.changed is not None
        return outcome.changed, GroupReport(tuple(told.rows), told.last_ts)

    async def step_unseated(self, worker: Worker, step: Step) -> Outcome:
        """Have `worker` do a step of a schema change while nobody sits here: before the first push.

        Raises:
            WorkerLost: it died.
        """
        await self.recovered()
        told = await worker.ask(step)
        assert isinstance(told, Told)
        (outcome,) = told.outcomes
        if outcome.error is not None:
            raise outcome.error.error()
        self.tell(GroupReport(tuple(told.rows), told.last_ts))
        return outcome

    def tell(self, report: GroupReport) -> None:
        """Pass the news of a group on."""
        self.told_ts = max(self.told_ts, report.last_ts)
        try:
            self._on_group(report)
        except Exception:
            _log.exception("the news of a commit group could not be taken in")

    async def drain(self, seconds: float) -> None:
        """Wait until everything that was handed in is done, but not for ever; what is left is lost."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not self._desk.is_empty and loop.time() < deadline:
            await asyncio.wait([self._idle_future()], timeout=0.1)
            self._pump()
        for work in self._desk.give_up():
            if not work.asker.done():
                work.asker.set_exception(WorkerLost())

    async def close(self) -> Worker | None:
        """Let whoever sits here go, when everything was drained; returns it."""
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.hear = _nothing
            worker.close()
        await self.recovered()
        return worker

    # Events.

    def _pump(self) -> None:
        self._will_pump = False
        worker = self.worker
        if worker is None or not worker.is_alive or self._is_held:
            return
        taken, delivered = self._desk.take()
        while delivered:
            self._tell_askers(delivered)
            more, delivered = self._desk.take()
            taken += more
        if taken:
            worker.send(*map(_message_of, taken))
        if self._idle and self._desk.is_idle:
            self._wake_idle()

    def _hear(self, message: FromWorker) -> None:
        if isinstance(message, Told):
            ran = 0
            for outcome in message.outcomes:
                ran += outcome.result is not None
            self.tell(GroupReport(tuple(message.rows), message.last_ts, ran, message.commit_seconds))
            self._tell_askers(self._desk.told(message))
            if self._desk.has_more:
                for work in self._desk.too_late():
                    if not work.asker.done():
                        work.asker.set_exception(self._desk.refusal())
                self._pump()
            if self._idle and self._desk.is_idle:
                self._wake_idle()

    def _worker_ended(self, worker: Worker) -> None:
        if worker is self.worker:
            self.worker = None
            task = asyncio.ensure_future(self._recover(worker))
            self._recovering.add(task)
            task.add_done_callback(self._recovering.discard)

    async def _recover(self, worker: Worker) -> None:
        """Find out what a dead worker has committed, and put the rest back."""
        while True:
            try:
                rows = await self._untold()
                break
            except Exception:
                _log.exception("the commit log cannot be read after a writer's death; it is tried again")
                await pause(_LOG_SECONDS)
        self._settle(worker, rows)

    def _settle(self, worker: Worker, rows: Sequence[LogRow]) -> None:
        if rows:
            self.tell(GroupReport(tuple(rows), rows[-1].ts))
        delivered = self._desk.died(
            prepared=unpack_prepared(worker.left).outcomes,
            running=worker.marked[0] if worker.marked is not None else None,
            cut_off=cut_off(self._database.limits) if worker.is_cut_off else None,
            given_up=lambda work: given_up(_path(work)),
            committed={row.invocation for row in rows},
            ts=self.told_ts,
        )
        self._tell_askers(delivered)
        self._wake_idle()
        self._on_lost()

    async def _untold(self) -> list[LogRow]:
        """The commit log above what was told, on disk."""

        def read() -> list[LogRow]:
            rows = list(self._database.log_rows(after=self.told_ts))
            if rows:
                self._database.engine.sync_log()
            return rows

        return await asyncio.to_thread(read)

    def _tell_askers(self, delivered: Sequence[Delivery]) -> None:
        self._call_log.extend([each.record for _, each in delivered if each.record is not None])
        for work, outcome in delivered:  # Who asked and has gone away misses nothing.
            if outcome.error is not None:
                work.asker.set_exception(outcome.error.error())
            else:
                work.asker.set_result(outcome.mutated if isinstance(work.message, Mutate) else outcome)

    # Waiting for idleness.

    def _idle_future(self) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        return future

    def _wake_idle(self) -> None:
        waiting, self._idle = self._idle, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def _nothing(message: FromWorker) -> None:
    """For a worker that is leaving."""


def _path(work: Work) -> str:
    return work.message.path if isinstance(work.message, Mutate) else "of the house"
