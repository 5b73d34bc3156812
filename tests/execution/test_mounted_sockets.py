"""A websocket at the application's end: what ASGI makes of parts and hang-ups, and the other way round."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rewake.execution.http_exchange import ClientGone, ExchangeEnd, Head, HttpRequestHead, HungUp, Part
from rewake.execution.mounted_sockets import InvalidResponse, SocketEnd, asgi_scope

REQUEST = HttpRequestHead("GET", "ws", "/a", b"/a", b"", (), None, None, subprotocols=("chat",))


def run(work: Callable[[SocketEnd, ExchangeEnd], Awaitable[Any]], *, bytes_max: int = 100) -> None:
    async def both() -> None:
        end, door = ExchangeEnd(), ExchangeEnd()
        end.attach()
        door.attach()
        end.connect(door.hear)
        door.connect(end.hear)
        await work(SocketEnd(end, REQUEST, root_path="/m", bytes_max=bytes_max), door)

    asyncio.run(both())


def test_the_scope_says_what_is_asked_for() -> None:
    scope = asgi_scope(REQUEST, root_path="/m")
    assert (scope["type"], scope["subprotocols"], scope["root_path"]) == ("websocket", ["chat"], "/m")
    assert "method" not in scope


def test_a_message_in_parts_is_one_message() -> None:
    async def work(socket: SocketEnd, door: ExchangeEnd) -> None:
        assert await socket.receive() == {"type": "websocket.connect"}
        euro = "€".encode()
        await door.send(euro[:1], is_last=False, is_text=True)
        await door.send(euro[1:], is_last=True, is_text=True)
        await door.send(b"\xff", is_last=True)
        assert await socket.receive() == {"type": "websocket.receive", "text": "€"}
        assert await socket.receive() == {"type": "websocket.receive", "bytes": b"\xff"}

    run(work)


def test_what_it_sends_reaches_the_door() -> None:
    async def work(socket: SocketEnd, door: ExchangeEnd) -> None:
        await socket.send({"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"X-A", b"1")]})
        await socket.send({"type": "websocket.send", "text": "é"})
        await socket.send({"type": "websocket.send", "bytes": b"b", "text": None})
        await socket.send({"type": "websocket.close", "code": 4000, "reason": "enough"})
        head = Head(101, ((b"x-a", b"1"), (b"sec-websocket-protocol", b"chat")))
        said = [await door.take() for _ in range(4)]
        assert said == [head, Part("é".encode(), True, True), Part(b"b", True), HungUp(4000, "enough")]
        assert (await _after_connect(socket))["code"] == 4000
        with pytest.raises(ClientGone):
            await socket.send({"type": "websocket.send", "text": "late"})
        await socket.send({"type": "websocket.close"})
        await socket.finish()

    run(work)


def test_a_message_that_is_too_large_closes_it() -> None:
    async def work(socket: SocketEnd, door: ExchangeEnd) -> None:
        await door.send(bytes(60), is_last=False)
        await door.send(bytes(41), is_last=True)
        assert await _after_connect(socket) == {
            "type": "websocket.disconnect",
            "code": 1009,
            "reason": "a message is too large",
        }
        assert await door.take() == HungUp(1009, "a message is too large")

    run(work)


def test_the_client_goes_away_once_and_for_all() -> None:
    async def work(socket: SocketEnd, door: ExchangeEnd) -> None:
        door.hang_up(1001, "elsewhere")
        gone = {"type": "websocket.disconnect", "code": 1001, "reason": "elsewhere"}
        assert await _after_connect(socket) == gone
        assert await socket.receive() == gone
        await socket.finish()

    run(work)


@pytest.mark.parametrize("kind", ["websocket.send", "http.response.start", "nonsense"])
def test_what_cannot_come_is_refused(kind: str) -> None:
    async def work(socket: SocketEnd, door: ExchangeEnd) -> None:
        with pytest.raises(InvalidResponse, match=f"sent {kind} where it cannot come"):
            await socket.send({"type": kind, "text": "x"})
        with pytest.raises(InvalidResponse, match="ended before it accepted or closed"):
            await socket.finish()

    run(work)


def test_an_application_that_returns_closes_normally() -> None:
    async def work(socket: SocketEnd, door: ExchangeEnd) -> None:
        await socket.send({"type": "websocket.accept"})
        with pytest.raises(InvalidResponse):
            await socket.send({"type": "websocket.accept"})
        await socket.finish()
        assert [await door.take(), await door.take()] == [Head(101, ()), HungUp(1000, "")]

    run(work)


async def _after_connect(socket: SocketEnd) -> dict[str, Any]:
    assert await socket.receive() == {"type": "websocket.connect"}
    return await socket.receive()
