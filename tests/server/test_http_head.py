"""Request heads are bounded, and requests with large bodies are not taken for large heads."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.execution import registry_of
from rewake.http_api import lane_at_turnstile
from rewake.limits import Limits
from rewake.schema import Schema
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


class Slow:
    """A server with short times, and connections that say what they like."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def say(self, *pieces: bytes, trickle: bytes = b"") -> bytes:
        """Open a connection, send `pieces`, then `trickle` again and again, and give what is answered until
        it is closed.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        reading = asyncio.ensure_future(reader.read())
        try:
            writer.write(b"".join(pieces))
            while trickle and not reading.done() and not writer.is_closing():
                writer.write(trickle)
                await asyncio.wait([reading], timeout=0.005)
            return await reading
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


def play_slowly(story: Callable[[Slow], Awaitable[None]], **limits: float) -> None:
    async def scenario() -> None:
        deployment = await Deployment.open(
            data=":memory:",
            registry=registry_of([], Schema()),
            name="empty",
            version="1",
            admin_key=AdminKey("empty|00ff"),
            limits=Limits(**limits),  # type: ignore[arg-type]
        )
        server = Server(deployment, port=0)
        await server.start()
        try:
            await asyncio.wait_for(story(Slow(server)), 30)
        finally:
            await server.stop()
            await deployment.close()

    asyncio.run(scenario())


TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n"


def test_a_connection_that_says_nothing_is_closed():
    async def story(slow: Slow) -> None:
        assert (await slow.say()).startswith(TOO_SLOW)

    play_slowly(story, http_head_seconds_max=0.05)


def test_a_head_that_trickles_is_cut_however_steadily_it_comes():
    async def story(slow: Slow) -> None:
        answer = await slow.say(b"GET /version HTTP/1.1\r\n", trickle=b"x-a: b\r\n")
        assert answer == b"" or answer.startswith(TOO_SLOW)

    play_slowly(story, http_head_seconds_max=0.1)


def test_a_second_request_on_a_connection_has_its_own_time():
    async def story(slow: Slow) -> None:
        first = b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n"
        answer = await slow.say(first, b"GET /ver")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert TOO_SLOW in answer

    play_slowly(story, http_head_seconds_max=0.3)


HEAD = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
CALL_HEAD = (
    b"POST /api/query HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
)


def test_a_body_that_stops_is_cut():
    async def story(slow: Slow) -> None:
        assert (await slow.say(HEAD, b"half")).startswith(TOO_SLOW)

    play_slowly(story, http_stall_seconds_max=0.1)


def test_a_body_of_a_call_has_so_long_however_steadily_it_comes():
    async def story(slow: Slow) -> None:
        answer = await slow.say(CALL_HEAD, b" ")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"BodyTooSlow"' in answer
        # Who goes on sending may be reset before it reads the answer.
        assert await slow.say(CALL_HEAD, trickle=b" ") in (b"", answer)

    play_slowly(story, http_body_seconds_max=0.2)


def test_who_does_not_read_its_answer_is_cut():
    async def story(slow: Slow) -> None:
        size = 64 * 1024 * 1024
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.server.port, limit=1024)
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 2**20):
            writer.write(b"x" * 2**20)
            await writer.drain()
        # It sends everything and reads nothing: the answer waits, until the server has waited enough.
        (listener, *_) = slow.server._listeners
        while listener._uvicorn.server_state.connections:
            await asyncio.sleep(0)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(size)
        writer.close()

    play_slowly(story, http_stall_seconds_max=0.3)


def test_too_many_connections_are_refused_with_a_status():
    async def story(slow: Slow) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", slow.server.port) for _ in range(2)]
        async with httpx.AsyncClient() as client:
            refused = await client.get(f"{slow.server.url}/version")
            assert (refused.status_code, refused.json()["code"]) == (429, "TooManyConcurrentRequests")
            idle[0][1].close()
            await idle[0][1].wait_closed()
            while (again := await client.get(f"{slow.server.url}/version")).status_code != 200:
                await asyncio.sleep(0)
            assert again.text == "1"
        idle[1][1].close()

    play_slowly(story, http_connections_max=2)


class Nobody:
    """Who waits at the turnstile and is never heard of again."""

    def begin(self) -> None:
        pass

    def turn_away(self, error: object) -> None:
        pass


def fill(server: Server) -> None:
    """Let so many wait that the next of this address is turned away: until the next turn of the loop."""
    turnstile, lane = server.door.turnstile, lane_at_turnstile("127.0.0.1", "", ())
    while turnstile.has_room():
        pass
    while turnstile.refuses(lane) is None:
        turnstile.wait(Nobody(), lane)


def heard_at_once(server: Server, reader: asyncio.StreamReader, *pieces: bytes) -> Awaitable[bytes]:
    """What the connection of this server answers to pieces that it reads in one turn, while it is crowded."""
    (http,) = [each for listener in server._listeners for each in listener._uvicorn.server_state.connections]
    fill(server)
    for piece in pieces:
        http.data_received(piece)
    return reader.read(100_000)


CALL = (
    b"POST /api/query HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)


@pytest.mark.parametrize(
    "pieces",
    [
        [CALL],
        [CALL.replace(b"host: here", b"origin: https://any.example")],
        [CALL[:-1], CALL[-1:]],
        [CALL[:20], CALL[20:-1], CALL[-1:]],
        [b"GET /api/query?path=a:b&args={} HTTP/1.1\r\nhost: here\r\n\r\n"],
        [b"POST /api/query HTTP/1.0\r\nhost: here\r\ncontent-length: 2\r\n\r\n{}"],
        [b"POST /api/query HTTP/1.1\r\ncontent-length: 100000\r\n\r\n", b"x" * 1000],
        [b"POST /api/query HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n"],
    ],
)
def test_a_crowded_server_refuses_however_a_request_comes_and_serves_the_next(open_deployment, pieces):
    async def story(server: Server, _ask: Ask) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await reader.read(100_000)).endswith(b"1")
        head, _, body = (await heard_at_once(server, reader, *pieces)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: " in head
        assert json.loads(body)["code"] == "ServerFullError"
        while server.door.turnstile.is_crowded:
            await asyncio.sleep(0)
        if b"connection: close" in head:
            assert await reader.read() == b""
        else:
            for _ in range(2):
                writer.write(CALL)
                assert (await reader.read(100_000)).startswith(b"HTTP/1.1 400 ")
        writer.close()

    play(open_deployment, story)


def test_of_a_crowd_requests_behind_one_another_are_answered_in_their_order(open_deployment):
    async def story(server: Server, _ask: Ask) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await reader.read(100_000)).endswith(b"1")
        # The first waits, being of another lane; those behind it are asked only when it was answered.
        first = b"GET /version HTTP/1.1\r\nauthorization: Bearer me\r\n\r\n"
        answers = await heard_at_once(server, reader, first + CALL + CALL)
        while answers.count(b"HTTP/1.1 ") < 3:
            answers += await reader.read(100_000)
        assert answers.startswith(b"HTTP/1.1 200 ")
        writer.close()

    play(open_deployment, story)


def test_who_waited_for_too_long_is_told_so_and_who_left_meanwhile_is_not_begun(open_deployment):
    async def story(server: Server, _ask: Ask) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        left, leaving = await asyncio.open_connection("127.0.0.1", server.port)
        for each in (writer, leaving):
            each.write(b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await reader.read(100_000)).endswith(b"1")
        assert (await left.read(100_000)).endswith(b"1")
        turnstile = server.door.turnstile
        while turnstile.has_room():
            pass
        for http in server._listeners[0]._uvicorn.server_state.connections:
            http.data_received(CALL)
        assert len(turnstile) == 2
        waiting = turnstile._line.clear()
        error = turnstile._line.refusal(1.0)
        leaving.transport.abort()
        while len(server._listeners[0]._uvicorn.server_state.connections) > 1:
            await asyncio.sleep(0)
        for entrant in waiting:
            entrant.turn_away(error)
        answer = await reader.read(100_000)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert server.deployment.tallies.responses[503] == 1
        for entrant in waiting:
            if entrant._cycle.disconnected:
                entrant.begin()
        writer.write(CALL)
        assert (await reader.read(100_000)).startswith(b"HTTP/1.1 400 ")
        writer.close()

    play(open_deployment, story)


def test_a_thousand_requests_in_one_piece_of_a_crowd_are_each_answered(open_deployment):
    async def story(server: Server, _ask: Ask) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n")
        assert (await reader.read(100_000)).endswith(b"1")
        turnstile, lane = server.door.turnstile, lane_at_turnstile("127.0.0.1", "", ())
        plain = b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n"
        first = b"GET /version HTTP/1.1\r\nauthorization: Bearer me\r\n\r\n"
        answers = await heard_at_once(server, reader, first + 1_500 * plain)
        while answers.count(b"HTTP/1.1 ") < 1_501:
            if turnstile.is_crowded and turnstile.refuses(lane) is None:
                turnstile.wait(Nobody(), lane)  # So that some are turned away from the middle of it.
            answers += await reader.read(100_000)
        writer.close()

    play(open_deployment, story)
