"""The process that listens: binding, serving, stopping."""

import asyncio
import json
import socket

import httpx
import pytest
import websockets

from rewake.server import AddressUnusable, PortInUse, Server, bind


def test_a_port_in_use_is_named():
    first = bind("127.0.0.1", 0)
    try:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse, match=f"Port {port} on 127.0.0.1 is already in use"):
            bind("127.0.0.1", port)
    finally:
        first.close()


@pytest.mark.parametrize(
    ("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000), ("203.0.113.1", 0)]
)
def test_an_address_that_cannot_be_listened_on_is_named(host, port):
    with pytest.raises(AddressUnusable, match=f"Cannot listen on {host}"):
        bind(host, port)


def test_a_server_answers_requests_and_sockets_and_stops(open_deployment):
    async def scenario() -> None:
        deployment = await open_deployment()
        server = Server(deployment, port=0)
        await server.start()
        try:
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{server.url}/version")).text == "1"
            url = server.url.replace("http", "ws") + "/api/sync"
            async with websockets.connect(url) as sync:
                await sync.send(
                    json.dumps(
                        {
                            "type": "Connect",
                            "sessionId": "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f",
                            "connectionCount": 0,
                            "lastCloseReason": "InitialConnect",
                        }
                    )
                )
                await sync.send(
                    json.dumps(
                        {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": []}
                    )
                )
                assert json.loads(await sync.recv())["type"] == "Transition"
                stopping = asyncio.create_task(server.stop())
                with pytest.raises(websockets.ConnectionClosed):
                    await sync.recv()
                await asyncio.wait_for(stopping, 60)
        finally:
            await server.stop()
            await deployment.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)

    asyncio.run(scenario())


def test_stopping_a_server_that_was_never_started_does_nothing(open_deployment):
    async def scenario() -> None:
        deployment = await open_deployment()
        await Server(deployment, port=0).stop()
        await deployment.close()

    asyncio.run(scenario())
