"""Handoffs, for tasks and for coroutines that run at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from rewake.handoff import Handoff, answer_all, at_once, is_at_once

_place: ContextVar[str] = ContextVar("place", default="outside")


def play(story: Callable[[list[str]], Coroutine[Any, Any, None]]) -> list[str]:
    """What a story said, in order."""
    heard: list[str] = []
    asyncio.run(story(heard))
    return heard


async def tell(heard: list[str], name: str, answer: Awaitable[object]) -> None:
    heard.append(f"{name} begins")
    try:
        heard.append(f"{name} {await answer}")
    except ValueError as error:
        heard.append(f"{name} {error!r}")


def test_who_runs_at_once_begins_and_goes_on_inside_of_the_steps_that_let_it():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()
        at_once(tell(heard, "job", handoff), over=lambda: heard.append("over"))
        heard.append("waits")
        assert not handoff.done()
        handoff.set_result(7)
        assert handoff.done()
        heard.append("handed over")

    assert play(story) == ["job begins", "waits", "job 7", "over", "handed over"]


def test_who_runs_at_once_can_tell():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()

        async def job(name: str) -> None:
            heard.append(f"{name} {is_at_once()}")
            await handoff
            heard.append(f"{name} {is_at_once()}")

        assert not is_at_once()
        at_once(job("job"), over=lambda: None)
        assert not is_at_once()
        handoff.set_result(1)
        await asyncio.ensure_future(job("task"))

    assert play(story) == ["job True", "job True", "task False", "task False"]


def test_a_task_is_woken_a_turn_later_as_by_a_future():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()
        task = asyncio.ensure_future(tell(heard, "task", handoff))
        await asyncio.sleep(0)
        handoff.set_result(7)
        heard.append("handed over")
        await task

    assert play(story) == ["task begins", "handed over", "task 7"]


@pytest.mark.parametrize("is_early", [False, True])
def test_an_error_is_raised_where_the_answer_is_awaited(is_early: bool):
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()
        if is_early:
            handoff.set_exception(ValueError("no"))
        at_once(tell(heard, "job", handoff), over=lambda: None)
        if not is_early:
            handoff.set_exception(ValueError("no"))

    assert play(story) == ["job begins", "job ValueError('no')"]


def test_an_answer_that_is_there_already_is_not_waited_for():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()
        handoff.set_result(7)
        at_once(tell(heard, "job", handoff), over=lambda: heard.append("over"))

    assert play(story) == ["job begins", "job 7", "over"]


def test_a_handoff_whose_task_was_cancelled_is_done():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()
        task = asyncio.ensure_future(tell(heard, "task", handoff))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert handoff.done()

    play(story)


def test_a_task_that_was_begun_by_one_who_runs_at_once_is_a_task_all_the_same():
    async def story(heard: list[str]) -> None:
        inner: Handoff[int] = Handoff()
        outer: Handoff[int] = Handoff()
        tasks: list[asyncio.Task[None]] = []

        async def job() -> None:
            tasks.append(asyncio.ensure_future(tell(heard, "task", inner)))
            await tell(heard, "job", outer)

        at_once(job(), over=lambda: None)
        await asyncio.sleep(0)
        inner.set_result(1)
        outer.set_result(2)
        await tasks[0]

    assert play(story) == ["job begins", "task begins", "job 2", "task 1"]


def test_one_who_runs_at_once_may_await_futures_and_turns_of_the_loop():
    async def story(heard: list[str]) -> None:
        future = asyncio.get_running_loop().create_future()

        async def job() -> None:
            await asyncio.sleep(0)
            heard.append("a turn later")
            await tell(heard, "job", future)

        over = asyncio.Event()
        at_once(job(), over=over.set)
        future.set_exception(ValueError("late"))
        heard.append("goes on")
        await over.wait()

    assert play(story) == ["goes on", "a turn later", "job begins", "job ValueError('late')"]


def test_it_has_a_context_of_its_own_over_all_its_steps():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()

        async def job() -> None:
            heard.append(_place.get())
            _place.set("inside")
            await handoff
            heard.append(_place.get())

        _place.set("caller")
        at_once(job(), over=lambda: None)
        heard.append(_place.get())
        handoff.set_result(1)

    assert play(story) == ["caller", "caller", "inside"]


def test_a_failure_is_reported_to_the_loop_and_not_to_whoever_took_the_step():
    async def story(heard: list[str]) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, told: heard.append(repr(told["exception"]))
        )
        handoff: Handoff[int] = Handoff()

        async def job() -> None:
            raise ValueError(await handoff)

        at_once(job(), over=lambda: heard.append("over"))
        handoff.set_result(7)
        heard.append("handed over")

    assert play(story) == ["over", "ValueError(7)", "handed over"]


def test_what_a_job_came_to_is_told_in_the_step_in_which_it_ends():
    async def story(heard: list[str]) -> None:
        handoff: Handoff[int] = Handoff()

        async def job() -> str:
            return f"answer {await handoff}"

        at_once(job(), tell=heard.append, over=lambda: heard.append("over"))
        handoff.set_result(7)
        heard.append("handed over")

    assert play(story) == ["answer 7", "over", "handed over"]


def test_a_mistake_of_who_is_told_is_reported_like_one_of_the_job():
    async def story(heard: list[str]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, told: heard.append(repr(told["exception"])))

        async def job(fails: bool) -> str:
            if fails:
                raise ValueError("job")
            return "told"

        def told(answer: str) -> None:
            raise ValueError(answer)

        at_once(job(False), tell=told, over=lambda: heard.append("over"))
        at_once(job(True), tell=heard.append, over=lambda: heard.append("over"))

    assert play(story) == ["over", "ValueError('told')", "over", "ValueError('job')"]


def test_an_answer_or_an_error_is_for_all_who_still_wait() -> None:
    async def story() -> None:
        first, second, gone = Handoff[int](), Handoff[int](), Handoff[int]()

        async def asking(answer: Handoff[int]) -> int:
            return await answer

        waiting = [asyncio.ensure_future(asking(each)) for each in (first, second, gone)]
        await asyncio.sleep(0)
        waiting[2].cancel()
        await asyncio.sleep(0)
        answer_all([first, gone], 1)
        answer_all([second], ValueError("no"))
        assert await waiting[0] == 1
        with pytest.raises(ValueError, match="no"):
            await waiting[1]

    asyncio.run(asyncio.wait_for(story(), 30))
