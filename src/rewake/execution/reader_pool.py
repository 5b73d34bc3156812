"""The reader pool: worker processes that hold one snapshot each while queries run on it.

Floor 3, `execution`. A wave takes an idle reader, runs there, and gives it back. A reader that dies takes no
wave with it: its queries run again on another, at the same timestamp where the wave has one; the query that
was running at two deaths, or that took too long, fails.

    open_wave(jobs) -> idle reader -> OpenWave -> Ran -> Wave -> (More -> Ran)* -> EndWave -> idle
    desk.pose(job) -> a reader's batches -> OpenWave -> Ran* -> idle

Not here: where workers come from, which code is current (`worker_runner.py`), who travels with whom
(`question_desk.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rewake.database import ReadSet, module_read_set
from rewake.execution.analysis import module_of
from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.calls import Failure
from rewake.execution.idle_queue import IdleQueue, Taker
from rewake.execution.lanes import WAVES, Lane
from rewake.execution.question_desk import QuestionDesk
from rewake.execution.runner import QueryJob, QueryRun, RunnerClosed
from rewake.execution.switch_moment import SwitchMoment
from rewake.execution.waiting_line import WaitingLine
from rewake.execution.worker_failures import WorkerLost, given_up
from rewake.execution.worker_messages import EndWave, FromFront, FromWorker, More, OpenWave, Ran
from rewake.execution.worker_process import Worker
from rewake.handoff import Handoff

_DEATHS_MAX = 2
_LOSSES_MAX = 5


class ReaderPool:
    """The readers of one deployment. Used from one event loop."""

    def __init__(
        self,
        *,
        call_log: CallLog,
        on_lost: Callable[[], None],
        code_hash: Callable[[str], str | None],
        cut_off: Failure,
        line: WaitingLine[Taker[Worker]],
        switch: SwitchMoment | None = None,
    ) -> None:
        """`switch` is that of the code of these readers, where it can be replaced by other."""
        self._switch = switch
        self._call_log = call_log
        self._cut_off = cut_off
        self._on_lost = on_lost
        self._code_hash = code_hash
        self._idle: IdleQueue[Worker] = IdleQueue(line)
        self.waits = line.waits
        """How long waves waited for a reader."""
        self._current: set[Worker] = set()
        self.desk = QuestionDesk(self, self._idle)
        """Who asks a question once poses it here."""
        self.version = 0
        """Counts versions of the code."""
        self.busy: set[Worker] = set()
        """Readers with a wave; whoever watches the time limit looks at their marks."""

    @property
    def size(self) -> int:
        """Readers that are there."""
        return len(self._current)

    @property
    def workers(self) -> list[Worker]:
        """The readers that are there."""
        return list(self._current)

    def add(self, worker: Worker) -> None:
        """Let a reader take waves."""
        self._current.add(worker)
        worker.ended.add_done_callback(lambda _: self._worker_ended(worker))
        if worker.is_alive:
            self._idle.put(worker)

    def replace(self, workers: Sequence[Worker]) -> list[Worker]:
        """Let these take all waves from now on. Those from before finish theirs, end, and are returned."""
        before = list(self._current)
        self.version += 1
        self._current.clear()
        for worker in self._idle.empty():
            worker.close()
        for worker in workers:
            self.add(worker)
        return before

    def is_current(self, worker: Worker) -> bool:
        """Whether a reader is one of those that take waves now."""
        return worker in self._current

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None, lane: Lane = WAVES, is_all: bool = False
    ) -> WorkerWave:
        """Take a snapshot and run `jobs` on it. Where these `is_all`, the latest one is let go at once.

        Raises:
            Overloaded: it would wait for a reader for too long, or has.
            RewakeError: there can be no such snapshot.
        """
        while True:
            wave = WorkerWave(self, at, lane, is_all=is_all and at is None)
            wave.runs = await wave.run(jobs)
            switch = self._switch
            if switch is None or not switch.is_met(wave.ts, is_current=wave.is_of_current_code):
                return wave
            await wave.close()
            await switch.over()

    async def latest_ts(self, lane: Lane) -> int:
        """The timestamp of a snapshot that is taken now. What is raised: as `open_wave`."""
        wave = await self.open_wave([], at=None, lane=lane)
        await wave.close()
        return wave.ts

    def met_other_schema(self, worker: Worker, ts: int) -> bool:
        """Whether what a reader ran at `ts` counts for nothing: see `SwitchMoment.is_met`."""
        switch = self._switch
        return switch is not None and switch.is_met(ts, is_current=worker in self._current)

    async def switched(self) -> None:
        """Wait until it is known which code serves."""
        if self._switch is not None:
            await self._switch.over()

    async def take(self, lane: Lane) -> Worker:
        """An idle reader; waits for one.

        Raises:
            RunnerClosed: there will be none.
        """
        if self.desk.is_closed:
            raise RunnerClosed()
        worker = await self._idle.get(lane)
        if worker.is_alive:
            self.took(worker)
        return worker

    def give_back(self, worker: Worker, *, is_at_rest: bool = False) -> None:
        """A wave is over: its reader lets the snapshot go, if it `is_at_rest` it has, and takes the next."""
        if not is_at_rest:
            worker.send(EndWave())
        self.freed(worker)

    def took(self, worker: Worker) -> None:
        """A reader is at work."""
        self.busy.add(worker)

    def freed(self, worker: Worker, *, served: int = 1) -> None:
        """A reader has done all that it had: it is kept, or closed where it is of an older version."""
        self.busy.discard(worker)
        if worker not in self._current:
            worker.close()
            self.desk.serve_soon()
        elif worker.is_alive:
            self._idle.put(worker, served=served)

    def put_to_rest(self, worker: Worker, asked: Handoff[FromWorker], *, is_short: bool) -> None:
        """Whoever `asked` a reader went away while it works: who comes next must find it at rest."""

        def heard(message: FromWorker) -> None:
            worker.hear = _nothing
            self.give_back(worker, is_at_rest=is_short)

        if asked.is_settled:
            self.give_back(worker, is_at_rest=is_short)
        else:
            worker.hear = heard

    def heard(self, ran: Ran) -> None:
        """The records of an answer that is used go to the call log."""
        self._call_log.extend(ran.records)

    def failed(self, job: QueryJob, failure: Failure) -> QueryRun:
        """The run of a query that took its reader with it. It is asked again when its code changes, and when
        something changes that it was seen to read before.
        """
        path = job.call.path
        self._call_log.append(
            CallRecord(
                path=path,
                kind="query",
                seconds=0.0,
                log_lines=(),
                error=failure.message,
                traceback=None,
                request_id="",
                trace=job.trace,
                called_from=job.called_from,
            )
        )
        module = module_of(path)
        return QueryRun(
            result=failure,
            journal=None,
            packed_read_set=(module_read_set(module) if module is not None else ReadSet()).to_wire(),
            read_identity=False,
            read_clock=False,
            code_hash=self._code_hash(path) or "",
            is_lost=True,
        )

    def verdict(self, worker: Worker, job: QueryJob, deaths: int) -> Failure | None:
        """What to fail `job` with, which `worker` was running when it died; None to run it again."""
        if worker.is_cut_off:
            return self._cut_off
        return given_up(job.call.path) if deaths >= _DEATHS_MAX else None

    def close(self) -> list[Worker]:
        """End all readers; returns them."""
        self.desk.close()
        return self.replace([])

    def _worker_ended(self, worker: Worker) -> None:
        self.busy.discard(worker)
        self._idle.take_out(worker)
        self.desk.lost(worker)
        if worker in self._current:
            self._current.discard(worker)
            self._on_lost()


class WorkerWave:
    """A snapshot held by a reader process. Implements `Wave`."""

    def __init__(self, pool: ReaderPool, at: int | None, lane: Lane, *, is_all: bool) -> None:
        self._pool = pool
        self._lane = lane
        self._at = at
        self._is_all = is_all
        self._worker: Worker | None = None
        self._ran_on: Worker | None = None  # The reader of the latest runs, also where it was given back.
        self._version = -1
        self.ts = -1
        self.runs: list[QueryRun] = []

    @property
    def is_of_current_code(self) -> bool:
        """Whether the code that ran is the one that readers run now."""
        return self._ran_on is not None and self._pool.is_current(self._ran_on)

    async def run(self, jobs: Sequence[QueryJob]) -> list[QueryRun]:
        """Run `jobs` on the snapshot, which is taken now if there is none."""
        runs: dict[int, QueryRun] = {}
        deaths: dict[int, int] = {}
        losses = 0
        while True:
            left = [number for number in range(len(jobs)) if number not in runs] if runs else range(len(jobs))
            worker = self._worker or await self._pool.take(self._lane)
            if worker is not self._worker and self.ts >= 0 and self._version != self._pool.version:
                # Its reader died during a push: new code must not meet the schema of an old snapshot.
                self._pool.give_back(worker)
                raise WorkerLost()
            queries = [jobs[number] for number in left] if runs else jobs
            # Another reader goes on at the wave's own timestamp.
            at = self._at if self.ts < 0 else self.ts
            is_short = self._is_all and at is None
            message: FromFront = OpenWave(queries, at, is_short=is_short)
            if worker is self._worker:
                message = More(queries)
            asked = worker.ask(message)
            try:
                ran = await asked
            except WorkerLost:
                losses += 1
                self._worker = None
                if worker.marked is not None:
                    culprit = left[worker.marked[0]]
                    deaths[culprit] = deaths.get(culprit, 0) + 1
                    failure = self._pool.verdict(worker, jobs[culprit], deaths[culprit])
                    if failure is not None:
                        runs[culprit] = self._pool.failed(jobs[culprit], failure)
                elif losses >= _LOSSES_MAX:
                    raise
                continue
            except asyncio.CancelledError:
                self._worker = None
                self._pool.put_to_rest(worker, asked, is_short=is_short)
                raise
            except BaseException:
                self._worker = None
                self._pool.give_back(worker)
                raise
            assert isinstance(ran, Ran)
            if self._worker is None and self.ts < 0:
                self._version = self._pool.version if self._pool.is_current(worker) else -1
            self._worker = self._ran_on = worker
            self.ts = ran.ts
            if is_short:
                self._worker = None
                self._pool.give_back(worker, is_at_rest=True)
            self._pool.heard(ran)
            if not runs:
                return ran.runs
            runs.update(zip(left, ran.runs, strict=True))
            return [runs[number] for number in range(len(jobs))]

    async def more(self, jobs: Sequence[QueryJob]) -> list[QueryRun]:
        """Run further queries on the same snapshot."""
        return await self.run(jobs)

    async def close(self) -> None:
        """End the snapshot and free the reader. Harmless when done before."""
        worker, self._worker = self._worker, None
        if worker is not None:
            self._pool.give_back(worker)


def _nothing(message: FromWorker) -> None:
    """For a reader that nobody asked anything."""
