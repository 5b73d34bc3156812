"""Questions travel together where that is quick, and each gets its own answer whatever befalls the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import ANONYMOUS
from rewake.database import ReadSet
from rewake.environment import ManualClock
from rewake.errors import RewakeError, Unavailable
from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.calls import Failure, FunctionCall, Success, Visibility
from rewake.execution.error_facts import ErrorFacts
from rewake.execution.lanes import WAVES, Lane
from rewake.execution.questions import BATCH_QUESTIONS_MAX, Paces
from rewake.execution.reader_pool import ReaderPool
from rewake.execution.runner import QueryJob, QueryRun, RunnerClosed
from rewake.execution.waiting_line import ReadersOverloaded, WaitingLine
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_messages import Failed, OpenWave, Ran, Run
from tests.execution.worker_stage import CallFailed, Stage, play, query_job, value_of

CALLER = Lane("somebody")
CUT_OFF = Failure("took too long")


def job(path: str) -> QueryJob:
    return QueryJob(FunctionCall(path, "{}"), ANONYMOUS, Visibility.PUBLIC)


def run_of(value: str) -> QueryRun:
    return QueryRun(Success(value), None, ReadSet(), False, False, "")


def sent_run(value: str, seconds: float) -> Run:
    return Run.of(run_of(value), CallRecord("", "query", seconds, (), None, None, ""))


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

    @property
    def is_alive(self) -> bool:
        return not self.ended.done()

    @property
    def mark(self) -> Any:
        return self

    def read(self) -> tuple[int, float] | None:
        return self.marked

    def send(self, message: Any) -> None:
        self.sent.append(message)
        self.was_asked.set()

    def close(self) -> None:
        self.is_closed = True

    @property
    def asked(self) -> list[list[str]]:
        """The paths of each message."""
        return [[query.path for query in sent.jobs] for sent in self.sent if isinstance(sent, OpenWave)]

    def answer(self, *values: str, ts: int = 7, seconds: float = 1e-5) -> None:
        self.hear(Ran(ts, [sent_run(value, seconds) for value in values]))

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
        self.pool = ReaderPool(
            call_log=self.log,
            on_lost=lambda: None,
            code_hash=lambda path: None,
            cut_off=CUT_OFF,
            line=line,
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
            run, ts, _ = await self.pool.pose(job(path), CALLER)
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
            reader.was_asked.clear()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def tell(readers: int, story: Callable[[Readers], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(story(Readers(readers)), 60)

    asyncio.run(run())


def test_what_is_asked_in_one_turn_is_one_message_and_each_gets_its_own_answer() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b")
        asking = [house.ask(path) for path in ("m:a", "m:b", "m:a")]
        await turns()
        (reader,) = house.readers
        assert reader.asked == [["m:a", "m:b", "m:a"]]
        assert [sent.is_in_parts for sent in reader.sent] == [True]
        late = house.ask("m:b")
        await turns()
        reader.answer("1", "2", ts=8)
        reader.answer("3", ts=8)
        assert await asyncio.gather(*asking) == [("1", 8), ("2", 8), ("3", 8)]
        assert reader.asked == [["m:a", "m:b", "m:a"], ["m:b"]]
        reader.answer("4", ts=9)
        assert await late == ("4", 9)
        assert len(house.log.records) == 6

    tell(1, story)


def test_a_function_that_nobody_knows_or_that_is_slow_goes_alone() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:quick")
        await house.know("m:slow", seconds=0.1)
        asking = [house.ask(path) for path in ("m:quick", "m:slow", "m:quick", "m:new", "m:quick")]
        await turns()
        (reader,) = house.readers
        for answered in (1, 1, 1, 1, 1):
            await turns()
            reader.answer(*["x"] * answered)
        await asyncio.gather(*asking)
        assert reader.asked == [["m:quick"], ["m:slow"], ["m:quick"], ["m:new"], ["m:quick"]]

    tell(1, story)


def test_a_batch_has_a_bound() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        asking = [house.ask("m:a") for _ in range(BATCH_QUESTIONS_MAX + 3)]
        await turns()
        (reader,) = house.readers
        reader.answer(*["x"] * BATCH_QUESTIONS_MAX)
        reader.answer("x", "x", "x")
        await asyncio.gather(*asking)
        assert [len(each) for each in reader.asked] == [BATCH_QUESTIONS_MAX, 3]

    tell(1, story)


def test_a_wave_keeps_its_turn_among_questions() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        first = house.ask("m:a")
        await turns()
        wave = asyncio.ensure_future(house.pool.take(WAVES))
        await turns()
        second = house.ask("m:a")
        await turns()
        (reader,) = house.readers
        reader.answer("1")
        # Callers and the house have turns of their own: whoever is first, the other is next.
        await turns()
        if wave.done():
            house.pool.give_back(await wave)
            await turns()
            reader.answer("2")
        else:
            reader.answer("2")
            await turns()
            house.pool.give_back(await wave)
        assert [(await first)[0], (await second)[0]] == ["1", "2"]

    tell(1, story)


def test_who_is_held_up_goes_elsewhere_and_the_first_answer_counts() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b")
        asking = [house.ask("m:a"), house.ask("m:b")]
        await turns()
        (stuck,) = [reader for reader in house.readers if reader.sent]
        stuck.marked = (0, 0.0)
        (other,) = [reader for reader in house.readers if reader is not stuck]
        await other.was_asked.wait()
        assert other.asked == [["m:b"]]
        other.answer("from the other")
        assert await asking[1] == ("from the other", 7)
        stuck.answer("at last", "too late")
        assert await asking[0] == ("at last", 7)
        assert not house.pool.busy

    tell(2, story)


def test_a_reader_that_dies_takes_only_the_question_that_it_dies_of() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:crash", "m:b")
        asking = [house.ask(path) for path in ("m:a", "m:crash", "m:b")]
        await turns()
        house.readers[0].answer("a")
        house.readers[0].die(at=1)
        await turns()
        second = house.add()
        await turns()
        assert second.asked == [["m:crash", "m:b"]]
        second.die(at=0)
        await turns()
        third = house.add()
        await turns()
        third.answer("b")
        assert [await each for each in (asking[0], asking[2])] == [("a", 7), ("b", 7)]
        message, ts = await asking[1]
        assert "m:crash" in message
        assert ts < 0

    tell(1, story)


def test_a_question_that_is_cut_off_fails_at_once() -> None:
    async def story(house: Readers) -> None:
        asking = house.ask("m:spin")
        await turns()
        house.readers[0].is_cut_off = True
        house.readers[0].die(at=0)
        assert await asking == (CUT_OFF.message, -1)

    tell(1, story)


def test_readers_that_die_of_nothing_are_borne_for_a_while() -> None:
    async def story(house: Readers) -> None:
        asking = house.ask("m:a")
        for _ in range(5):
            await turns()
            house.readers[-1].die()
            await turns()
            house.add()
        with pytest.raises(WorkerLost):
            await asking

    tell(1, story)


def test_an_error_is_for_the_first_without_an_answer_and_the_rest_are_asked_again() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", "m:b", "m:c")
        asking = [house.ask(path) for path in ("m:a", "m:b", "m:c")]
        await turns()
        (reader,) = house.readers
        reader.answer("a")
        reader.hear(Failed(ErrorFacts.of(Unavailable("the disk is gone"))))
        with pytest.raises(RewakeError, match="the disk is gone"):
            await asking[1]
        await turns()
        assert reader.asked == [["m:a", "m:b", "m:c"], ["m:c"]]
        reader.answer("c")
        assert await asking[2] == ("c", 7)

    tell(1, story)


def test_who_gave_up_is_not_asked_for() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a")
        first = house.ask("m:a")
        await turns()
        gone, waits = house.ask("m:a"), house.ask("m:a")
        await turns()
        gone.cancel()
        await turns()
        (reader,) = house.readers
        reader.answer("1")
        assert reader.asked == [["m:a"], ["m:a"]]
        first.cancel()  # After its answer.
        reader.answer("2")
        assert await waits == ("2", 7)

    tell(1, story)


def test_closing_fails_who_waits_and_lets_who_travels_arrive() -> None:
    async def story(house: Readers) -> None:
        travels = house.ask("m:a")
        await turns()
        waits = house.ask("m:a")
        await turns()
        house.pool.close()
        with pytest.raises(RunnerClosed):
            await waits
        with pytest.raises(RunnerClosed):
            await house.ask("m:a")
        house.readers[0].answer("1")
        assert await travels == ("1", 7)
        assert house.readers[0].is_closed

    tell(1, story)


def test_how_long_a_function_takes_is_what_it_took_lately() -> None:
    paces = Paces()
    assert paces.of("m:a") == float("inf")
    paces.learn("m:a", run_of("1"), 0.8)
    assert paces.of("m:a") == 0.8
    paces.learn("m:a", run_of("1"), 0.0)
    assert paces.of("m:a") == pytest.approx(0.7)
    paces.learn("m:a", run_of("1"), 1.5)
    assert paces.of("m:a") == pytest.approx(0.8)
    failed = QueryRun(Failure("no such function"), None, ReadSet(), False, False, "")
    paces.learn("m:made up", failed, 0.1)
    assert paces.of("m:made up") == float("inf")


def test_a_little_more_waits_for_a_reader_that_is_back_soon_and_much_does_not() -> None:
    async def story(house: Readers) -> None:
        await house.know("m:a", seconds=0.0002)
        asking = [house.ask("m:a")]
        await turns()
        (first,) = [reader for reader in house.readers if reader.sent]
        (second,) = [reader for reader in house.readers if not reader.sent]
        asking += [house.ask("m:a"), house.ask("m:a")]
        await turns()
        assert not second.sent
        first.answer("1", seconds=0.0002)
        assert first.asked == [["m:a"], ["m:a", "m:a"]]
        asking += [house.ask("m:a") for _ in range(3)]
        await turns()
        assert second.asked == [["m:a"] * 3]
        first.answer("2", "3")
        second.answer("4", "5", "6")
        assert [(await each)[0] for each in asking] == ["1", "2", "3", "4", "5", "6"]

    tell(2, story)


def test_in_processes_a_crash_a_loop_and_an_error_in_a_batch_are_each_their_own(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        await stage.query("main:get", name="a")
        # As if they had been quick until now.
        paths = ("main:crash_reading", "main:spin_reading", "main:nothing", "main:get")
        stage.runner._readers._paces._seconds.update(dict.fromkeys(paths, 1e-5))

        async def ask(path: str, **args: Any) -> Any:
            run, ts = await stage.runner.ask(query_job(path, **args))
            assert ts > 0
            return run.result

        answers = await asyncio.gather(
            ask("main:get", name="a"),
            ask("main:crash_reading"),
            ask("main:get", name="b"),
            ask("main:spin_reading"),
            ask("main:get", name="a"),
            ask("main:nothing"),
            ask("main:get", name="a"),
        )
        assert [value_of(answers[number]) for number in (0, 2, 4, 6)] == [1.0, 0.0, 1.0, 1.0]
        for number in (1, 3, 5):
            with pytest.raises(CallFailed):
                value_of(answers[number])

    play(tmp_path, story)
