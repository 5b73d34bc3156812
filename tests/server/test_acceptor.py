"""Connections that wait to be accepted are all taken in a few turns of the loop, on any loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from rewake.server import Exposure, Server
from rewake.server.acceptor import TURN_ACCEPTS_MAX, Acceptor
from tests.server.certificate import make_certificate

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


def test_over_tls_too_and_who_speaks_none_is_hung_up_on(open_deployment, tmp_path: Path) -> None:
    async def ask(port: int, trusted: ssl.SSLContext) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted)
        writer.write(b"GET /version HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    async def story() -> None:
        deployment = await open_deployment()
        tls = make_certificate(tmp_path)
        server = Server(deployment, port=0, exposure=Exposure(tls=tls))
        await server.start()
        trusted = ssl.create_default_context(cafile=str(tls.certificate))
        try:
            async with asyncio.timeout(60):
                # The first opens the sweep; behind it are those who speak TLS, and those who do not.
                plain = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
                for each in plain:
                    each.sendall(b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n")
                    each.setblocking(False)
                answers = await asyncio.gather(*(ask(server.port, trusted) for _ in range(30)))
                assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
                loop = asyncio.get_running_loop()
                for each in plain:
                    with suppress(ConnectionResetError):
                        while await loop.sock_recv(each, 1_000):
                            pass
                    each.close()
        finally:
            await server.stop()
            await deployment.close()

    uvloop.run(story())
