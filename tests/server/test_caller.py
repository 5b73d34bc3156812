"""One plain connection: what is written arrives whole and in order, whoever reads late or hangs up."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.server.caller import Caller

READABLE, WRITABLE, HUNG_UP = 1, 4, 16


class Keeper:
    """A lobby that remembers what it was asked."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(64 * 1024))
        self.words: list[bytes] = []
        self.events = READABLE
        self.has_left = self.has_rested = 0
        self.jobs: list[asyncio.Task[None]] = []

    def heard(self, caller: Caller, data: bytes) -> None:
        self.words.append(data)

    def rested(self, caller: Caller) -> None:
        self.has_rested += 1

    def watch(self, number: int, events: int) -> None:
        self.events = events

    def left(self, caller: Caller) -> None:
        self.has_left += 1

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self.jobs.append(asyncio.ensure_future(job))


class Told(asyncio.Protocol):
    """A protocol that remembers what it was told."""

    def __init__(self, *, stays: bool = False) -> None:
        self.stays = stays
        self.data = b""
        self.told: list[str] = []
        self.lost: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.stays

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class Stage:
    """A caller, and the client at the other end."""

    def __init__(self, *, protocol: Told | None = None) -> None:
        self.ours, self.client = socket.socketpair()
        self.ours.setblocking(False)
        self.client.setblocking(False)
        self.keeper = Keeper()
        self.caller = Caller(self.keeper, self.ours, ("10.0.0.9", 5))
        self.protocol = protocol
        if protocol is not None:
            self.caller.speak(protocol, b"first ")

    def read_all(self) -> bytes:
        """Read as a client does, while the caller writes what it can."""
        read = b""
        while True:
            if self.keeper.events & WRITABLE:
                self.caller.ready(WRITABLE)
            try:
                piece = self.client.recv(1 << 20)
            except BlockingIOError:
                return read
            if not piece:
                return read
            read += piece


def tell(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_before_a_protocol_is_there_the_lobby_hears_what_is_said() -> None:
    async def story() -> None:
        stage = Stage()
        assert not stage.caller.is_resting
        stage.client.send(b"hello")
        stage.caller.ready(READABLE)
        stage.caller.ready(READABLE)  # Nothing is there: no harm.
        assert stage.keeper.words == [b"hello"]
        protocol = Told()
        stage.caller.speak(protocol, b"first ")
        stage.client.send(b"second")
        stage.caller.ready(READABLE)
        assert protocol.data == b"first second"
        assert stage.caller.get_protocol() is protocol

    tell(story)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=12), st.booleans())
def test_all_that_is_written_before_the_close_arrives_in_order(sizes: list[int], reads_between: bool) -> None:
    async def story() -> None:
        stage = Stage(protocol=Told())
        protocol, caller = stage.protocol, stage.caller
        assert protocol is not None
        pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
        read = b""
        for piece in pieces:
            caller.write(memoryview(piece))
            if reads_between:
                read += stage.read_all()
            assert (caller.get_write_buffer_size() > 64 * 1024) <= ("pause" in protocol.told)
        caller.close()
        caller.close()
        assert caller.is_closing()
        read += stage.read_all()
        assert read == b"".join(pieces)
        assert caller.get_write_buffer_size() == 0
        assert protocol.told.count("pause") == protocol.told.count("resume")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert protocol.lost == [None]
        assert stage.keeper.has_left == 1
        assert stage.ours.fileno() == -1

    tell(story)


def test_a_client_that_hangs_up_is_hung_up_on_after_its_answer() -> None:
    async def story() -> None:
        stage = Stage(protocol=Told())
        assert stage.protocol is not None
        stage.caller.writelines([b"an ", b"", b"answer"])
        stage.client.shutdown(socket.SHUT_WR)
        stage.caller.ready(READABLE)
        assert stage.read_all() == b"an answer"
        await asyncio.sleep(0)
        assert stage.protocol.told == ["made", "eof"]
        assert stage.protocol.lost == [None]
        stage.caller.write(b"too late")  # No harm.
        stage.caller.ready(READABLE)

    tell(story)


def test_who_stays_after_the_end_of_what_it_hears_may_still_write() -> None:
    async def story() -> None:
        stage = Stage(protocol=Told(stays=True))
        stage.client.shutdown(socket.SHUT_WR)
        stage.caller.ready(READABLE)
        assert not stage.caller.is_reading()
        assert stage.keeper.events == 0, "the end is not told again and again"
        stage.caller.write(b"still here")
        assert stage.read_all() == b"still here"
        stage.caller.abort()

    tell(story)


@pytest.mark.parametrize("is_reading", [True, False])
def test_a_reset_is_an_error_once(is_reading: bool) -> None:
    async def story() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        ours.setblocking(False)
        keeper, protocol = Keeper(), Told()
        caller = Caller(keeper, ours, ("127.0.0.1", 5))
        caller.speak(protocol, b"first")
        assert caller.get_extra_info("peername") == ("127.0.0.1", 5)
        assert caller.get_extra_info("sockname") == listening.getsockname()
        assert caller.get_extra_info("sslcontext", 3) == 3
        if not is_reading:
            caller.pause_reading()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        caller.ready((READABLE if is_reading else 0) | HUNG_UP)
        caller.write(b"nobody is there")
        caller.ready(HUNG_UP)
        await asyncio.sleep(0)
        assert [type(error) for error in protocol.lost] == [ConnectionResetError]
        assert keeper.has_left == 1
        listening.close()

    tell(story)


def test_a_write_to_nobody_ends_the_connection_and_not_the_one_who_writes() -> None:
    async def story() -> None:
        stage = Stage(protocol=Told())
        assert stage.protocol is not None
        stage.client.close()
        stage.caller.write(b"hello")
        assert stage.protocol.lost == [], "not from inside of a call"
        await asyncio.sleep(0)
        assert [type(error) for error in stage.protocol.lost] == [BrokenPipeError]

    tell(story)


def test_while_reading_is_paused_nothing_is_heard_and_nothing_is_lost() -> None:
    async def story() -> None:
        stage = Stage(protocol=Told())
        assert stage.protocol is not None
        stage.caller.pause_reading()
        assert stage.keeper.events == 0
        stage.client.send(b"later")
        stage.caller.ready(READABLE)  # Of the same turn, told before it was paused.
        assert stage.protocol.data == b"first "
        stage.caller.resume_reading()
        assert stage.keeper.events == READABLE
        stage.caller.ready(READABLE)
        assert stage.protocol.data == b"first later"
        stage.caller.abort()

    tell(story)


def test_limits_of_what_waits_are_those_that_were_asked_for() -> None:
    async def story() -> None:
        stage = Stage(protocol=Told())
        assert stage.protocol is not None
        stage.caller.set_write_buffer_limits(high=0)
        assert stage.caller.get_write_buffer_limits() == (0, 0)
        stage.caller.write(b"x" * 10_000_000)
        assert stage.protocol.told == ["made", "pause"]
        assert len(stage.read_all()) == 10_000_000
        assert stage.protocol.told == ["made", "pause", "resume"]
        assert not stage.caller.can_write_eof()
        stage.caller.set_write_buffer_limits(low=5)
        assert stage.caller.get_write_buffer_limits() == (5, 20)
        stage.caller.abort()

    tell(story)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_socket_that_is_handed_over_goes_on_where_it_was(run: Any) -> None:
    async def story() -> None:
        stage = Stage(protocol=Told())
        assert stage.protocol is not None
        heir = Told()

        def made(transport: asyncio.Transport) -> None:
            transport.write(b" and then")
            transport.set_protocol(heir)

        stage.caller.write(b"y" * 3_000_000)
        assert stage.caller.get_write_buffer_size() > 0
        stage.caller.hand_over(made)
        assert stage.keeper.has_left == 1
        loop = asyncio.get_running_loop()
        read = b""
        while len(read) < 3_000_000 + len(b" and then"):
            read += await asyncio.wait_for(loop.sock_recv(stage.client, 1 << 20), 60)
        assert read == b"y" * 3_000_000 + b" and then"
        await loop.sock_sendall(stage.client, b"more")
        while not heir.data:
            await asyncio.sleep(0)
        assert heir.data == b"more"
        stage.client.close()
        while not heir.lost:
            await asyncio.sleep(0)
        assert stage.protocol.lost == [], "it was not told: the connection goes on"

    run(story())


def test_a_mistake_of_ours_is_told_and_ends_one_connection() -> None:
    async def story() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        stage = Stage(protocol=Told())
        assert stage.protocol is not None
        error = ValueError("no")
        stage.caller.fail(error)
        await asyncio.sleep(0)
        assert stage.protocol.lost == [error]
        assert [each["exception"] for each in told] == [error]

    tell(story)
