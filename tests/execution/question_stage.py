"""A pool of readers that answer when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from rewake.auth import ANONYMOUS
from rewake.database import ReadSet
from rewake.environment import ManualClock
from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.calls import Failure, FunctionCall, Success, Visibility
from rewake.execution.lanes import Lane
from rewake.execution.reader_pool import ReaderPool
from rewake.execution.runner import QueryJob, QueryRun
from rewake.execution.switch_moment import SwitchMoment
from rewake.execution.waiting_line import ReadersOverloaded, WaitingLine
from rewake.execution.worker_messages import OpenWave, Ran
from rewake.handoff import Handoff

CALLER = Lane("somebody")
CUT_OFF = Failure("took too long")


def job(path: str) -> QueryJob:
    return QueryJob(FunctionCall(path, "{}"), ANONYMOUS.fingerprint, Visibility.PUBLIC)


def run_of(value: str, seconds: float = 0.0) -> QueryRun:
    return QueryRun(Success(value), None, ReadSet().to_wire(), False, False, "", seconds)


def record_of(seconds: float) -> CallRecord:
    return CallRecord("", "query", seconds, (), None, None, "")


NOW = 70
"""The timestamp of a wave without a query."""


@dataclass(eq=False)
class FakeReader:
    """A reader that answers when the test says so."""

    ended: asyncio.Future[None]
    hear: Callable[[Any], None] = lambda message: None
    sent: list[Any] = field(default_factory=list)
    marked: tuple[int, float] | None = None
    is_cut_off: bool = False
    is_closed: bool = False
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    answers: int = 0
    """How many of the messages are answered."""

    @property
    def is_alive(self) -> bool:
        return not self.ended.done()

    @property
    def mark(self) -> Any:
        return self

    def read(self) -> tuple[int, float] | None:
        return self.marked

    def ask(self, message: Any) -> Handoff[Any]:
        """Of waves only those without a query are asked for here: they are answered at once."""
        assert message == OpenWave([], None)
        asked: Handoff[Any] = Handoff()
        asked.set_result(Ran(NOW, [], []))
        return asked

    def send(self, message: Any) -> None:
        self.sent.append(message)
        self.was_asked.set()

    def close(self) -> None:
        self.is_closed = True

    @property
    def asked(self) -> list[list[str]]:
        """The paths of each message."""
        return [[job.call.path for job in sent.jobs] for sent in self.sent if isinstance(sent, OpenWave)]

    def answer(self, *values: str, ts: int = 7, seconds: float = 1e-5) -> None:
        self.answers += 1
        runs = [run_of(value, seconds) for value in values]
        self.hear(Ran(ts, runs, [record_of(seconds) for _ in values]))

    def die(self, at: int | None = None) -> None:
        self.marked = None if at is None else (at, 0.0)
        self.ended.set_result(None)


class Readers:
    """A pool of fake readers."""

    def __init__(self, count: int) -> None:
        line: WaitingLine[Any] = WaitingLine(
            ReadersOverloaded,
            now=ManualClock().monotonic,
            chance=lambda: 0.0,
            wait_seconds_max=1.0,
            waiting_max=1000,
            house_turn=4,
        )
        self.log = CallLog()
        self.told_ts = 7
        self.switch = SwitchMoment(lambda: self.told_ts)
        self.switch.since = 8
        self.pool = ReaderPool(
            call_log=self.log,
            on_lost=lambda: None,
            code_hash=lambda path: None,
            cut_off=CUT_OFF,
            line=line,
            switch=self.switch,
        )
        self.readers: list[FakeReader] = []
        for _ in range(count):
            self.add()

    def add(self) -> FakeReader:
        reader = FakeReader(asyncio.get_running_loop().create_future())
        self.readers.append(reader)
        self.pool.add(reader)  # type: ignore[arg-type]
        return reader

    def ask(self, path: str) -> asyncio.Task[tuple[str, int]]:
        async def asking() -> tuple[str, int]:
            run, ts = await self.pool.desk.pose(job(path), CALLER)
            return run.result.value if isinstance(run.result, Success) else run.result.message, ts

        return asyncio.ensure_future(asking())

    async def know(self, *paths: str, seconds: float = 1e-5) -> None:
        """Have each of these run once, alone."""
        for path in paths:
            asking = self.ask(path)
            await turns()
            (reader,) = [each for each in self.readers if each in self.pool.busy]
            reader.answer("", seconds=seconds)
            await asking
        for reader in self.readers:
            reader.sent.clear()
            reader.answers = 0
            reader.was_asked.clear()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def tell(readers: int, story: Callable[[Readers], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        house = Readers(readers)
        await asyncio.wait_for(story(house), 60)
        desk = house.pool.desk
        travelling = [batch.questions for batches in desk._batches.values() for batch in batches]
        assert desk._travelling == sum(map(len, travelling))

    asyncio.run(run())
