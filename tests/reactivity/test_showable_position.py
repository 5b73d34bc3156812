"""Who waits for a position goes on when it is reached, and not before."""

from __future__ import annotations

import asyncio

from rewake.reactivity.showable_position import ShowablePosition


def test_those_who_wait_go_on_when_their_timestamp_may_be_shown():
    async def story() -> None:
        position, heard = ShowablePosition(5), []

        async def wait(ts: int) -> None:
            await position.reached(ts)
            heard.append(ts)

        tasks = [asyncio.ensure_future(wait(ts)) for ts in (5, 6, 8)]
        await asyncio.sleep(0)
        assert heard == [5]
        position.advance(7)
        await asyncio.sleep(0)
        assert heard == [5, 6]
        position.advance(6)
        assert position.ts == 7
        tasks[2].cancel()
        await asyncio.wait(tasks)
        position.advance(9)
        assert heard == [5, 6]

    asyncio.run(story())
