"""The model server behind a real port, on the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from rewake.environment import Environment
from tests.client.model_server import ModelServer, ModelSocket

EAGER = Environment(random_bytes=lambda count: b"\0" * (count - 1) + b"\1")
"""Chance that has a client come back as soon as it may."""


class ServedModel:
    """A model server and its sockets. It answers at once, while it is not `deaf`."""

    def __init__(self) -> None:
        self.model = ModelServer()
        self.sockets: dict[ServerConnection, ModelSocket] = {}
        self.opened: list[ModelSocket] = []
        self.is_deaf = False
        """Messages are taken and their answers lost."""
        self.heard = asyncio.Event()
        """Set with every message, and when a socket comes or goes."""
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = await serve(self._converse, "127.0.0.1", self.port, close_timeout=0.1)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and close every socket."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every socket without a word."""
        for connection in self.sockets:
            connection.transport.abort()

    async def push(self) -> None:
        """Show what has changed to everybody."""
        for connection, socket in list(self.sockets.items()):
            await self._send(connection, socket.wave())

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many messages of a kind, over all sockets; gives them."""
        while True:
            found = [each for socket in self.opened for each in socket.heard if each["type"] == kind]
            if len(found) >= count:
                return found
            self.heard.clear()
            await asyncio.wait_for(self.heard.wait(), 20)

    async def only(self) -> ServerConnection:
        """The one connection, once it has said something."""
        await self.until("Connect")
        [connection] = self.sockets
        return connection

    async def _converse(self, connection: ServerConnection) -> None:
        socket = self.sockets[connection] = ModelSocket(self.model)
        self.opened.append(socket)
        self.heard.set()
        with suppress(ConnectionClosed):
            async for text in connection:
                assert isinstance(text, str)
                socket.inbox.append(text)
                answers = socket.step() + socket.wave()
                self.heard.set()
                await self._send(connection, answers)
                if socket.is_closed:
                    break
        del self.sockets[connection]
        self.heard.set()

    async def _send(self, connection: ServerConnection, texts: list[str]) -> None:
        with suppress(ConnectionClosed):
            for text in texts:
                if not self.is_deaf:
                    await connection.send(text)


@asynccontextmanager
async def served_model() -> AsyncIterator[ServedModel]:
    """A model server that listens."""
    served = ServedModel()
    await served.start()
    try:
        yield served
    finally:
        await served.stop()


Scenario = Callable[[ServedModel], Coroutine[Any, Any, None]]


def against_model(scenario: Scenario) -> Callable[[], None]:
    """Make a test of a coroutine that takes a served model."""

    async def run() -> None:
        async with served_model() as served:
            await asyncio.wait_for(scenario(served), 30)

    def test() -> None:
        asyncio.run(run())

    test.__name__, test.__doc__ = scenario.__name__, scenario.__doc__
    return test
