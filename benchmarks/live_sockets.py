"""Thousands of websockets in one process, each as light as Python allows.

All sockets of a process read into one buffer, and a frame that arrived whole is looked at where it lies. What
is sought in a push is the mark of the write that it tells of: every body that the live generator writes
begins with `push-` and eight digits, and the newest row of a list comes first. A `Speech` says what is in
the messages.

Source: RFC 6455 section 5 for frames; wire 1.5 and 1.6 for Rewake's messages.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Protocol, cast

from benchmarks.clients import masked_frame, upgrade_request

MARK = b"push-"
MARK_DIGITS = 8
TEXT_OF_16_BITS = b"\x81\x7e"
"""How a text begins whose length is in the next two bytes."""
BUFFER_BYTES = 256 * 1024


def marked(number: int) -> str:
    """The beginning of the body of write `number`."""
    return f"{MARK.decode()}{number:0{MARK_DIGITS}d}"


class Speech(Protocol):
    """What is said over a live socket."""

    path: str

    def opening(self) -> list[bytes]:
        """Messages to send when the socket is open."""
        ...

    def watch(self, *, version: int, first: int, calls: list[bytes], dropped: list[int]) -> list[bytes]:
        """Messages that subscribe to `calls`, numbered from `first`, and give up the queries in `dropped`."""
        ...

    def write(self, *, number: int, arguments: bytes, bytes_pushed: int) -> bytes: ...

    def results(self, buffer: bytearray, start: int, end: int) -> int:
        """How many results a message brings; -1 when it tells of a failure."""
        ...

    def verdict(self, buffer: bytearray, start: int, end: int) -> int:
        """The same, but 1 for any number of results."""
        ...

    def removals(self, buffer: bytearray, start: int, end: int) -> int:
        """How many subscriptions a message says are gone."""
        ...

    def answer(self, message: bytes) -> bool | None:
        """Whether a message says that a write succeeded, or failed; None for any other message."""
        ...


class RewakeSpeech:
    """The sync protocol. `query` and `mutation` are paths of functions."""

    path = "/api/1.48.0/sync"

    def __init__(self, query: str, mutation: str) -> None:
        self.query = query.encode()
        self.mutation = mutation.encode()

    def opening(self) -> list[bytes]:
        return [
            b'{"type":"Connect","sessionId":"%b","connectionCount":0,"lastCloseReason":"InitialConnect",'
            b'"clientTs":%d}' % (str(uuid.uuid4()).encode(), time.time() * 1000)
        ]

    def watch(self, *, version: int, first: int, calls: list[bytes], dropped: list[int]) -> list[bytes]:
        modifications = [
            b'{"type":"Add","queryId":%d,"udfPath":"%b","args":[%b]}' % (first + place, self.query, call)
            for place, call in enumerate(calls)
        ]
        modifications += [b'{"type":"Remove","queryId":%d}' % number for number in dropped]
        return [
            b'{"type":"ModifyQuerySet","baseVersion":%d,"newVersion":%d,"modifications":[%b]}'
            % (version, version + 1, b",".join(modifications))
        ]

    def write(self, *, number: int, arguments: bytes, bytes_pushed: int) -> bytes:
        del bytes_pushed
        return b'{"type":"Mutation","requestId":%d,"udfPath":"%b","args":[%b]}' % (
            number,
            self.mutation,
            arguments,
        )

    def results(self, buffer: bytearray, start: int, end: int) -> int:
        verdict = self.verdict(buffer, start, end)
        return buffer.count(b'"QueryUpdated"', start, end) if verdict > 0 else verdict

    def verdict(self, buffer: bytearray, start: int, end: int) -> int:
        kind = bytes(buffer[start + 9 : start + 14])
        if kind == b"Trans":
            if buffer.find(b'"QueryUpdated"', start, end) >= 0:
                return 1
            return -1 if buffer.find(b'"QueryFailed"', start, end) >= 0 else 0
        return -1 if kind in {b"Fatal", b"AuthE"} else 0

    def removals(self, buffer: bytearray, start: int, end: int) -> int:
        return buffer.count(b'"QueryRemoved"', start, end)

    def answer(self, message: bytes) -> bool | None:
        if b'"MutationResponse"' in message:
            return b'"success":true' in message
        return False if b'"FatalError"' in message else None


class HandwrittenSpeech:
    """The hand-written application and the bare broadcast: one watched channel a message."""

    path = "/ws"

    def opening(self) -> list[bytes]:
        return []

    def watch(self, *, version: int, first: int, calls: list[bytes], dropped: list[int]) -> list[bytes]:
        del version
        assert not dropped, "the hand-written application gives no subscription up"
        return [
            b'{"id":%d,"op":"watch","args":%b}' % (first + place, call) for place, call in enumerate(calls)
        ]

    def write(self, *, number: int, arguments: bytes, bytes_pushed: int) -> bytes:
        return b'{"id":%d,"op":"insert","bytes":%d,"args":%b}' % (number, bytes_pushed, arguments)

    def results(self, buffer: bytearray, start: int, end: int) -> int:
        if buffer.startswith(b'{"channel":', start):
            return 1
        return 1 if buffer.find(b'"ok":true', start, min(end, start + 60)) >= 0 else -1

    def verdict(self, buffer: bytearray, start: int, end: int) -> int:
        return self.results(buffer, start, end)

    def removals(self, buffer: bytearray, start: int, end: int) -> int:
        del buffer, start, end
        return 0

    def answer(self, message: bytes) -> bool | None:
        return b'"ok":true' in message


class LiveSocket(asyncio.BufferedProtocol):
    """One websocket: frames in, frames out. What a message means is for whoever derives from it."""

    shared = bytearray(BUFFER_BYTES)
    """Read into by every socket of this process: what was read is looked at before the next read."""

    def __init__(self, speech: Speech, host: str, lost: Callable[[str], None]) -> None:
        """`lost` is called with the reason when the socket ends before `leave`."""
        self.speech = speech
        self.host = host
        self.lost = lost
        self.view = memoryview(self.shared)
        self.rest = bytearray()
        """The part of a frame that has come so far. Empty most of the time."""
        self.is_upgraded = False
        self.is_leaving = False
        self.is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(upgrade_request(self.speech.path, self.host))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_leaving:
            self._ended(f"lost: {error!r}")

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self.view

    def buffer_updated(self, count: int) -> None:
        if self.rest or not self.is_upgraded:
            self.rest += self.view[:count]
            if not self.is_upgraded and not self._upgrade():
                return
            taken = self._frames(self.rest, len(self.rest))
            del self.rest[:taken]
        elif (read := self.shared).startswith(TEXT_OF_16_BITS) and 4 + (read[2] << 8 | read[3]) == count:
            self.message(read, 4, count)  # One push and no more, as most reads are.
        else:
            taken = self._frames(self.shared, count)
            if taken < count:
                self.rest += self.view[taken:count]

    def send(self, *messages: bytes) -> None:
        """Nothing is sent over a socket that has ended: whoever lost it has been told."""
        if self.is_leaving:
            return
        self.transport.write(b"".join(masked_frame(0x1, message) for message in messages))

    def leave(self) -> None:
        """Cut the connection, as a network does."""
        self.is_leaving = True
        self.transport.abort()

    def message(self, buffer: bytearray, start: int, end: int) -> None:
        raise NotImplementedError

    def _ended(self, reason: str) -> None:
        self.is_leaving = True
        if not self.is_open.done():
            self.is_open.set_exception(ConnectionError(reason))
        self.lost(reason)

    def _upgrade(self) -> bool:
        head, found, _ = bytes(self.rest).partition(b"\r\n\r\n")
        if not found:
            return False
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self._ended(f"no upgrade: {head[:60].decode(errors='replace')}")
            self.transport.abort()
            return False
        del self.rest[: len(head) + 4]
        self.is_upgraded = True
        self.send(*self.speech.opening())
        self.is_open.set_result(None)
        return True

    def _frames(self, buffer: bytearray, end: int) -> int:
        """Take all whole frames at the beginning of a buffer; how many bytes they were."""
        begin = 0
        while end - begin >= 2 and not self.is_leaving:
            length, start = buffer[begin + 1] & 0x7F, begin + 2
            if length == 126:
                if end - begin < 4:
                    break
                length, start = buffer[start] << 8 | buffer[start + 1], begin + 4
            elif length == 127:
                if end - begin < 10:
                    break
                length, start = int.from_bytes(buffer[start : start + 8], "big"), begin + 10
            if start + length > end:
                break
            kind = buffer[begin]
            if kind == 0x81:
                self.message(buffer, start, start + length)
            elif kind == 0x89:
                self.transport.write(masked_frame(0xA, bytes(buffer[start : start + length])))
            elif kind == 0x88:
                code = int.from_bytes(buffer[start : start + 2], "big")
                reason = bytes(buffer[start + 2 : start + length]).decode(errors="replace")
                self._ended(f"closed with {code}: {reason}")
            else:
                self._ended(f"a frame of kind {kind:#x} was not expected")
            begin = start + length
        return begin


def mark_in(buffer: bytearray, start: int, end: int) -> int:
    """The number of the first mark in a message; -1 where there is none."""
    place = buffer.find(MARK, start, end)
    if place < 0:
        return -1
    return int(buffer[place + len(MARK) : place + len(MARK) + MARK_DIGITS])
