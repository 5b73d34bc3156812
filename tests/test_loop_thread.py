"""The event loop behind a backend."""

from __future__ import annotations

import asyncio
import threading

import pytest

from rewake.loop_thread import LoopThread


async def _thread_name() -> str:
    return threading.current_thread().name


async def _fail() -> None:
    raise KeyError("x")


def test_work_runs_on_the_loop_and_its_outcome_comes_back() -> None:
    loop = LoopThread("rewake-testing")
    assert loop.run(_thread_name()) == "rewake-testing"
    with pytest.raises(KeyError):
        loop.run(_fail())
    assert loop.begin(_thread_name()).result() == "rewake-testing"
    loop.close()
    loop.close()


def test_it_works_where_another_loop_runs() -> None:
    async def inside() -> str:
        loop = LoopThread("rewake-testing")
        try:
            return loop.run(_thread_name())
        finally:
            loop.close()

    assert asyncio.run(inside()) == "rewake-testing"
