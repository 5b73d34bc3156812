"""A runner in one thread, whose every step waits for the world: the real database, the real functions.

What else happens in other threads and processes happens here when a step is taken, so that one seed decides
the order of everything (DESIGN D8):

    mutate -> queue -> write_group: begin, perform*, COMMIT -> told -> deliver: on_group, then the outcomes
    open_wave -> gate -> snapshot taken -> gate -> executed -> gate -> outcome delivered

A writer that dies before COMMIT leaves its mutations in the queue, in their order; one that dies after it
performs them again, and finds what was recorded. A reader that dies fails its wave.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rewake.database import (
    Database,
    DeployNote,
    OnProgress,
    Reader,
    SchemaChange,
    Snapshot,
    TrimResult,
    no_progress,
)
from rewake.errors import Unavailable
from rewake.execution import (
    WAVES,
    ActionJob,
    Calls,
    Failure,
    GroupReport,
    Lane,
    MutationJob,
    MutationOutcome,
    QueryJob,
    QueryRun,
    Registry,
    Success,
)
from rewake.execution.code_switch import apply_code
from rewake.execution.function_runs import FunctionRuns
from rewake.execution.runner import asked_by_wave
from rewake.handoff import Handoff

Death = Literal["lives", "dies before COMMIT", "dies after COMMIT"]


@dataclass(eq=False)
class Push:
    """New code on its way."""

    registry: Registry
    invocation: str


@dataclass(eq=False)
class Work:
    """What waits for the writer, and who waits for it."""

    job: MutationJob | Push
    asker: Handoff[Any]


class SeededRunner:
    """Implements `execution.Runner`."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._runs = FunctionRuns(database)
        self._group = database.group_commit()
        self._idle: list[Reader] = []
        self._versions: list[tuple[int, Registry]] = [(0, registry)]
        self.registry = registry
        self.queue: deque[Work] = deque()
        self.untold: deque[tuple[GroupReport, list[tuple[Work, Any]]]] = deque()
        self.gates: list[asyncio.Future[None]] = []
        self.lost_outcomes: set[tuple[str, int]] = set()
        """Replay keys of what was committed by a writer that died before it could tell."""
        self.reader_dies_next = False
        self.open_waves = 0
        self.on_group: Callable[[GroupReport], None] = lambda report: None
        self.on_commit: Callable[[Sequence[tuple[Work, Any]]], None] = lambda done: None
        """Hears what was committed, at COMMIT."""

    # What the world does.

    def write_group(self, count: int, death: Death = "lives") -> None:
        """Perform up to `count` of what waits as one group. A push takes a group for itself."""
        taken = [self.queue.popleft() for _ in range(min(count, len(self.queue)))]
        for place, work in enumerate(taken):
            if isinstance(work.job, Push) and len(taken) > 1:
                self.queue.extendleft(reversed(taken[max(1, place) :]))
                taken = taken[: max(1, place)]
                break
        if not taken:
            return
        self._group.begin()
        done = [(work, self._perform(work)) for work in taken]
        if death == "dies before COMMIT":
            self._group.rollback()
            self._versions = [version for version in self._versions if version[0] <= self._database.last_ts()]
            self.queue.extendleft(reversed(taken))
            return
        result = self._group.commit()
        self.on_commit(done)
        for work in taken:
            if isinstance(work.job, Push):
                self.registry = work.job.registry
        if death == "dies after COMMIT" and not isinstance(taken[0].job, Push):
            # The log is read again by whoever comes next; the outcomes are found by their replay keys.
            self.untold.append((GroupReport(tuple(result.rows), result.last_ts), []))
            for work in taken:
                if isinstance(work.job, MutationJob) and work.job.invocation.replay is not None:
                    replay = work.job.invocation.replay
                    self.lost_outcomes.add((replay.session, replay.request))
            self.queue.extendleft(reversed(taken))
            return
        self.untold.append((GroupReport(tuple(result.rows), result.last_ts), done))

    def _perform(self, work: Work) -> Any:
        if isinstance(work.job, Push):
            changes, ts = apply_code(self._group, work.job.registry, invocation=work.job.invocation)
            self._versions.append((ts, work.job.registry))
            return changes
        done = self._runs.perform(self._group, work.job, self.registry)
        assert done.error is None, done.error
        return done.outcome

    def deliver(self) -> None:
        """Tell the front of the oldest group: its rows first, then its outcomes."""
        if self.untold:
            report, done = self.untold.popleft()
            self.on_group(report)
            for work, outcome in done:
                if not work.asker.done():
                    work.asker.set_result(outcome)

    def pass_gate(self, place: int) -> None:
        """Let one wave go on."""
        if self.gates:
            gate = self.gates.pop(place % len(self.gates))
            if not gate.done():
                gate.set_result(None)

    def version_at(self, ts: int) -> Registry:
        """The code that belongs to a snapshot."""
        return next(code for since, code in reversed(self._versions) if since <= ts)

    # `Runner`.

    @property
    def analysis(self) -> Any:
        return self.registry.analysis()

    async def start(self, on_group: Callable[[GroupReport], None], calls: Calls | None = None) -> int:
        self.on_group = on_group
        return self._database.last_ts()

    async def mutate(self, job: MutationJob) -> MutationOutcome:
        outcome: MutationOutcome = await self._hand_in(job)
        return outcome

    async def push(
        self,
        code: Any,
        *,
        invocation: str,
        on_progress: OnProgress = no_progress,
        deploy: DeployNote | None = None,
    ) -> SchemaChange:
        # So little data that the switch does all of it (`database/rollout.py`).
        changes: SchemaChange = await self._hand_in(Push(code, invocation))
        return changes

    async def _hand_in(self, job: MutationJob | Push) -> Any:
        asker: Handoff[Any] = Handoff()
        self.queue.append(Work(job, asker))
        return await asker

    async def act(self, job: ActionJob) -> Success | Failure:
        raise AssertionError("nobody calls actions here")

    async def end_actions(self) -> None:
        """There are none."""

    async def tend(self) -> bool:
        raise AssertionError("nobody keeps house here")

    async def trim(self) -> TrimResult:
        raise AssertionError("nobody keeps house here")

    async def restart_log(self, patience_seconds: float) -> bool:
        raise AssertionError("nobody keeps house here")

    def code_hash(self, path: str) -> str | None:
        return self.registry.code_hash(path)

    async def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> tuple[QueryRun, int]:
        return await asked_by_wave(self, job, lane)

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> SeededWave:
        await self.gate()
        reader = self._idle.pop() if self._idle else self._database.reader()
        snapshot = reader.begin() if at is None else reader.begin_at(at)
        wave = SeededWave(self, reader, snapshot)
        self.open_waves += 1
        try:
            wave.runs = await wave.more(jobs)
        except BaseException:
            await wave.close()
            raise
        return wave

    async def gate(self) -> None:
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate
        if self.reader_dies_next:
            self.reader_dies_next = False
            raise Unavailable("the reader has died")

    def run(self, snapshot: Snapshot, job: QueryJob) -> QueryRun:
        return self._runs.query(snapshot, job, self.version_at(snapshot.ts))[0]

    def give_back(self, reader: Reader) -> None:
        self.open_waves -= 1
        self._idle.append(reader)

    async def close(self) -> None:
        self._group.close()
        for reader in self._idle:
            reader.close()


class SeededWave:
    """One snapshot on the way. Implements `execution.Wave`."""

    def __init__(self, runner: SeededRunner, reader: Reader, snapshot: Snapshot) -> None:
        self._runner = runner
        self._reader = reader
        self._snapshot: Snapshot | None = snapshot
        self.ts = snapshot.ts
        self.runs: Sequence[QueryRun] = ()

    async def more(self, jobs: Sequence[QueryJob]) -> Sequence[QueryRun]:
        await self._runner.gate()
        assert self._snapshot is not None
        runs = [self._runner.run(self._snapshot, job) for job in jobs]
        await self._runner.gate()
        return runs

    async def close(self) -> None:
        if self._snapshot is not None:
            self._snapshot.end()
            self._snapshot = None
            self._runner.give_back(self._reader)


def is_success(outcome: Any) -> bool:
    """Whether a mutation was committed."""
    return isinstance(outcome, MutationOutcome) and isinstance(outcome.result, Success)
