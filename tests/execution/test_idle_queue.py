"""Readers at rest go to those who wait, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from rewake.environment import ManualClock
from rewake.execution.idle_queue import IdleQueue
from rewake.execution.lanes import Lane
from rewake.execution.waiting_line import ReadersOverloaded, WaitingLine


def new_line(clock: ManualClock | None = None) -> WaitingLine[Any]:
    return WaitingLine(
        ReadersOverloaded,
        now=(clock or ManualClock()).monotonic,
        chance=lambda: 0.0,
        wait_seconds_max=1.0,
        waiting_max=100,
        house_turn=4,
    )


def play(story: Callable[[IdleQueue[str]], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(story(IdleQueue(new_line())), 20)

    asyncio.run(run())


def test_of_what_is_kept_the_last_comes_out_first() -> None:
    async def story(idle: IdleQueue[str]) -> None:
        for name in "abc":
            idle.put(name)
        idle.take_out("b")
        idle.take_out("nothing of ours")
        assert [await idle.get(), await idle.get()] == ["c", "a"]
        idle.put("d")
        assert idle.empty() == ["d"]
        assert idle.empty() == []

    play(story)


def test_who_gives_back_and_asks_again_at_once_does_not_overtake_who_waits() -> None:
    async def story(idle: IdleQueue[str]) -> None:
        turns: list[int] = []

        async def loop(number: int) -> None:
            for _ in range(20):
                item = await idle.get()
                turns.append(number)
                idle.put(item)

        idle.put("only one")
        taken = await idle.get()
        tasks = [asyncio.ensure_future(loop(number)) for number in range(3)]
        await asyncio.sleep(0)
        idle.put(taken)
        await asyncio.gather(*tasks)
        assert turns == [0, 1, 2] * 20

    play(story)


def test_an_item_that_comes_as_its_taker_goes_is_not_lost() -> None:
    async def story(idle: IdleQueue[str]) -> None:
        goes, stays = asyncio.ensure_future(idle.get()), asyncio.ensure_future(idle.get())
        await asyncio.sleep(0)
        idle.put("a")
        goes.cancel()
        assert await stays == "a"
        gone = asyncio.ensure_future(idle.get())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(goes, gone, return_exceptions=True)
        idle.put("b")
        assert await idle.get() == "b"

    play(story)


def test_those_who_wait_can_be_told_that_nothing_will_come() -> None:
    async def story(idle: IdleQueue[str]) -> None:
        waiting = [asyncio.ensure_future(idle.get()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        idle.fail(LookupError("closed"))
        with pytest.raises(LookupError):
            await waiting[1]
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]

    play(story)


def test_those_who_wait_take_turns_by_lane_and_waves_are_never_far_behind() -> None:
    async def story(idle: IdleQueue[str]) -> None:
        turns: list[str] = []

        async def one(name: str, lane: Lane | None = None) -> None:
            item = await (idle.get() if lane is None else idle.get(lane))
            turns.append(name)
            idle.put(item)

        tasks = [asyncio.ensure_future(one("flood", Lane("a"))) for _ in range(6)]
        tasks += [asyncio.ensure_future(one("gentle", Lane("b"))), asyncio.ensure_future(one("wave"))]
        await asyncio.sleep(0)
        idle.put("only one")
        await asyncio.gather(*tasks)
        assert turns == ["flood", "gentle", "wave", *["flood"] * 5]

    play(story)


def test_who_waited_too_long_for_a_reader_is_told_so() -> None:
    async def story(_: IdleQueue[str]) -> None:
        clock = ManualClock()
        idle: IdleQueue[str] = IdleQueue(new_line(clock))
        tasks = [asyncio.ensure_future(idle.get(Lane(f"lane {number}"))) for number in range(12)]
        await asyncio.sleep(0)
        for _ in range(11):
            clock.advance(0.25)
            idle.put("a")
            await asyncio.sleep(0)
        came = [task for task in tasks if task.exception() is None]
        assert len(came) == 8, "two seconds of service, a quarter for each"
        assert {type(task.exception()) for task in tasks if task not in came} == {ReadersOverloaded}

    play(story)


class Waiter:
    """A taker that notes what it is told."""

    def __init__(self, name: str, turns: list[str]) -> None:
        self.name, self.turns = name, turns

    def done(self) -> bool:
        return self.name in self.turns

    def take(self, item: str) -> None:
        self.turns.append(self.name)

    def set_exception(self, error: BaseException) -> None:
        self.turns.append(f"{self.name} {type(error).__name__}")


def test_who_passes_through_comes_first_and_nobody_passes_those_who_wait_in_line() -> None:
    async def story(idle: IdleQueue[str]) -> None:
        turns: list[str] = []
        assert idle.pass_through(Waiter("first", turns))
        assert idle.pass_through(Waiter("second", turns))
        idle.wait(Waiter("in line", turns), Lane("a"))
        assert not idle.pass_through(Waiter("late", turns))
        assert len(idle) == 3
        for _ in range(3):
            idle.put("a")
        assert turns == ["first", "second", "in line"]
        idle.wait_again(Waiter("a second turn", turns))
        assert not idle.pass_through(Waiter("late", turns))
        idle.put("a")
        assert turns.pop() == "a second turn"
        assert idle.pass_through(Waiter("again", turns))
        idle.fail(ReadersOverloaded(seconds=1))
        assert turns[3:] == ["again ReadersOverloaded"]

    play(story)
