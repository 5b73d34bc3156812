"""What is written within a turn of the loop leaves in one piece, in order, and nothing is lost at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

import httpx
import pytest

from rewake.server import Server
from rewake.server.gathering_transport import GatheringTransport


class Below:
    """A transport that remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.told.append(bytes(data))

    def writelines(self, data: Iterable[bytes]) -> None:
        self.told.append([bytes(each) for each in data])

    def is_closing(self) -> bool:
        return "closed" in self.told or "cut" in self.told

    def close(self) -> None:
        self.told.append("closed")

    def abort(self) -> None:
        self.told.append("cut")

    def write_eof(self) -> None:
        self.told.append("eof")

    def get_write_buffer_size(self) -> int:
        return self.waiting


def play(story: Callable[[GatheringTransport, Below], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        below = Below()
        await story(GatheringTransport(cast(asyncio.Transport, below)), below)

    asyncio.run(run())


def test_a_turn_is_one_write() -> None:
    async def story(transport: GatheringTransport, below: Below) -> None:
        transport.write(b"head ")
        transport.write(b"")
        transport.writelines([b"body", b"!"])
        below.waiting = 3
        assert below.told == []
        assert transport.get_write_buffer_size() == 13
        await asyncio.sleep(0)
        assert below.told == [b"head body!"]
        assert transport.get_write_buffer_size() == 3
        transport.write(b"next")
        transport.flush()
        transport.flush()
        await asyncio.sleep(0)
        assert below.told == [b"head body!", b"next"]

    play(story)


def test_much_is_neither_held_back_nor_copied() -> None:
    async def story(transport: GatheringTransport, below: Below) -> None:
        large = b"x" * 40_000
        transport.write(b"head")
        transport.write(large)
        assert below.told == [[b"head", large]]

    play(story)


@pytest.mark.parametrize("end", ["close", "write_eof"])
def test_an_end_comes_after_what_was_written(end: str) -> None:
    async def story(transport: GatheringTransport, below: Below) -> None:
        transport.write(b"last words")
        getattr(transport, end)()
        assert below.told == [b"last words", "closed" if end == "close" else "eof"]
        await asyncio.sleep(0)
        assert len(below.told) == 2

    play(story)


def test_a_cut_loses_what_waits_and_nothing_is_written_after_an_end() -> None:
    async def story(transport: GatheringTransport, below: Below) -> None:
        transport.write(b"lost")
        transport.abort()
        transport.write(b"late")
        await asyncio.sleep(0)
        assert below.told == ["cut"]
        assert transport.is_closing()

    play(story)


def test_a_response_of_the_server_is_one_write(open_deployment, monkeypatch) -> None:
    writes: list[bytes] = []
    flush = GatheringTransport.flush

    def noted(transport: GatheringTransport) -> None:
        if transport.gathered:
            writes.append(b"".join(transport.gathered))
        flush(transport)

    monkeypatch.setattr(GatheringTransport, "flush", noted)

    async def scenario() -> None:
        deployment = await open_deployment()
        server = Server(deployment, port=0)
        await server.start()
        try:
            async with httpx.AsyncClient() as client:
                for _ in range(2):
                    assert (await client.get(f"{server.url}/version")).status_code == 200
        finally:
            await server.stop()
            await deployment.close()

    asyncio.run(scenario())
    assert len(writes) == 2
    assert all(write.startswith(b"HTTP/1.1 200 ") for write in writes)
    assert all(write.endswith(b"\r\n\r\n1") for write in writes)


def test_what_is_written_through_leaves_at_once_behind_what_was_gathered() -> None:
    async def story(transport: GatheringTransport, below: Below) -> None:
        transport.write_through(b"head ", b"body")
        assert below.told == [b"head body"]
        transport.write(b"first ")
        transport.write_through(b"second")
        assert below.told == [b"head body", b"first second"]
        large = b"x" * 100_000
        transport.write_through(b"head ", large)
        assert [b"".join(each) if isinstance(each, list) else each for each in below.told[2:]] == [
            b"head " + large
        ]
        transport.close()
        transport.write_through(b"too late")
        assert below.told[-1] == "closed"

    play(story)
