"""The client without a loop: the same verbs, from any thread, also where a loop is running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rewake.client import ApplicationError, CallFailed, ClientClosed, NotConnected, SyncClient
from rewake.loop_thread import LoopThread
from tests.client.served_model import EAGER, ServedModel


@pytest.fixture
def served() -> Iterator[ServedModel]:
    loop, served = LoopThread("model"), ServedModel()
    loop.run(served.start())
    yield served
    loop.run(served.stop())
    loop.close()


def test_every_verb(served: ServedModel) -> None:
    with SyncClient(served.url) as client:
        assert client.is_connected
        assert client.mutation("counters:add", name="a", by=2) == 2.0
        assert client.query("counters:get", {"name": "a"}) == 2.0
        assert client.action("acts:note", number=1) == 1.0
        client.set_auth("good")
        assert client.query("who:am_i") == "good"
        client.set_admin_auth("good", acting_as={"issuer": "i", "subject": "s"})
        client.clear_auth()
        assert client.query("who:am_i") is None
        assert repr(client).startswith("<SyncClient of http://127.0.0.1:")
        with pytest.raises(CallFailed):
            client.mutation("counters:fail")


def test_a_loop_over_a_live_query(served: ServedModel) -> None:
    with SyncClient(served.url) as client:
        seen = []
        for value in client.watch("counters:get", name="a"):
            seen.append(value)
            if value == 2:
                break
            client.mutation("counters:add", name="a", by=1)
        assert seen == [0.0, 1.0, 2.0]


def test_a_live_value_without_a_loop(served: ServedModel) -> None:
    with SyncClient(served.url) as client, client.watch("counters:get", name="a") as watch:
        assert watch.value == 0.0
        client.mutation("counters:add", name="a", by=1)
        assert (watch.value, watch.ts) == (1.0, served.model.ts)


def test_failures_of_a_live_query(served: ServedModel) -> None:
    with SyncClient(served.url) as client:
        with pytest.raises(ApplicationError):
            next(client.watch("counters:fail"))
        result = next(client.watch_results("counters:fail"))
        assert isinstance(result.error, ApplicationError)


def test_it_works_where_a_loop_is_running(served: ServedModel) -> None:
    async def cell() -> float:
        with SyncClient(served.url) as client:
            value: float = client.mutation("counters:add", name="a", by=1)
            return value

    assert asyncio.run(cell()) == 1.0


def test_several_threads_share_one_client(served: ServedModel) -> None:
    values: list[float] = []
    with SyncClient(served.url, environment=EAGER) as client:

        def add() -> None:
            for _ in range(20):
                values.append(client.mutation("counters:add", name="a", by=1))

        threads = [threading.Thread(target=add) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(values) == [float(number) for number in range(1, 101)]


def test_nobody_at_the_address_leaves_no_thread_behind() -> None:
    with pytest.raises(NotConnected), SyncClient("http://127.0.0.1:1"):
        raise AssertionError("not reached")
    assert "rewake-client" not in {thread.name for thread in threading.enumerate()}


def test_closing_ends_a_loop_in_another_thread(served: ServedModel) -> None:
    client = SyncClient(served.url)
    first = threading.Event()
    values: list[float] = []

    def read() -> None:
        for value in client.watch("counters:get", name="a"):
            values.append(value)
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(20)
    client.close()
    client.close()
    reader.join(20)
    assert not reader.is_alive()
    assert values == [0.0]
    with pytest.raises(ClientClosed):
        client.query("counters:get", name="a")
