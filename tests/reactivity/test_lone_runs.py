"""Lone runs begin at once, and are waited for at the end."""

from __future__ import annotations

import asyncio

import pytest

from rewake.handoff import Handoff
from rewake.reactivity.lone_runs import LoneRuns, answer_all


def test_runs_begin_at_once_and_the_end_waits_for_all_of_them() -> None:
    async def story() -> None:
        runs, gates = LoneRuns(), [Handoff[int]() for _ in range(2)]
        seen: list[int] = []

        async def run(gate: Handoff[int]) -> None:
            seen.append(0)
            seen.append(await gate)

        await runs.ended()
        for gate in gates:
            runs.begin(run(gate))
        assert seen == [0, 0]
        assert len(runs) == 2
        ending = asyncio.ensure_future(runs.ended())
        gates[0].set_result(1)
        await asyncio.sleep(0)
        assert not ending.done()
        gates[1].set_result(2)
        await ending
        assert seen == [0, 0, 1, 2]
        assert len(runs) == 0

    asyncio.run(asyncio.wait_for(story(), 30))


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
