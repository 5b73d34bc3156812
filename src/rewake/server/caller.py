"""A caller: one plain connection, as the house itself reads and writes it.

Floor 7, `server`. An asyncio transport around a socket that does not block. It is small, and has a protocol
only while it needs one: of a crowd that connects at once most say nothing yet, or are told to come back, and
between two requests there is nothing to remember.

    ready(events) -> read -> lobby.heard(words) -> a ready refusal, or speak(protocol, words)
                          `-> protocol.data_received, until it says rest()
                 `-> flush what waited

A write goes to the kernel at once, and what it does not take waits here. Nothing is told to a protocol from
inside of its own call but `pause_writing`, as with the transports of asyncio.

Not here: which callers are ready, and how long they may be silent (`lobby.py`); TLS, which the loop does
(`acceptor.py`). Source: the documentation of asyncio's transports; epoll(7).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, cast

_HIGH_WATER_BYTES = 64 * 1024
_READABLE, _WRITABLE = 1, 4
"""`EPOLLIN` and `EPOLLOUT`, by their numbers: not every system has the names."""

_Bytes = bytes | bytearray | memoryview


class Keeper(Protocol):
    """What a caller asks of his lobby."""

    buffer: memoryview
    """What is read comes to lie here: room for 64 KiB made for each read costs more than the read."""

    def heard(self, caller: Caller, data: bytes) -> None:
        """The first words, or those after an answer or a refusal."""
        ...

    def rested(self, caller: Caller) -> None:
        """It was answered, and has a protocol that it does not need for now."""
        ...

    def watch(self, number: int, events: int) -> None:
        """Look for other events from now on."""
        ...

    def left(self, caller: Caller) -> None:
        """Its socket is to be looked at no more."""
        ...

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run `job` to its end."""
        ...


class Caller(asyncio.Transport):
    """One connection. Made by the lobby, which calls `ready`."""

    __slots__ = (
        "_high",
        "_is_closing",
        "_is_full",
        "_is_lost",
        "_is_reading",
        "_keeper",
        "_low",
        "_protocol",
        "_socket",
        "_unsent",
        "is_resting",
        "number",
        "peer",
    )

    def __init__(self, keeper: Keeper, connection: socket.socket, peer: tuple[str, int]) -> None:
        self._keeper = keeper
        self._socket = connection
        self.number = connection.fileno()
        """Its descriptor."""
        self.peer = peer
        self._protocol: Any = None  # Set by `speak`; taken by `take_protocol`.
        self.is_resting = False
        """Set by the protocol: for now it is done. Cleared when it hears of more, or is taken."""
        self._unsent: bytearray | None = None  # Set while bytes wait for the kernel.
        self._high, self._low = _HIGH_WATER_BYTES, _HIGH_WATER_BYTES // 4
        self._is_reading = True
        self._is_full = False  # Set while the protocol was told to write no more.
        self._is_closing = False
        self._is_lost = False  # Set when the socket is given up, or over to somebody.

    # What the lobby calls.

    def speak(self, protocol: Any, data: bytes, *, has_turn: bool = False) -> None:
        """Have `protocol` hear `data`, and what follows until it rests. Where the call that it begins with
        `has_turn`, the protocol is told so.
        """
        self._protocol = protocol
        protocol.connection_made(self)
        if not self._is_closing:
            self.speak_on(data, has_turn=has_turn)

    def speak_on(self, data: bytes, *, has_turn: bool = False) -> None:
        """Have the protocol that rested hear `data`."""
        self.is_resting = False
        if has_turn:
            self._protocol.has_turn = True
        self._protocol.data_received(data)

    def take_protocol(self) -> Any:
        """The protocol that rests; the caller has none then."""
        assert self.is_resting
        self.is_resting = False
        protocol, self._protocol = self._protocol, None
        return protocol

    def ready(self, events: int) -> None:
        """The socket has something to read, takes something, or is gone."""
        if self._is_lost:
            return
        if events & _WRITABLE and self._unsent:
            self._flush()
        if events & _READABLE:
            if self._is_reading and not self._is_closing:
                self._read()
        elif events & ~_WRITABLE:
            self._lose(ConnectionResetError())

    def fail(self, error: Exception) -> None:
        """Hearing what was said failed: nobody's mistake but ours, and nobody else's loss."""
        told = {"message": "a connection failed", "exception": error, "transport": self}
        asyncio.get_running_loop().call_exception_handler(told)
        self._lose(error)

    def hand_over(self, then: Callable[[asyncio.Transport], None]) -> None:
        """Give the socket to the loop, whose own transport is handed to `then`, in a turn or two."""
        self._give_up()
        self._keeper.spawn(self._handed_over(then))

    # What a protocol says.

    def rest(self) -> None:
        """Nothing is under way: what is said next goes to the lobby first, which may take the protocol."""
        if not self._is_closing and self._unsent is None:
            self.is_resting = True
            self._keeper.rested(self)

    # Reading.

    def _read(self) -> None:
        try:
            size = self._socket.recv_into(self._keeper.buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if size:
            data = bytes(self._keeper.buffer[:size])
            if self._protocol is None or self.is_resting:
                self._keeper.heard(self, data)
            else:
                self._protocol.data_received(data)
        elif self._protocol is not None and self._protocol.eof_received():
            self.pause_reading()
        else:
            self.close()

    def is_reading(self) -> bool:
        """Whether what comes is read."""
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        """Let what comes lie."""
        if self._is_reading:
            self._is_reading = False
            self._watch()

    def resume_reading(self) -> None:
        """Read again."""
        if not self._is_reading:
            self._is_reading = True
            self._watch()

    # Writing.

    def write(self, data: _Bytes) -> None:
        """Write `data`; nothing once the connection is lost."""
        if self._is_lost or not data:
            return
        if self._unsent is None:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            self._unsent = bytearray(memoryview(data)[sent:])
            self._watch()
        else:
            self._unsent += data
        self._tell_if_full()

    def writelines(self, list_of_data: Iterable[_Bytes]) -> None:
        """Write several pieces."""
        for data in list_of_data:
            self.write(data)

    def _flush(self) -> None:
        assert self._unsent is not None
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        del self._unsent[:sent]
        left = len(self._unsent)
        if not left:
            self._unsent = None
            self._watch()
        if self._is_full and left <= self._low:
            self._is_full = False
            self._protocol.resume_writing()
        if self._is_closing and not left:
            self._lose(None)

    def _tell_if_full(self) -> None:
        if not self._is_full and self._protocol is not None and self.get_write_buffer_size() > self._high:
            self._is_full = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """No: HTTP has no use for it."""
        return False

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the kernel."""
        return 0 if self._unsent is None else len(self._unsent)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """When the protocol is told to write no more, and to go on."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Change these."""
        if high is None:
            high = _HIGH_WATER_BYTES if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low
        self._tell_if_full()

    # The end.

    def close(self) -> None:
        """Close, after everything that was written."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._unsent is None:
            self._lose(None)
        else:
            self._watch()

    def abort(self) -> None:
        """Cut the connection; what waits is lost."""
        self._lose(None)

    def is_closing(self) -> bool:
        """Whether it closes, or is closed."""
        return self._is_closing

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._give_up()
            asyncio.get_running_loop().call_soon(self._finish, error)

    def _give_up(self) -> None:
        self._is_lost = self._is_closing = True
        self._keeper.left(self)

    def _finish(self, error: Exception | None) -> None:
        protocol, self._protocol = self._protocol, None
        self._unsent = None
        try:
            if protocol is not None:
                protocol.connection_lost(error)
        finally:
            self._socket.close()

    async def _handed_over(self, then: Callable[[asyncio.Transport], None]) -> None:
        unsent, self._unsent, self._protocol = self._unsent, None, None

        def made(transport: asyncio.Transport) -> None:
            if unsent:
                transport.write(unsent)
            then(transport)

        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: _Heir(made), self._socket)
        except OSError:
            self._socket.close()

    # About it.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol hear what follows."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who hears what comes."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Both addresses, without what version 6 adds to them."""
        if name == "peername":
            return self.peer
        if name == "sockname" and not self._is_lost:
            return self._socket.getsockname()[:2]
        return default

    def _watch(self) -> None:
        if not self._is_lost:
            reads = self._is_reading and not self._is_closing
            events = (_READABLE if reads else 0) | (_WRITABLE if self._unsent else 0)
            self._keeper.watch(self.number, events)


class _Heir(asyncio.Protocol):
    """Hears nothing: its transport is given to another protocol at once."""

    def __init__(self, made: Callable[[asyncio.Transport], None]) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made(cast(asyncio.Transport, transport))
