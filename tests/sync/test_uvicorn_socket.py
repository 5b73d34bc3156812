"""What waits on a socket that compresses is told as text, and forgotten when it is out."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from rewake.environment import Environment
from rewake.execution import NO_SOURCE
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import UNKNOWN_CLIENT
from rewake.sync import SyncDoor
from rewake.sync.deflation import WINDOW_BITS_MAX
from rewake.sync.uvicorn_socket import SyncSocket
from tests.sync.fake_backend import FakeBackend


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
