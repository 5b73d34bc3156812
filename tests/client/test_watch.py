"""One reader of a live query: newest values, failures, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rewake.client import ApplicationError, AuthenticationRefused, Client, ClientClosed, Result, Watch
from tests.client.served_model import EAGER, ServedModel, against_model


async def has_no_news(client: Client, watch: Watch[Any]) -> bool:
    """Whether nothing is there to be read, once everything on its way has come."""
    waiting = asyncio.ensure_future(anext(watch))
    await client.query("counters:get", name="another")
    waiting.cancel()
    return (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError


@against_model
async def test_it_gives_the_value_now_and_again_when_it_changed(served: ServedModel) -> None:
    async with Client(served.url) as client:
        seen = []
        async for value in client.watch("counters:get", name="a"):
            seen.append(value)
            if value == 3:
                break
            await client.mutation("counters:add", name="a", by=1)
        assert seen == [0.0, 1.0, 2.0, 3.0]


@against_model
async def test_after_a_mutation_every_watch_of_the_client_shows_it(served: ServedModel) -> None:
    async with Client(served.url) as client:
        watches = [client.watch("counters:get", name="a") for _ in range(3)]
        for watch in watches:
            with pytest.raises(LookupError):
                _ = watch.value
            assert await anext(watch) == 0.0
        for expected in range(1, 20):
            await client.mutation("counters:add", name="a", by=1)
            assert [watch.value for watch in watches] == [expected] * 3
            assert {watch.ts for watch in watches} == {served.model.ts}


@against_model
async def test_who_is_slow_gets_the_newest_value(served: ServedModel) -> None:
    async with Client(served.url) as client, client.watch("counters:get", name="a") as watch:
        for _ in range(50):
            await client.mutation("counters:add", name="a", by=1)
        assert await anext(watch) == 50.0
        assert await has_no_news(client, watch)


@against_model
async def test_watches_of_one_query_share_it_and_the_last_one_ends_it(served: ServedModel) -> None:
    async with Client(served.url) as client:
        first, second = (client.watch("counters:get", name="a") for _ in range(2))
        assert await anext(first) == await anext(second) == 0.0
        assert "1 live queries" in repr(client)
        first.close()
        await client.mutation("counters:add", name="a", by=1)
        assert await anext(second) == 1.0
        second.close()
        second.close()
        assert "0 live queries" in repr(client)
        with pytest.raises(StopAsyncIteration):
            await anext(second)
        with pytest.raises(ClientClosed):
            await second.open()


@against_model
async def test_a_watch_that_is_let_go_ends(served: ServedModel) -> None:
    async with Client(served.url) as client:
        async for _ in client.watch("counters:get", name="a"):
            break
        changes = await served.until("ModifyQuerySet", 3)
        assert [each["type"] for each in changes[-1]["modifications"]] == ["Remove"]


@against_model
async def test_a_value_belongs_to_its_reader(served: ServedModel) -> None:
    async with Client(served.url) as client, client.watch_results("counters:fail") as watch:
        result = await anext(watch)
        assert isinstance(result.error, ApplicationError)
        result.error.data.clear()
        again = watch.value.error
        assert isinstance(again, ApplicationError)
        assert again.data == {"code": "no"}


@against_model
async def test_a_failure_raises_and_the_watch_stays(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        watch = client.watch("counters:fail")
        with pytest.raises(ApplicationError):
            await anext(watch)
        with pytest.raises(ApplicationError):
            _ = watch.value
        waiting = asyncio.ensure_future(anext(watch))
        served.model.log_lines = ["[LOG] it fails in another way"]
        served.model.commit("a", 1)
        await served.push()
        with pytest.raises(ApplicationError):
            await waiting
        watch.close()


@against_model
async def test_results_tell_of_values_and_failures_alike(served: ServedModel) -> None:
    async with Client(served.url) as client:
        good = await anext(client.watch_results("counters:get", name="a"))
        assert good == Result(0.0, None, (), served.model.ts)


@against_model
async def test_what_others_wrote_meanwhile_is_there_after_a_loss(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        watch, calm = client.watch("counters:get", name="a"), client.watch("counters:get", name="b")
        assert await anext(watch) == await anext(calm) == 0.0
        served.cut()
        served.model.commit("a", 3)
        assert await anext(watch) == 3.0
        assert calm.value == 0.0
        assert await has_no_news(client, calm)


@against_model
async def test_closing_the_client_ends_the_iteration(served: ServedModel) -> None:
    client = await Client(served.url).connect()
    watch = client.watch("counters:get", name="a")

    async def read() -> list[float]:
        return [value async for value in watch]

    reading = asyncio.ensure_future(read())
    await served.until("ModifyQuerySet", 2)
    await client.query("counters:get", name="b")
    await client.close()
    assert await reading == [0.0]


@against_model
async def test_closing_the_watch_ends_the_iteration_elsewhere(served: ServedModel) -> None:
    async with Client(served.url) as client:
        watch = client.watch("counters:get", name="a")
        assert await anext(watch) == 0.0
        waiting = asyncio.ensure_future(anext(watch, "ended"))
        await asyncio.sleep(0)
        watch.close()
        assert await waiting == "ended"


@against_model
async def test_a_failure_that_is_mended_before_anybody_looked_was_none(served: ServedModel) -> None:
    async with Client(served.url) as client:
        watch = client.watch("who:am_i")
        assert await anext(watch) is None
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        feed = await client.join(watch)
        feed.tell(AuthenticationRefused(reason="x"), 0)
        client.set_auth("good")
        assert await waiting == "good"
