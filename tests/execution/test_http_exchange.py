"""Exchanges: windows, order, and ends that wait for each other."""

from __future__ import annotations

import asyncio
import random

import pytest

from rewake.execution.http_exchange import (
    ClientGone,
    Credit,
    ExchangeBroken,
    ExchangeEnd,
    Flow,
    Head,
    HttpEvent,
    HungUp,
    Over,
    Part,
)

WINDOW = 1000


def test_no_more_is_sent_than_the_other_end_holds() -> None:
    flow = Flow(WINDOW)
    assert flow.portion(600) == 600
    assert flow.portion(600) == 400
    assert flow.portion(200) is None
    flow.hear(Credit(50))
    assert flow.portion(200) == 50


def test_the_empty_last_part_needs_no_credit() -> None:
    flow = Flow(WINDOW)
    flow.portion(WINDOW)
    assert flow.portion(0) == 0


def test_items_come_in_their_order() -> None:
    flow = Flow(WINDOW)
    items = [Head(200, ()), Part(b"a", is_last=False), Part(b"", is_last=True), Over()]
    for item in items:
        flow.hear(item)
    assert [flow.take() for _ in items] == items
    assert flow.take() is None


def test_what_is_used_up_may_come_again() -> None:
    flow = Flow(WINDOW)
    flow.hear(Part(bytes(WINDOW), is_last=False))
    with pytest.raises(ExchangeBroken):
        flow.hear(Part(b"x", is_last=False))
    flow = Flow(WINDOW)
    flow.hear(Part(bytes(WINDOW), is_last=False))
    assert flow.use_up(WINDOW) == Credit(WINDOW)
    flow.hear(Part(bytes(WINDOW), is_last=False))
    assert flow.use_up(0) is None


def _pair(held: list[int]) -> tuple[ExchangeEnd, ExchangeEnd]:
    """Two ends in one loop; `held` is told what is on its way to the second."""
    door, handler = ExchangeEnd(WINDOW), ExchangeEnd(WINDOW)
    door.attach()
    handler.attach()

    def to_handler(event: HttpEvent) -> None:
        if isinstance(event, Part):
            held.append(len(event.data))
        handler.hear(event)

    door.connect(to_handler)
    handler.connect(door.hear)
    return door, handler


@pytest.mark.parametrize("seed", range(20))
def test_a_body_arrives_whole_and_within_the_window(seed: int) -> None:
    async def story() -> None:
        chance = random.Random(seed)
        held: list[int] = []
        door, handler = _pair(held)
        body = chance.randbytes(chance.randint(0, 20_000))

        async def send() -> None:
            position = 0
            while position < len(body):
                size = chance.choice([1, 10, 999, 1000, 1001, 5000])
                await door.send(body[position : position + size], is_last=False)
                position += size
            await door.send(b"", is_last=True)

        sending = asyncio.ensure_future(send())
        got, used = b"", 0
        while True:
            item = await handler.take()
            assert isinstance(item, Part)
            assert sum(held) - used <= WINDOW
            got += item.data
            used += len(item.data)
            handler.use_up(item)
            if item.is_last:
                break
        await sending
        assert got == body

    asyncio.run(story())


def test_what_is_sent_before_anybody_is_there_waits() -> None:
    async def story() -> None:
        end = ExchangeEnd(WINDOW)
        end.attach()
        await end.send(b"early", is_last=True)
        sent: list[HttpEvent] = []
        end.connect(sent.append)
        assert sent == [Part(b"early", is_last=True)]

    asyncio.run(story())


def test_who_waits_to_send_hears_that_the_client_is_gone() -> None:
    async def story() -> None:
        door, handler = _pair([])
        sending = asyncio.ensure_future(handler.send(bytes(WINDOW + 1), is_last=True))
        assert isinstance(await door.take(), Part)
        door.hang_up()
        with pytest.raises(ClientGone):
            await sending
        assert await handler.take() == HungUp()
        with pytest.raises(ClientGone):
            await handler.send(b"more", is_last=True)

    asyncio.run(story())


def test_who_waits_for_the_other_end_to_go_takes_nothing() -> None:
    async def story() -> None:
        door, handler = _pair([])
        waiting = asyncio.ensure_future(handler.gone())
        await door.send(b"body", is_last=True)
        part = await handler.take()
        assert part == Part(b"body", is_last=True)
        assert not waiting.done()
        door.hang_up()
        await waiting

    asyncio.run(story())
