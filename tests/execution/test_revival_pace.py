"""Processes that die now and then are back at once; those that die of their start are waited for longer."""

from __future__ import annotations

import asyncio

import pytest

from rewake.environment import ManualClock
from rewake.execution import revival_pace
from rewake.execution.revival_pace import RevivalPace


def test_each_start_in_a_row_waits_longer_until_it_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(revival_pace, "pause", pause)
    clock = ManualClock()
    pace = RevivalPace(clock)

    async def story() -> None:
        for _ in range(9):
            await pace.wait()
        assert waited == [0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
        clock.advance(11)
        await pace.wait()
        assert waited[-1] == 0.01
        assert pace.revivals == 0

    clock.advance(100)
    asyncio.run(story())
