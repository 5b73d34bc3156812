"""Sockets, one after another: addresses, losses, silence."""

from __future__ import annotations

import asyncio
import json

import pytest

from rewake.client import Client, InvalidAddress, NotConnected, connection
from rewake.client.connection import sync_address
from tests.client.served_model import EAGER, ServedModel, against_model


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:3210", "ws://127.0.0.1:3210/api/sync"),
        (" https://x.example/ ", "wss://x.example/api/sync"),
        ("https://x.example/deep/er/", "wss://x.example/deep/er/api/sync"),
        ("ws://[::1]:80", "ws://[::1]:80/api/sync"),
        ("wss://u:p@x", "wss://u:p@x/api/sync"),
    ],
)
def test_the_address_of_the_sync_endpoint(url: str, address: str) -> None:
    assert sync_address(url) == address


@pytest.mark.parametrize("url", ["x", "http:///a", "http://x#y", "http://[::1", "http://x:99999"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidAddress):
        sync_address(url)


@against_model
async def test_it_comes_back_after_a_loss_and_after_a_restart(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        assert await client.mutation("counters:add", name="a", by=1) == 1.0
        served.cut()
        assert await client.mutation("counters:add", name="a", by=1) == 2.0
        await served.stop()
        waiting = asyncio.ensure_future(client.mutation("counters:add", name="a", by=1))
        await served.start()
        assert await waiting == 3.0
        reasons = [each["lastCloseReason"] for each in await served.until("Connect", 3)]
        assert reasons[:2] == ["InitialConnect", "closed with code 1006"]
        assert [each["connectionCount"] for each in await served.until("Connect", 3)] == [0, 1, 2]
        assert len({each["sessionId"] for each in await served.until("Connect", 3)}) == 1


@against_model
async def test_a_reason_that_the_server_gives_is_told_to_the_next_socket(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        socket = await served.only()
        await socket.close(1012, "ServerRestarting")
        await client.query("counters:get", name="a")
        connects = await served.until("Connect", 2)
        assert connects[1]["lastCloseReason"] == "ServerRestarting"


@against_model
async def test_a_silent_server_is_left(served: ServedModel) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "SILENCE_SECONDS", 0.05)
        async with Client(served.url, environment=EAGER):
            connects = await served.until("Connect", 2)
            assert connects[1]["lastCloseReason"] == "InactiveServer"


@against_model
async def test_a_message_that_makes_no_sense_costs_a_socket_and_nothing_else(served: ServedModel) -> None:
    async with Client(served.url, environment=EAGER) as client:
        socket = await served.only()
        await socket.send(json.dumps({"type": "TransitionChunk"}))
        await served.until("Connect", 2)
        assert await client.query("counters:get", name="a") == 0.0


@against_model
async def test_nothing_is_said_as_nobody_while_a_token_is_fetched(served: ServedModel) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def fetch(is_forced: bool) -> str:
        asked.set()
        await answer.wait()
        return "good"

    client = Client(served.url, environment=EAGER)
    watch = client.watch("who:am_i")
    connecting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)  # On its way.
    client.set_auth(fetch)
    await asked.wait()
    # The socket that was on its way is of no use: it says nothing, and goes.
    while not served.opened or (served.sockets and not served.opened[0].heard):
        served.heard.clear()
        await served.heard.wait()
    assert served.opened[0].heard == []
    answer.set()
    assert await connecting == "good"
    await client.close()


def test_a_stranger_at_the_address_is_no_server() -> None:
    async def scenario() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as stranger:
            port = stranger.sockets[0].getsockname()[1]
            with pytest.raises(NotConnected, match="404"):
                await Client(f"http://127.0.0.1:{port}").connect()

    asyncio.run(scenario())


def test_options_that_make_no_sense_are_an_error_of_the_first_try() -> None:
    async def scenario() -> None:
        with pytest.raises(NotConnected):
            await Client("http://127.0.0.1:1", proxy="nonsense://x").connect()

    asyncio.run(scenario())
