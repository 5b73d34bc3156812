"""A runner over plain dicts whose steps wait until the test lets them pass.

Between "snapshot taken", "executed", "outcome delivered" and "log row delivered" any amount of other things
may happen; here each of these steps is a gate that the test opens, so Hypothesis decides the order and can
shrink it.

    commit(key, value) -> history -> deliver() -> on_group        (in the order of the commits)
    open_wave ------ gate: begin ------ gate: executed -----> Wave -- more: gate
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rewake.auth import Identity
from rewake.database import ReadSet
from rewake.errors import Unavailable
from rewake.execution import WAVES, Failure, FunctionCall, GroupReport, Lane, QueryJob, QueryRun, Success
from rewake.execution.runner import asked_by_wave
from rewake.storage import LogRow, LogWrite
from rewake.values import encode_key, key_successor

BY_KEY, BY_VALUE, MODULES = 1, 2, 3
PATHS = ("m:get", "m:having", "m:whoami", "m:sometimes", "m:odd_fails", "m:dated", "m:page")


def call(path: str, key: str | int = "") -> FunctionCall:
    return FunctionCall(path, json.dumps({"key": key}))


def ended(text: str, end: str | None) -> str:
    """The text of a page that ends at `end`."""
    return text if end is None else f'{text[:-1]} up to {end}"'


@dataclass
class Answer:
    """What a query comes to at one timestamp."""

    result: Success | Failure
    read_set: ReadSet
    read_identity: bool
    read_clock: bool


def _point(*values: Any) -> tuple[bytes, bytes | None]:
    key = encode_key(list(values))
    return key, key + b"\0"


def _prefix(*values: Any) -> tuple[bytes, bytes | None]:
    key = encode_key(list(values))
    return key, key_successor(key)


@dataclass
class History:
    """Every state there ever was."""

    states: list[tuple[int, dict[str, int], int]] = field(default_factory=lambda: [(1, {}, 0)])
    """(timestamp, values by key, version of the code), oldest first."""

    @property
    def last_ts(self) -> int:
        return self.states[-1][0]

    def at(self, ts: int) -> tuple[dict[str, int], int]:
        _, values, version = next(state for state in reversed(self.states) if state[0] <= ts)
        return values, version

    def answer(self, called: FunctionCall, identity: Identity, ts: int) -> Answer:
        """A fresh evaluation at `ts`: what every live result is held against."""
        values, version = self.at(ts)
        key = json.loads(called.args)["key"]
        module = {MODULES: [_point("m")]}
        by_key = ReadSet({BY_KEY: [_point(key)], **module})
        who = identity.fingerprint
        found = values.get(key)
        text = f'"v{version} {called.path} {key} {found}"'
        match called.path:
            case "m:get" | "m:page":
                return Answer(Success(text), by_key, False, False)
            case "m:dated":
                return Answer(Success(text), by_key, False, True)
            case "m:having":
                keys = sorted(k for k, v in values.items() if v == key)
                read_set = ReadSet({BY_VALUE: [_prefix(float(key))], **module})
                return Answer(Success(f'"v{version} {keys}"'), read_set, False, False)
            case "m:whoami":
                return Answer(Success(f'"v{version} {who} {found}"'), by_key, True, False)
            case "m:sometimes":
                if found is not None and found % 2:
                    return Answer(Success(f'"v{version} {who} {found}"'), by_key, True, False)
                return Answer(Success(text), by_key, False, False)
            case "m:odd_fails" | "m:odd_ends":
                if found is not None and found % 2:
                    return Answer(Failure(f"v{version} odd {found}\n"), by_key, False, False)
                return Answer(Success(text), by_key, False, False)
        return Answer(Failure("Could not find\n"), ReadSet(module), False, False)


class SimulatedRunner:
    """Implements `execution.Runner`, except mutations, which the test commits by itself."""

    def __init__(self, history: History | None = None, *, is_gated: bool = False) -> None:
        self.history = history or History()
        self.is_gated = is_gated
        self.gates: list[asyncio.Future[None]] = []
        self.undelivered: deque[LogRow] = deque()
        self.runs: list[tuple[int, QueryJob]] = []
        self.ever_read: list[ReadSet] = []
        self.open_waves = 0
        self.seconds_each = 0.0
        """How long runs say that they took."""
        self.let_go: list[bool] = []
        """Of each wave: whether its snapshot is let go as soon as its runs are over."""
        self.waves_opened = 0
        self.asked_for = 0
        """How many waves were asked for; of those that wait at a gate, none is opened."""
        self.breaks_next = 0
        """How many of the next steps fail."""
        self.stuck_at: int | None = None
        """The timestamp that readers never get beyond."""
        self.on_group: Callable[[GroupReport], None] = lambda report: None

    # What the test does.

    def commit(self, *changes: tuple[str, int]) -> int:
        """Commit one mutation; its log row is not delivered yet."""
        values, version = self.history.at(self.history.last_ts)
        ts = self.history.last_ts + 10
        writes = []
        values = dict(values)
        for key, value in changes:
            old, point = values.get(key), encode_key([key])
            values[key] = value
            writes.append(
                LogWrite(
                    1,
                    key,
                    None if old is None else "{}",
                    "{}",
                    (
                        (BY_KEY, None if old is None else point, point),
                        (
                            BY_VALUE,
                            None if old is None else encode_key([float(old), key]),
                            encode_key([float(value), key]),
                        ),
                    ),
                )
            )
        self.history.states.append((ts, values, version))
        self.undelivered.append(LogRow(ts, f"i{ts}", tuple(writes)))
        return ts

    def deploy(self) -> int:
        """Commit new code of the one module."""
        values, version = self.history.at(self.history.last_ts)
        ts = self.history.last_ts + 10
        self.history.states.append((ts, values, version + 1))
        point = encode_key(["m"])
        keys = ((MODULES, point, point),)
        self.undelivered.append(LogRow(ts, f"i{ts}", (LogWrite(2, "m", "{}", "{}", keys),)))
        return ts

    def deliver(self, count: int | None = None) -> None:
        """Hand the oldest log rows to the front, as one group."""
        count = len(self.undelivered) if count is None else count
        rows = tuple(self.undelivered.popleft() for _ in range(count))
        if rows:
            self.on_group(GroupReport(rows, rows[-1].ts))

    def commit_and_deliver(self, *changes: tuple[str, int]) -> int:
        ts = self.commit(*changes)
        self.deliver()
        return ts

    # `Runner`.

    async def _pass_gate(self) -> None:
        if self.is_gated:
            gate = asyncio.get_running_loop().create_future()
            self.gates.append(gate)
            await gate
        else:
            await asyncio.sleep(0)
        if self.breaks_next:
            self.breaks_next -= 1
            raise Unavailable("the reader is gone")

    async def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> tuple[QueryRun, int]:
        return await asked_by_wave(self, job, lane)

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> SimulatedWave:
        self.asked_for += 1
        await self._pass_gate()
        latest = self.history.last_ts if self.stuck_at is None else self.stuck_at
        wave = SimulatedWave(self, latest if at is None else at)
        self.waves_opened += 1
        self.let_go.append(is_all)
        self.open_waves += 1
        try:
            wave.runs = await wave.more(jobs)
        except BaseException:
            await wave.close()
            raise
        return wave

    def code_hash(self, path: str) -> str | None:
        return f"h{self.history.at(self.history.last_ts)[1]}" if path.startswith("m") else None


class SimulatedWave:
    def __init__(self, runner: SimulatedRunner, ts: int) -> None:
        self._runner = runner
        self._is_open = True
        self.ts = ts
        self.runs: Sequence[QueryRun] = ()

    async def more(self, jobs: Sequence[QueryJob]) -> Sequence[QueryRun]:
        await self._runner._pass_gate()
        return [self._run(job) for job in jobs]

    def _run(self, job: QueryJob) -> QueryRun:
        runner = self._runner
        runner.runs.append((self.ts, job))
        path = job.call.path.replace(".js", "")
        answer = runner.history.answer(FunctionCall(path, job.call.args), job.identity, self.ts)
        runner.ever_read.append(answer.read_set)
        version = runner.history.at(self.ts)[1]
        if path == "m:odd_ends" and isinstance(answer.result, Failure):
            packed = ReadSet({MODULES: [_point("m")]}).to_wire()
            return QueryRun(answer.result, None, packed, False, False, f"h{version}", is_lost=True)
        result, journal = answer.result, None
        if path == "m:page":
            # A page that ends where its first run found the end: here, at that run's timestamp.
            assert isinstance(result, Success)
            journal = job.journal or f"end {self.ts}"
            result = Success(ended(result.value, journal))
        return QueryRun(
            result,
            journal,
            answer.read_set.to_wire(),
            answer.read_identity,
            answer.read_clock,
            f"h{version}" if job.call.path.startswith("m") else "",
            runner.seconds_each,
        )

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._runner.open_waves -= 1
