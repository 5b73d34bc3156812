"""Connections that wait to be accepted are all taken in a few turns of the loop, on any loop."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from rewake.server import Server
from rewake.server.acceptor import TURN_ACCEPTS_MAX, Acceptor

CLIENTS = 300


class Quiet(asyncio.Protocol):
    """A connection that counts itself."""

    made = 0

    def __init__(self, acceptor: Acceptor) -> None:
        self.acceptor = acceptor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Quiet.made += 1
        self.acceptor.accepted(lambda: Quiet(self.acceptor), None)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_crowd_is_accepted_in_a_few_turns(run) -> None:
    async def story() -> int:
        listening = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
        listening.setblocking(False)
        acceptor = Acceptor(listening)
        clients = [socket.create_connection(listening.getsockname()) for _ in range(CLIENTS)]
        Quiet.made = 0
        server = await asyncio.get_running_loop().create_server(lambda: Quiet(acceptor), sock=listening)
        turns = 0
        while Quiet.made < CLIENTS:
            await asyncio.sleep(0)
            turns += 1
            assert turns < 10_000
        for client in clients:
            client.close()
        server.close()
        return turns

    assert CLIENTS > TURN_ACCEPTS_MAX
    assert run(story()) < 50


def test_connections_taken_beside_the_loop_are_served_as_any_other_and_those_that_left_do_no_harm(
    open_deployment,
) -> None:
    async def story() -> None:
        deployment = await open_deployment()
        server = Server(deployment, port=0)
        await server.start()
        try:
            for is_staying in (False, True):
                clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
                for client in clients:
                    client.setblocking(False)
                    client.sendall(b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n")
                    if not is_staying:
                        client.close()
            loop = asyncio.get_running_loop()
            for client in clients:
                answer = await asyncio.wait_for(loop.sock_recv(client, 10_000), 60)
                assert answer.startswith(b"HTTP/1.1 200 ")
                client.close()
        finally:
            await server.stop()
            await deployment.close()

    uvloop.run(story())
