"""What a sync socket hands to its transport, and when; what waits is told as text, however it was compressed.

Conversations are in `test_drivers.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

from msgspec.structs import replace

from rewake.environment import Environment
from rewake.execution import NO_SOURCE, Success
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import UNKNOWN_CLIENT, StateVersion, client_version
from rewake.sync import SyncDoor
from rewake.sync.broadcast import Broadcast, SharedText
from rewake.sync.deflation import WINDOW_BITS_MAX
from rewake.sync.frames import text_frames
from rewake.sync.uvicorn_socket import SyncSocket
from rewake.tallies import Tallies
from tests.sync.fake_backend import FakeBackend, FakeLiveResult, pump_at_once
from tests.sync.story import SESSION_ID


class Transport:
    """A transport whose kernel takes `room` bytes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.room = 10**9
        self.reading: list[bool] = []
        self.is_cut = False

    def write(self, data: bytes) -> None:
        self.writes.append(bytes(data))

    def writelines(self, buffers: list[bytes]) -> None:
        self.writes.append(b"".join(buffers))

    def get_write_buffer_size(self) -> int:
        return max(0, sum(map(len, self.writes)) - self.room)

    def set_write_buffer_limits(self, *, high: int) -> None:
        assert high == 0

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.is_cut = True

    close = abort

    def pause_reading(self) -> None:
        self.reading.append(False)

    def resume_reading(self) -> None:
        self.reading.append(True)


def play(
    story: Callable[[SyncSocket, Transport, SyncDoor], Coroutine[Any, Any, None]], **limits: Any
) -> None:
    """Tell a story of one socket."""

    async def run() -> None:
        backend = FakeBackend(Environment())
        pump_at_once(backend)
        door = SyncDoor(backend, limits=replace(DEFAULT_LIMITS, **limits))
        place = door.admission.admit("", {})
        socket = SyncSocket(door, client_version(None, None), NO_SOURCE, set(), place, window_bits=0)
        transport = Transport()
        socket.connection_made(cast(asyncio.Transport, transport))
        await story(socket, transport, door)
        socket.connection_lost(None)

    asyncio.run(run())


def frame(text: bytes) -> bytes:
    return b"".join(text_frames([text], len(text), frame_bytes_max=2**20))


async def a_turn() -> None:
    await asyncio.sleep(0)


def test_a_response_waits_for_the_transition_and_leaves_with_it_in_one_write() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        socket.write_text([b"response"], 8, waits=True)
        socket.write_text([b"another"], 7, waits=True)
        assert transport.writes == []
        socket.write_text([b"tran", b"sition"], 10)
        assert transport.writes == [frame(b"response") + frame(b"another") + frame(b"transition")]
        await a_turn()
        assert len(transport.writes) == 1

    play(story)


def test_a_response_waits_for_one_turn_and_no_longer() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        socket.write_text([b"response"], 8, waits=True)
        await a_turn()
        assert transport.writes == [frame(b"response")]

    play(story)


def test_a_large_message_takes_along_what_waits_and_copies_nothing_it_shares() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        large = b"x" * 40_000
        socket.write_text([b"small"], 5, waits=True)
        socket.write_text([large], len(large))
        assert transport.writes == [frame(b"small") + frame(large)]
        await a_turn()
        assert len(transport.writes) == 1

    play(story)


def test_many_small_messages_of_one_turn_do_not_pile_up() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        message = b"y" * 1000
        for _ in range(100):
            socket.write_text([message], len(message), waits=True)
        await a_turn()
        assert b"".join(transport.writes) == 100 * frame(message)
        assert 3 <= len(transport.writes) <= 4

    play(story)


def test_a_close_frame_comes_after_what_was_said_before_it() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        socket.write_text([b"last words"], 10, waits=True)
        socket.close(1000, "")
        assert b"".join(transport.writes).startswith(frame(b"last words") + b"\x88")
        written = list(transport.writes)
        socket.write_text([b"too late"], 8)
        await a_turn()
        assert transport.writes == written

    play(story)


def test_a_socket_that_is_cut_writes_nothing_any_more() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        socket.write_text([b"words"], 5, waits=True)
        socket.abort()
        await a_turn()
        assert transport.writes == []

    play(story)


def test_a_reader_who_is_too_far_behind_is_dropped_when_the_kernel_takes_no_more() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        transport.room = 0
        for _ in range(3):
            socket.write_text([b"z" * 400], 400, waits=True)
            await a_turn()
        assert transport.is_cut
        assert sum(door.drops.values()) == 1

    play(story, socket_backlog_bytes_max=600)


class FullTransport(asyncio.Transport):
    """A transport whose kernel takes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        self.waiting += len(data)

    def writelines(self, list_of_data: Any) -> None:
        self.waiting += sum(map(len, list_of_data))

    def get_write_buffer_size(self) -> int:
        return self.waiting


def opened(window_bits: int) -> tuple[SyncSocket, FullTransport]:
    door = SyncDoor(FakeBackend(Environment()))
    place = door.admission.admit("127.0.0.1", {})
    socket = SyncSocket(door, UNKNOWN_CLIENT, NO_SOURCE, set(), place, window_bits=window_bits)
    transport = FullTransport()
    socket.connection_made(cast(asyncio.BaseTransport, transport))
    return socket, transport


async def _written(window_bits: int) -> None:
    socket, transport = opened(window_bits)
    text = b"a text that gets smaller " * 400
    for count in (1, 2, 3):
        socket.write_text((text,), len(text))
        small = 4  # Frame heads are counted where nothing was made smaller.
        assert abs(socket.unsent_bytes() - count * len(text)) <= count * small
    if window_bits:
        assert transport.waiting < len(text)
    socket.write_text((b"small",), 5)
    waiting, transport.waiting = transport.waiting, 7
    assert 5 <= socket.unsent_bytes() <= 7
    transport.waiting = 0
    assert socket.unsent_bytes() == 0
    assert socket._plain is None
    assert waiting > 0


def test_a_slow_reader_is_judged_by_what_the_messages_say() -> None:
    for window_bits in (0, 10, WINDOW_BITS_MAX):
        asyncio.run(_written(window_bits))


def test_a_quiet_socket_holds_no_count() -> None:
    async def test() -> None:
        socket, transport = opened(WINDOW_BITS_MAX)
        transport.write = lambda data: None  # type: ignore[method-assign]
        socket.write_text((b"x" * 5000,), 5000)
        assert socket._plain is None
        assert DEFAULT_LIMITS.socket_deflate_bytes_min < 5000

    asyncio.run(test())


def shared(size: int) -> SharedText:
    """A Transition for many, that brings a text of about `size` bytes."""
    wave = Broadcast(
        70,
        FakeBackend(Environment()),
        limits=DEFAULT_LIMITS,
        render=lambda live: b',"type":"QueryUpdated"}',
        tallies=Tallies(),
    )
    updates = [(number, FakeLiveResult(Success("null"))) for number in range(1 + size // 40)]
    text = wave.text(StateVersion(1, 0, 30), updates, 3)
    assert text is not None
    return text


def test_a_text_for_many_leaves_in_one_write_behind_a_response_that_waits() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        for text in (shared(50), shared(100_000)):
            transport.writes.clear()
            whole = frame(b"".join(text.parts(b"-12")))
            assert not socket.write_shared(text, b"-12")
            socket.write_text([b"response"], 8, waits=True)
            socket.write_shared(text, b"-12")
            assert transport.writes == [whole, frame(b"response") + whole]

    play(story)


def test_a_text_for_many_that_does_not_get_through_says_so() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        write = transport.write

        def stuck(data: bytes) -> None:
            write(data)
            socket.pause_writing()

        transport.write = stuck  # type: ignore[method-assign]
        assert not socket.holds_unsent
        assert socket.write_shared(shared(50), b"-12")
        socket.resume_writing()
        assert not socket.holds_unsent

    play(story)


def test_nothing_is_written_for_many_behind_a_close_frame() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        socket.close(1000, "over")
        socket.write_shared(shared(50), b"-12")
        assert len(transport.writes) == 1

    play(story)


def crowd(door: SyncDoor) -> None:
    """Let so many begin in this turn that nobody else may."""
    while door.turnstile.has_room():
        pass


def said(**message: Any) -> bytes:
    """A text frame of a client; masked with zeros."""
    text = json.dumps(message).encode()
    assert len(text) < 2**16
    return b"\x81" + bytes([0x80 | 126]) + len(text).to_bytes(2) + bytes(4) + text


CONNECT = said(type="Connect", sessionId=SESSION_ID, connectionCount=0, lastCloseReason="InitialConnect")
NOTHING = said(type="ModifyQuerySet", baseVersion=0, newVersion=1, modifications=[])


def test_what_a_client_says_waits_its_turn_unread_and_is_heard_in_order() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        crowd(door)
        socket.data_received(CONNECT)
        assert transport.reading == [False]
        # What the transport had decrypted already, cut anywhere.
        socket.data_received(NOTHING[:10])
        socket.data_received(NOTHING[10:])
        assert len(door.turnstile) == 1, "one piece for one session"
        assert transport.writes == []
        for _ in range(10):
            await a_turn()
        assert transport.reading == [False, True]
        assert b'"Transition"' in b"".join(transport.writes)
        assert len(door.turnstile) == 0

    play(story)


def test_what_is_pushed_to_a_client_does_not_wait_for_what_it_says() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        crowd(door)
        socket.data_received(CONNECT)
        socket.write_text([b"pushed"], 6)
        assert transport.writes == [frame(b"pushed")]

    play(story)


def test_a_session_is_read_again_only_when_nothing_else_keeps_it_from_that() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        crowd(door)
        socket.data_received(CONNECT)
        socket.pause_reading()
        await a_turn()
        await a_turn()
        assert transport.reading == [False, False], "an authentication wants nothing read"
        crowd(door)
        socket.resume_reading()
        assert transport.reading[-1] is True
        socket.data_received(NOTHING)
        socket.resume_reading()
        assert transport.reading[-1] is False, "not before its turn"

    play(story)


def test_a_socket_that_is_lost_while_it_waits_is_not_heard() -> None:
    async def story(socket: SyncSocket, transport: Transport, door: SyncDoor) -> None:
        crowd(door)
        socket.data_received(CONNECT + NOTHING)
        socket.connection_lost(None)
        transport.is_cut = True
        for _ in range(5):
            await a_turn()
        assert transport.writes == []
        assert door.socket_count == 0

    play(story)
