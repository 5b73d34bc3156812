"""What old code ran on a snapshot that may have the new schema counts for nothing."""

from __future__ import annotations

import asyncio

from rewake.execution.switch_moment import SwitchMoment


def test_before_any_switch_everything_of_this_code_counts() -> None:
    moment = SwitchMoment(lambda: 5)
    assert not moment.is_met(9, is_current=True)
    assert moment.is_met(9, is_current=False)


def test_while_one_is_under_way_only_what_was_told_counts() -> None:
    async def story() -> None:
        moment = SwitchMoment(lambda: 5)
        moment.begin()
        waiting = asyncio.ensure_future(moment.over())
        await asyncio.sleep(0)
        assert not moment.is_met(5, is_current=True)
        assert moment.is_met(6, is_current=True)
        assert not waiting.done()
        moment.end()
        await waiting
        assert not moment.is_met(6, is_current=True)

    asyncio.run(story())


def test_afterwards_readers_of_the_code_before_count_for_what_is_older() -> None:
    async def story() -> None:
        moment = SwitchMoment(lambda: 5)
        moment.since = 6
        assert not moment.is_met(5, is_current=False)
        assert moment.is_met(6, is_current=False)
        assert not moment.is_met(6, is_current=True)
        await moment.over()

    asyncio.run(story())


def test_who_gives_up_waiting_disturbs_nobody() -> None:
    async def story() -> None:
        moment = SwitchMoment(lambda: 5)
        moment.begin()
        first, second = asyncio.ensure_future(moment.over()), asyncio.ensure_future(moment.over())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        moment.end()
        await second
        assert first.cancelled()

    asyncio.run(story())
