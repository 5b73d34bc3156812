"""Request heads are bounded, and requests with large bodies are not taken for large heads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from rewake.limits import Limits
from rewake.server import Server

HEAD_BYTES_MAX = Limits().http_head_bytes_max
Ask = Callable[[AsyncIterator[bytes]], Awaitable[bytes]]


def play(open_deployment, story: Callable[[Server, Ask], Awaitable[None]]) -> None:
    async def ask(server: Server, request: AsyncIterator[bytes]) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async for piece in request:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        finally:
            writer.close()

    async def scenario() -> None:
        deployment = await open_deployment()
        server = Server(deployment, port=0)
        await server.start()
        try:
            await asyncio.wait_for(story(server, lambda request: ask(server, request)), 30)
        finally:
            await server.stop()
            await deployment.close()

    asyncio.run(scenario())


async def head_without_end(field: bytes) -> AsyncIterator[bytes]:
    """One byte more than a head may have: what a server that closes has not read takes its answer along."""
    head = b"GET /version HTTP/1.1\r\nhost: here\r\n"
    yield head
    left = HEAD_BYTES_MAX + 1 - len(head)
    while left > 0:
        yield field[:left]
        left -= len(field)


@pytest.mark.parametrize("field", [b"x-part: " + b"a" * 1000 + b"\r\n", b"a" * 60_000])
def test_a_head_without_end_is_refused(open_deployment, field):
    async def story(_server: Server, ask: Ask) -> None:
        answer = await ask(head_without_end(field))
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert answer.endswith(
            b'{"code":"RequestHeadTooLarge","message":"The headers of the request are too large."}'
        )

    play(open_deployment, story)


def test_bodies_do_not_count_and_neither_do_requests_before(open_deployment):
    async def story(server: Server, _ask: Ask) -> None:
        async with httpx.AsyncClient() as client:
            for _ in range(12):
                large = await client.post(f"{server.url}/api/query", content=b" " * HEAD_BYTES_MAX)
                assert large.status_code == 400
                headers = {"x-large": "a" * 100_000}
                assert (await client.get(f"{server.url}/version", headers=headers)).text == "1"

    play(open_deployment, story)
