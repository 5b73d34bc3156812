"""The client on a loop: calls, their cancellation, credentials, the end. The server is the model."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from rewake.client import (
    ApplicationError,
    AuthenticationRefused,
    CallFailed,
    Client,
    ClientClosed,
    ConversationEnded,
    InvalidAddress,
    NotConnected,
)
from rewake.protocol import InvalidFunctionPath
from tests.client.served_model import EAGER, ServedModel, against_model

HEAVY = (
    "apsw",
    "starlette",
    "uvicorn",
    "httpx",
    "typer",
    "rich",
    "cryptography",
    "watchfiles",
    "sortedcontainers",
)
SERVER = ("database", "storage", "execution", "deployment", "reactivity", "sync", "http_api", "server", "cli")


def test_importing_the_client_loads_no_server() -> None:
    program = "import sys, json; from rewake.client import Client; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    names = set(json.loads(loaded))
    assert "websockets" in names
    unwanted = {*HEAVY, *(f"rewake.{name}" for name in SERVER)}
    assert sorted(unwanted & names) == []


@against_model
async def test_a_mutation_a_query_and_an_action(served: ServedModel) -> None:
    async with Client(served.url) as client:
        assert await client.mutation("counters:add", name="a", by=2) == 2.0
        assert await client.query("counters:get", {"name": "a"}) == 2.0
        assert await client.action("acts:note", number=5) == 5.0
        assert "connected, 0 live queries, 0 calls" in repr(client)


@against_model
async def test_the_first_call_connects(served: ServedModel) -> None:
    client = Client(served.url)
    assert not client.is_connected
    assert await client.query("counters:get", name="a") == 0.0
    assert client.is_connected
    await client.close()
    assert not client.is_connected


@against_model
async def test_failures_are_exceptions(served: ServedModel) -> None:
    async with Client(served.url) as client:
        with pytest.raises(CallFailed, match="Uncaught ValueError: no") as raised:
            await client.mutation("counters:fail")
        assert raised.value.request_id == f"{0:016x}"
        with pytest.raises(ApplicationError) as refused:
            await client.query("counters:fail")
        assert refused.value.data == {"code": "no"}


@against_model
async def test_a_path_that_is_none_is_refused_before_anything_is_sent(served: ServedModel) -> None:
    client = Client(served.url)
    for call in (client.query, client.mutation, client.action):
        with pytest.raises(InvalidFunctionPath):
            await call("counters.get")
    with pytest.raises(InvalidFunctionPath):
        client.watch("counters.get")
    assert not client.is_connected


@pytest.mark.parametrize("url", ["", "example.com", "ftp://x", "http://", "http://x:port", "http://x/?a=b"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InvalidAddress):
        Client(url)


def test_nobody_at_the_address_is_an_error_and_may_be_asked_again() -> None:
    async def scenario() -> None:
        served = ServedModel()
        await served.start()
        await served.stop()
        client = Client(served.url)
        for _ in range(2):
            with pytest.raises(NotConnected) as raised:
                await client.query("counters:get", name="a")
            assert isinstance(raised.value.__cause__, OSError)
        await served.start()
        assert await client.query("counters:get", name="a") == 0.0
        await client.close()
        await served.stop()

    asyncio.run(scenario())


@against_model
async def test_a_mutation_whose_answer_is_lost_is_carried_out_once(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        served.is_deaf = True
        calls = [asyncio.ensure_future(client.mutation("counters:add", name="a", by=1)) for _ in range(5)]
        await served.until("Mutation", 5)
        served.is_deaf = False
        served.cut()
        assert await asyncio.gather(*calls) == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert len(await served.until("Mutation", 10)) == 10
        assert len(served.model.runs) == 5


@against_model
async def test_a_cancelled_mutation_is_not_sent_again(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        served.is_deaf = True
        call = asyncio.ensure_future(client.mutation("counters:add", name="a", by=1))
        await served.until("Mutation")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        served.is_deaf = False
        served.cut()
        assert await client.mutation("counters:add", name="a", by=1) == 2.0
        assert [each["requestId"] for each in await served.until("Mutation", 2)] == [0, 1]


@against_model
async def test_a_cancelled_query_is_removed(served: ServedModel) -> None:
    async with Client(served.url) as client:
        served.is_deaf = True
        call = asyncio.ensure_future(client.query("counters:get", name="a"))
        await served.until("ModifyQuerySet", 2)
        call.cancel()
        changes = await served.until("ModifyQuerySet", 3)
        assert [each["type"] for each in changes[-1]["modifications"]] == ["Remove"]


@against_model
async def test_closing_fails_what_is_under_way(served: ServedModel) -> None:
    client = await Client(served.url).connect()
    served.is_deaf = True
    calls = [
        asyncio.ensure_future(client.mutation("counters:add", name="a", by=1)),
        asyncio.ensure_future(client.query("counters:get", name="a")),
    ]
    await served.until("Mutation")
    await client.close()
    await client.close()
    for call in calls:
        with pytest.raises(ClientClosed):
            await call
    with pytest.raises(ClientClosed):
        await client.query("counters:get", name="a")


@against_model
async def test_who_calls_may_change(served: ServedModel) -> None:
    served.model.accepts |= {"ada", "bob", "key|1"}
    async with Client(served.url) as client:
        assert await client.query("who:am_i") is None
        client.set_auth("ada")
        assert await client.query("who:am_i") == "ada"
        client.set_admin_auth("key|1", acting_as={"issuer": "i", "subject": "s"})
        assert await client.query("who:am_i") == "key|1"
        client.clear_auth()
        assert await client.query("who:am_i") is None
    said = [each.get("impersonating") for each in await served.until("Authenticate", 3)]
    assert said == [None, {"issuer": "i", "subject": "s"}, None]


@against_model
async def test_a_live_query_changes_with_who_calls(served: ServedModel) -> None:
    async with Client(served.url) as client, client.watch("who:am_i") as watch:
        assert await anext(watch) is None
        client.set_auth("good")
        assert await anext(watch) == "good"


@against_model
async def test_refused_credentials_fail_calls_until_others_are_set(served: ServedModel) -> None:
    async with Client(served.url) as client:
        watch = client.watch("counters:get", name="a")
        assert await anext(watch) == 0.0
        client.set_auth("bad")
        with pytest.raises(AuthenticationRefused, match="no such token"):
            await client.query("counters:get", name="a")
        for _ in range(2):
            with pytest.raises(AuthenticationRefused):
                await anext(watch)
        client.set_auth("good")
        assert await client.query("counters:get", name="a") == 0.0
        assert await anext(watch) == 0.0
        watch.close()


@against_model
async def test_a_fetcher_is_asked_for_a_fresh_token_when_one_is_refused(served: ServedModel) -> None:
    asked: list[bool] = []

    async def fetch(is_forced: bool) -> str:
        asked.append(is_forced)
        return "good" if is_forced else "old"

    client = Client(served.url, environment=EAGER)
    client.set_auth(fetch)
    assert await client.query("who:am_i") == "good"
    assert asked == [False, True]
    # The token ends in use.
    for connection, socket in list(served.sockets.items()):
        await connection.send(socket.refuse("Convex token identity expired", attempted=False))
        await connection.close()
    with pytest.raises(AuthenticationRefused, match="token identity expired"):
        await client.query("who:am_i")
    assert asked == [False, True, True], "the same token again is of no use"
    await client.close()


@against_model
async def test_a_fetcher_may_be_a_plain_function(served: ServedModel) -> None:
    async with Client(served.url) as client:
        client.set_auth(lambda is_forced: "good")
        assert await client.query("who:am_i") == "good"


@against_model
async def test_a_fetcher_that_fails_is_a_refusal(served: ServedModel) -> None:
    def fetch(is_forced: bool) -> str:
        raise KeyError("no keyring")

    client = Client(served.url)
    client.set_auth(fetch)
    for _ in range(2):
        with pytest.raises(AuthenticationRefused, match="no keyring"):
            await client.query("who:am_i")
    client.clear_auth()
    assert await client.query("who:am_i") is None
    await client.close()


@against_model
async def test_a_fatal_error_ends_the_client(served: ServedModel) -> None:
    async with Client(served.url) as client:
        served.is_deaf = True
        call = asyncio.ensure_future(client.mutation("counters:add", name="a", by=1))
        await served.until("Mutation")
        connection = await served.only()
        await connection.send('{"type": "FatalError", "error": "Base version"}')
        with pytest.raises(ConversationEnded, match="Base version"):
            await call
        with pytest.raises(ConversationEnded):
            await client.query("counters:get", name="a")


@against_model
async def test_a_client_that_cannot_be_entered_is_closed(served: ServedModel) -> None:
    client = Client(served.url)

    def fetch(is_forced: bool) -> str:
        raise KeyError("no keyring")

    client.set_auth(fetch)
    with pytest.raises(AuthenticationRefused):
        async with client:
            raise AssertionError("not reached")
    assert "closed" in repr(client)


def test_a_client_belongs_to_one_loop() -> None:
    client = Client("http://127.0.0.1:1")

    async def scenario() -> None:
        served = ServedModel()
        await served.start()
        client.url = served.url
        await client.connect()
        await served.stop()

    asyncio.run(scenario())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(scenario())


@against_model
async def test_the_connection_is_told_about_also_by_a_callback_that_fails(served: ServedModel) -> None:
    told: list[bool] = []

    def tell(is_connected: bool) -> None:
        told.append(is_connected)
        raise ValueError("mine")

    async with Client(served.url, environment=EAGER, on_connection=tell) as client:
        await served.only()
        served.cut()
        await served.until("Connect", 2)
        assert await client.query("counters:get", name="a") == 0.0
    assert told == [True, False, True, False]
