"""Actions in flight as the front sees them: places, time, and the end of the house. No action really runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from rewake.execution import CallLog, CallRecord, Failure, RunnerClosed, Success
from rewake.execution.action_desk import LOST, STOPPING, ActionDesk, TooManyActions, TooManySockets
from rewake.execution.runner import ActionJob
from rewake.limits import DEFAULT_LIMITS, Limits
from tests.execution.action_stage import job_of

FEW = replace(DEFAULT_LIMITS, actions_running_max=2, action_wait_seconds=0.01)
JOB = job_of("m:act")


class SocketJob(ActionJob):
    """A websocket that notes how it was closed."""

    closed: ClassVar[list[str]] = []

    @property
    def is_socket(self) -> bool:
        return True

    def close_socket(self, reason: str) -> None:
        self.closed.append(reason)


class Crew:
    """Starts what it is told to, and does nothing more."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.stopped: list[tuple[int, str]] = []
        self.refuses = False

    def start(self, number: int, job: ActionJob) -> None:
        if self.refuses:
            raise OSError("no")
        self.started.append(number)

    def stop(self, number: int, reason: str) -> None:
        self.stopped.append((number, reason))


class Stage:
    def __init__(self, limits: Limits) -> None:
        self.log = CallLog()
        self.desk = ActionDesk(limits, call_log=self.log)
        self.crew = Crew()

    async def begin(self, job: ActionJob = JOB) -> asyncio.Task[Success | Failure]:
        task = asyncio.create_task(self.desk.act(job, self.crew))
        before = len(self.crew.started)
        for _ in range(5):
            await asyncio.sleep(0)
            if len(self.crew.started) > before:
                break
        return task

    def finish(self, number: int, result: Success | Failure) -> None:
        self.desk.finished(number, result, CallRecord("m:act", "action", 0.0, (), None, None, "r"))


def play(story: Callable[[Stage], Coroutine[Any, Any, None]], limits: Limits = FEW) -> None:
    async def run() -> None:
        await asyncio.wait_for(story(Stage(limits)), 20)

    asyncio.run(run())


def test_each_caller_hears_what_became_of_its_own_action() -> None:
    async def story(stage: Stage) -> None:
        one, two = await stage.begin(), await stage.begin()
        stage.finish(2, Success("2.0"))
        stage.finish(1, Failure("no\n"))
        assert (await one, await two) == (Failure("no\n"), Success("2.0"))
        assert len(stage.log.records) == 2

    play(story)


def test_more_than_there_are_places_for_wait_and_are_refused_in_the_end() -> None:
    async def story(stage: Stage) -> None:
        one, _ = await stage.begin(), await stage.begin()
        with pytest.raises(TooManyActions) as refused:
            await stage.desk.act(JOB, stage.crew)
        assert refused.value.code == "TooManyConcurrentRequests"
        assert refused.value.message == (
            "Too many concurrent requests. Your backend is limited to 2 concurrent actions. To resolve, "
            "wait for running actions to finish or raise the setting actions_running_max."
        )
        stage.finish(1, Success("1.0"))
        await one
        await stage.begin()
        assert stage.crew.started == [1, 2, 3], "a place that became free is taken again"

    play(story)


def test_no_more_wait_for_a_place_than_may() -> None:
    async def story(stage: Stage) -> None:
        running = [await stage.begin() for _ in range(2)]
        waiting = await stage.begin()
        with pytest.raises(TooManyActions, match="limited to 2 concurrent actions"):
            await stage.desk.act(JOB, stage.crew)
        for number in (1, 2):
            stage.finish(number, Success("1"))
        await asyncio.gather(*running)
        while len(stage.crew.started) < 3:
            await asyncio.sleep(0)
        stage.finish(3, Success("2"))
        assert await waiting == Success("2")

    play(story, replace(FEW, actions_waiting_max=1, action_wait_seconds=20.0))


def test_one_that_waits_begins_when_a_place_becomes_free() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        await stage.begin()
        third = await stage.begin()
        assert stage.crew.started == [1, 2]
        stage.finish(1, Success("null"))
        while len(stage.crew.started) < 3:
            await asyncio.sleep(0)
        stage.finish(3, Success("3.0"))
        assert await third == Success("3.0")

    play(story, replace(FEW, action_wait_seconds=10.0))


def test_an_action_over_its_time_is_told_to_end_and_its_caller_does_not_wait_for_that() -> None:
    async def story(stage: Stage) -> None:
        act = await stage.begin()
        reason = (
            "Function execution timed out (maximum duration: 0.05s)\n"
            "[setting action_seconds_max, observed more than 0.05, limit 0.05]\n"
        )
        assert await act == Failure(reason)
        assert stage.crew.stopped == [(1, reason)]
        stage.finish(1, Success("late"))  # Nobody waits any more; only the log hears of it.
        assert len(stage.log.records) == 1
        assert (await stage.begin()).done() is False

    play(story, replace(FEW, action_seconds_max=0.05, actions_running_max=1))


def test_actions_of_a_dead_process_fail_and_are_not_begun_again() -> None:
    async def story(stage: Stage) -> None:
        one, two = await stage.begin(), await stage.begin()
        stage.desk.lost([1])
        assert await one == Failure("Transient error while executing action\n") == Failure(LOST)
        assert not two.done()
        assert stage.crew.started == [1, 2]
        [record] = stage.log.records
        assert (record.path, record.error, record.request_id) == ("m:act", LOST, JOB.request_id)
        stage.desk.lost([1, 99])
        assert len(stage.log.records) == 1

    play(story)


def test_a_caller_who_goes_away_does_not_end_what_has_begun() -> None:
    async def story(stage: Stage) -> None:
        act = await stage.begin()
        act.cancel()
        with pytest.raises(asyncio.CancelledError):
            await act
        assert stage.crew.stopped == []
        stage.finish(1, Success("null"))
        assert len(stage.log.records) == 1

    play(story)


def test_a_crew_that_cannot_start_gives_the_place_back() -> None:
    async def story(stage: Stage) -> None:
        stage.crew.refuses = True
        for _ in range(5):
            with pytest.raises(OSError, match="no"):
                await stage.desk.act(JOB, stage.crew)
        stage.crew.refuses = False
        assert not (await stage.begin()).done()

    play(story)


def test_closing_gives_those_that_run_a_little_time_and_then_stops_them() -> None:
    async def story(stage: Stage) -> None:
        quick, slow = await stage.begin(), await stage.begin()
        closing = asyncio.create_task(stage.desk.close(stage.crew, grace_seconds=0.05))
        await asyncio.sleep(0)
        stage.finish(1, Success("in time"))
        await closing
        assert await quick == Success("in time")
        assert await slow == Failure(STOPPING)
        assert stage.crew.stopped == [(2, STOPPING)]
        with pytest.raises(RunnerClosed):
            await stage.desk.act(JOB, stage.crew)
        await stage.desk.close(stage.crew, grace_seconds=10)  # Nothing is left to wait for.

    play(story)


def test_one_that_waits_for_a_place_when_the_house_closes_does_not_begin() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        await stage.begin()
        third = await stage.begin()
        await stage.desk.close(stage.crew, grace_seconds=0)
        with pytest.raises(RunnerClosed):
            await third
        assert stage.crew.started == [1, 2]

    play(story, replace(FEW, action_wait_seconds=10.0))


def socket_job() -> SocketJob:
    SocketJob.closed = []
    return SocketJob(JOB.call, JOB.identity, JOB.visibility, JOB.request_id)


def test_websockets_have_places_of_their_own() -> None:
    async def story(stage: Stage) -> None:
        running = [await stage.begin(socket_job())]
        with pytest.raises(TooManySockets) as refused:
            await stage.desk.act(socket_job(), stage.crew)
        assert "mounted_sockets_max" in refused.value.message
        running += [await stage.begin(), await stage.begin()]
        for number in (1, 2, 3):
            stage.finish(number, Success("null"))
        running.append(await stage.begin(socket_job()))
        stage.finish(4, Success("null"))
        assert await asyncio.gather(*running) == [Success("null")] * 4

    play(story, replace(FEW, mounted_sockets_max=1))


@pytest.mark.parametrize("why", ["time", "new code"])
def test_a_websocket_is_closed_before_its_application_is_given_up(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewake.execution.action_desk._SOCKET_CLOSE_SECONDS", 0.01)

    async def story(stage: Stage) -> None:
        clinging = await stage.begin(socket_job())
        if why == "new code":
            stage.desk.close_sockets(stage.crew)
            assert SocketJob.closed == ["There is a new version of the application. Connect again."]
            assert stage.crew.stopped == []
        result = await clinging
        assert result == Failure("The websocket was closed, and the application did not end.\n")
        assert len(SocketJob.closed) == len(stage.crew.stopped) == 1

    play(story, replace(FEW, mounted_socket_seconds_max=0.1 if why == "time" else 3_600.0))


def test_other_actions_go_on_when_websockets_are_closed() -> None:
    async def story(stage: Stage) -> None:
        task = await stage.begin()
        stage.desk.close_sockets(stage.crew)
        stage.finish(1, Success("1.0"))
        assert await task == Success("1.0")
        assert stage.crew.stopped == []

    play(story)
