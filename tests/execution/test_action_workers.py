"""The crew of processes, with processes that the test plays: who takes actions, and who finishes what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rewake.auth import Identity
from rewake.execution import (
    CallLog,
    CallRecord,
    Failure,
    FunctionCall,
    RequestSource,
    Success,
    action_workers,
)
from rewake.execution.action_desk import LOST, ActionDesk
from rewake.execution.action_workers import ActionWorkers
from rewake.execution.worker_messages import Act, Acted, Answer, Call, FromWorker, StopAction
from rewake.functions import FunctionKind
from rewake.limits import DEFAULT_LIMITS
from tests.execution.action_stage import job_of


class Process:
    """A worker as its crew sees it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.hear: Callable[[FromWorker], None] = lambda message: None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closed = False

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self.is_closed = True

    def die(self) -> None:
        self.ended.set_result(None)

    @property
    def running(self) -> list[int]:
        return [message.number for message in self.sent if isinstance(message, Act)]

    def finish(self, number: int, result: Success | Failure) -> None:
        record = CallRecord("m:act", "action", 0.0, (), None, None, "r")
        self.hear(Acted(number, result, record))


class House:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.sources: list[RequestSource] = []

    async def call_from_action(
        self,
        kind: FunctionKind,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
    ) -> Success | Failure:
        self.sources.append(source)
        self.calls.append((kind, call.path, call.args))
        return Success("1.0")


class Stage:
    def __init__(self) -> None:
        self.losses = 0
        self.house = House()
        self.desk = ActionDesk(DEFAULT_LIMITS, call_log=CallLog())
        self.crew = ActionWorkers(self.desk, calls=self.house, on_lost=self._lost)

    def _lost(self) -> None:
        self.losses += 1

    def seat(self) -> Process:
        process: Any = Process()
        self.crew.seat(process)
        seated: Process = process
        return seated

    async def begin(self) -> asyncio.Task[Success | Failure]:
        task = asyncio.create_task(self.desk.act(job_of("m:act"), self.crew))
        await settle()
        return task


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def play(story: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(story(Stage()), 20)

    asyncio.run(run())


def test_actions_go_to_the_seated_process() -> None:
    async def story(stage: Stage) -> None:
        process = stage.seat()
        one, two = await stage.begin(), await stage.begin()
        assert process.running == [1, 2]
        process.finish(2, Success("2.0"))
        process.finish(1, Success("1.0"))
        assert (await one, await two) == (Success("1.0"), Success("2.0"))
        assert not process.is_closed

    play(story)


def test_without_a_process_actions_wait_for_the_next_one() -> None:
    async def story(stage: Stage) -> None:
        act = await stage.begin()
        process = stage.seat()
        assert process.running == [1]
        process.finish(1, Success("1.0"))
        assert await act == Success("1.0")

    play(story)


def test_a_call_is_answered_where_it_came_from() -> None:
    async def story(stage: Stage) -> None:
        process = stage.seat()
        await stage.begin()
        process.hear(Call(5, 1, "query", "m:q", '{"n":1.0}'))
        await settle()
        assert stage.house.calls == [("query", "m:q", '{"n":1.0}')]
        assert process.sent[-1] == Answer(5, Success("1.0"))

    play(story)


def test_a_call_of_an_action_that_is_over_is_not_made() -> None:
    async def story(stage: Stage) -> None:
        process = stage.seat()
        await stage.begin()
        process.finish(1, Success("null"))
        process.hear(Call(5, 1, "mutation", "m:f", "{}"))
        await settle()
        assert stage.house.calls == []

    play(story)


def test_after_a_push_the_process_from_before_finishes_what_it_has_and_ends() -> None:
    async def story(stage: Stage) -> None:
        before = stage.seat()
        one = await stage.begin()
        after = stage.seat()
        two = await stage.begin()
        assert (before.running, after.running) == ([1], [2])
        assert not before.is_closed
        before.finish(1, Success("old"))
        assert before.is_closed
        after.finish(2, Success("new"))
        assert (await one, await two) == (Success("old"), Success("new"))
        assert not after.is_closed
        assert stage.losses == 0

    play(story)


def test_an_idle_process_ends_as_soon_as_it_is_replaced() -> None:
    async def story(stage: Stage) -> None:
        before = stage.seat()
        stage.seat()
        assert before.is_closed

    play(story)


def test_actions_of_a_process_that_dies_are_lost_and_another_is_asked_for() -> None:
    async def story(stage: Stage) -> None:
        process = stage.seat()
        one, two = await stage.begin(), await stage.begin()
        process.finish(2, Success("2.0"))
        process.die()
        assert await one == Failure(LOST)
        assert await two == Success("2.0")
        assert stage.losses == 1
        await stage.begin()
        assert stage.seat().running == [3], "what was lost is not begun again"

    play(story)


def test_the_death_of_a_replaced_process_loses_its_own_actions_only() -> None:
    async def story(stage: Stage) -> None:
        before = stage.seat()
        one = await stage.begin()
        after = stage.seat()
        two = await stage.begin()
        before.die()
        assert await one == Failure(LOST)
        assert not two.done()
        assert stage.losses == 0
        after.finish(2, Success("2.0"))
        assert await two == Success("2.0")

    play(story)


def test_an_action_that_does_not_end_when_told_to_costs_its_process_the_seat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(action_workers, "_STOP_SECONDS", 0.0)

    async def story(stage: Stage) -> None:
        stuck = stage.seat()
        _, other = await stage.begin(), await stage.begin()
        stage.crew.stop(1, "over\n")
        assert stuck.sent[-1] == StopAction(1, "over\n")
        while stage.losses == 0:
            await asyncio.sleep(0)
        assert stage.crew.worker is None
        assert not stuck.is_closed, "the other action finishes first"
        await stage.begin()
        assert stage.seat().running == [3]
        stuck.finish(2, Success("2.0"))
        assert await other == Success("2.0")
        assert stuck.is_closed

    play(story)


def test_an_action_that_ends_when_told_to_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_workers, "_STOP_SECONDS", 0.0)

    async def story(stage: Stage) -> None:
        process = stage.seat()
        act = await stage.begin()
        stage.crew.stop(1, "over\n")
        process.finish(1, Failure("over\n"))
        assert await act == Failure("over\n")
        await settle()
        assert stage.losses == 0
        assert stage.crew.worker is not None

    play(story)


def test_one_that_waits_for_a_process_can_be_stopped_as_well() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        stage.crew.stop(1, "over\n")
        assert stage.seat().running == []

    play(story)


def test_closing_ends_every_process_also_those_that_were_replaced() -> None:
    async def story(stage: Stage) -> None:
        before = stage.seat()
        await stage.begin()
        after = stage.seat()
        assert len(stage.crew.close()) == 2
        assert before.is_closed
        assert after.is_closed
        after.die()
        await settle()
        assert stage.losses == 0

    play(story)
