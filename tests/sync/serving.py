"""A small uvicorn server with the fake backend behind it, in the loop of the test."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
import uvloop
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect

from rewake.environment import Environment
from rewake.limits import DEFAULT_LIMITS
from rewake.sync import SyncDoor
from rewake.sync.asgi_socket import Receive, Scope, Send
from tests.sync.fake_backend import FakeBackend, pump_at_once
from tests.sync.story import SESSION_ID

DRIVERS = ("fast", "fast on uvloop", "asgi")
"""The fast path on both event loops, and plain ASGI."""


def run(driver: str, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an asynchronous test on the event loop that `driver` names; it may take half a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    factory = uvloop.new_event_loop if driver == "fast on uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(bounded())


@dataclass
class Serving:
    """A server that runs."""

    backend: FakeBackend
    door: SyncDoor
    server: uvicorn.Server
    port: int

    def url(self, path: str = "/api/sync") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    @asynccontextmanager
    async def client(
        self,
        path: str = "/api/sync",
        *,
        says: str | None = None,
        greets: bool = True,
        user_agent: str | None = None,
        compression: str | None = "deflate",
    ) -> AsyncIterator[Client]:
        """A client that has said Connect. `says` is its Convex-Client header."""
        headers = {} if says is None else {"Convex-Client": says}
        async with connect(
            self.url(path),
            additional_headers=headers,
            max_size=None,
            user_agent_header=user_agent,
            compression=compression,
        ) as socket:
            client = Client(socket)
            if greets:
                await client.say("Connect", sessionId=SESSION_ID, connectionCount=0)
            yield client


@dataclass
class Client:
    """A raw client: it sends and reads messages, and checks nothing."""

    socket: ClientConnection

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> Any:
        return json.loads(await self.socket.recv())

    async def modify(self, base: int, *modifications: dict[str, Any]) -> None:
        await self.say(
            "ModifyQuerySet", baseVersion=base, newVersion=base + 1, modifications=list(modifications)
        )

    async def add(self, base: int, query_id: int, path: str, **args: Any) -> None:
        await self.modify(base, {"type": "Add", "queryId": query_id, "udfPath": path, "args": [args]})

    async def mutate(self, number: int, path: str = "kv:add", **args: Any) -> None:
        await self.say("Mutation", requestId=number, udfPath=path, args=[args])


async def _other(scope: Scope, receive: Receive, send: Send) -> None:
    """What else the server serves: an echo at every websocket path, a word at every other."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"] + "!"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"other"})


@asynccontextmanager
async def serving(
    driver: str, *, redacted: bool = False, root_path: str = "", **limits: Any
) -> AsyncIterator[Serving]:
    """A server on a free port, and its orderly end."""
    backend = FakeBackend(Environment())
    pump_at_once(backend)
    door = SyncDoor(
        backend, limits=replace(DEFAULT_LIMITS, **limits), redacted=redacted, prefixes=("/behind/proxy/",)
    )
    config = uvicorn.Config(
        door.asgi(_other),
        ws="websockets-sansio" if driver == "asgi" else door.uvicorn_protocol_class(),
        lifespan="off",
        log_level="warning",
        root_path=root_path,
        timeout_graceful_shutdown=5,
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0)
    try:
        yield Serving(backend, door, server, listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        listener.close()
        await door.drained()
