"""Readers are few, come back whatever happens, and end when told."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from rewake.environment import Environment
from rewake.execution.lines import reader_line
from rewake.execution.reader_threads import ReaderThreads
from rewake.execution.waiting_line import WaitingLine
from rewake.limits import DEFAULT_LIMITS


class FakeSnapshot:
    def __init__(self, reader: FakeReader) -> None:
        self.ts = 7
        self._reader = reader

    def end(self) -> None:
        self._reader.is_reading = False


class FakeReader:
    def __init__(self) -> None:
        self.is_reading = False
        self.is_closed = False

    def begin(self) -> FakeSnapshot:
        assert not self.is_reading, "the last snapshot was not ended"
        self.is_reading = True
        return FakeSnapshot(self)

    def begin_at(self, ts: int) -> FakeSnapshot:
        raise ValueError("too old")

    def close(self) -> None:
        assert not self.is_reading
        self.is_closed = True


def new_line() -> WaitingLine[Any]:
    return reader_line(SimpleNamespace(environment=Environment(), limits=DEFAULT_LIMITS))  # type: ignore[arg-type]


class Stage:
    def __init__(self, count: int = 1) -> None:
        self.opened: list[FakeReader] = []
        self.may_run = threading.Event()
        self.may_run.set()
        self.is_running = threading.Event()
        self.threads = ReaderThreads(count, open_reader=self.open_reader, run=self.run, line=new_line())  # type: ignore[arg-type]

    def open_reader(self) -> FakeReader:
        self.opened.append(FakeReader())
        return self.opened[-1]

    def run(self, snapshot, job):
        self.is_running.set()
        assert self.may_run.wait(5)
        if job == "fail":
            raise RuntimeError("no")
        return f"{job}@{snapshot.ts}"


def play(story, count: int = 1) -> None:
    async def run() -> None:
        stage = Stage(count)
        stage.threads.start()
        await asyncio.wait_for(story(stage), 5)
        await asyncio.wait_for(stage.threads.close(), 5)
        assert all(reader.is_closed for reader in stage.opened)

    asyncio.run(run())


def test_a_wave_runs_its_jobs_and_more_on_one_snapshot():
    async def story(stage: Stage) -> None:
        wave = await stage.threads.open_wave(["a", "b"], at=None)  # type: ignore[list-item]
        assert (wave.ts, list(wave.runs)) == (7, ["a@7", "b@7"])
        assert await wave.more(["c"]) == ["c@7"]  # type: ignore[list-item]
        await wave.close()
        await wave.close()
        assert not stage.opened[0].is_reading

    play(story)


@pytest.mark.parametrize(("jobs", "at"), [(["fail"], None), ([], 3)])
def test_a_step_that_fails_gives_the_reader_back(jobs, at):
    async def story(stage: Stage) -> None:
        for _ in range(3):
            with pytest.raises((RuntimeError, ValueError)):
                await stage.threads.open_wave(jobs, at=at)
        wave = await stage.threads.open_wave(["a"], at=None)  # type: ignore[list-item]
        with pytest.raises(RuntimeError):
            await wave.more(["fail"])  # type: ignore[list-item]
        await wave.close()

    play(story)


def test_a_caller_who_goes_away_leaves_the_reader_at_rest():
    async def story(stage: Stage) -> None:
        stage.may_run.clear()
        going = asyncio.ensure_future(stage.threads.open_wave(["a"], at=None))  # type: ignore[list-item]
        await asyncio.to_thread(stage.is_running.wait, 5)
        waiting = asyncio.ensure_future(stage.threads.open_wave(["b"], at=None))  # type: ignore[list-item]
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        stage.may_run.set()
        wave = await waiting
        assert list(wave.runs) == ["b@7"]
        await wave.close()

    play(story)


def test_close_waits_for_waves_under_way():
    async def story(stage: Stage) -> None:
        wave = await stage.threads.open_wave([], at=None)
        closing = asyncio.ensure_future(stage.threads.close())
        await asyncio.sleep(0)
        assert not closing.done()
        await wave.close()
        await closing

    async def run() -> None:
        stage = Stage()
        stage.threads.start()
        await asyncio.wait_for(story(stage), 5)

    asyncio.run(run())


def test_a_reader_that_cannot_be_opened_closes_those_that_were():
    async def run() -> None:
        stage = Stage(2)

        def open_reader() -> FakeReader:
            if stage.opened:
                raise OSError("no")
            return stage.open_reader()

        threads = ReaderThreads(2, open_reader=open_reader, run=stage.run, line=new_line())  # type: ignore[arg-type]
        with pytest.raises(OSError, match="no"):
            threads.start()
        assert stage.opened[0].is_closed
        await threads.close()

    asyncio.run(run())
