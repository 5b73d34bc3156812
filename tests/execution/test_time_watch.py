"""Runs that are over their time are ended from outside."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from rewake.environment import Environment
from rewake.execution.time_watch import TimeWatch


@dataclass
class Mark:
    """What a worker says that it runs."""

    running: tuple[int, float] | None

    def read(self) -> tuple[int, float] | None:
        return self.running


@dataclass
class Process:
    """As much of a worker as is looked at."""

    mark: Mark
    is_alive: bool = True
    is_cut_off: bool = False
    kills: int = 0

    def kill(self) -> None:
        self.kills += 1


def test_who_is_over_its_time_is_ended_once_and_nobody_else() -> None:
    clock = Environment().clock
    now = clock.monotonic()
    late, idle, dead = (
        Process(Mark((1, now - 10))),
        Process(Mark(None)),
        Process(Mark((2, 0.0)), is_alive=False),
    )
    soon = Process(Mark((3, now)))
    workers: Any = [late, idle, dead, soon, None]

    async def story() -> None:
        watch = TimeWatch(clock, 1.0, lambda: workers)
        watch.begin()
        assert (late.kills, late.is_cut_off) == (1, True)
        while not soon.kills:
            await asyncio.sleep(0)
        watch.end()

    asyncio.run(story())
    assert [worker.kills for worker in (late, idle, dead, soon)] == [1, 0, 0, 1]
