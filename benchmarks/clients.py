"""Closed-loop clients: one request after another over a socket, with as little in the way as Python allows.

A client is an `asyncio.Protocol` that frames and parses by hand what it needs and no more, so that the
generator stays cheap beside the server. A `Dialect` says what is in the messages: Rewake's sync protocol,
its HTTP API, or the hand-written application's own. Whatever is not an answer (a Transition, a Ping) is
counted and dropped.

Source: RFC 6455 section 5 for frames, wire 1.5 and 1.6 for messages.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

Payload = bytes
"""The JSON text of one call's arguments, an object."""
NOTE = b'"body":"'
"""What every note has once in an answer, whoever wrote it."""


@dataclass(slots=True)
class Tally:
    """What the clients of one run saw. Only answers after `begins` and before `ends` count."""

    begins: float = float("inf")
    ends: float = float("inf")
    latencies: list[float] = field(default_factory=list)
    answers: int = 0
    failures: int = 0
    first_failure: str = ""
    other_messages: int = 0

    def take(self, *, sent: float, received: float, is_success: bool, text: bytes) -> None:
        if not is_success:
            self.failures += 1
            self.first_failure = self.first_failure or text[:500].decode("utf-8", "replace")
        if self.begins <= received < self.ends:
            self.answers += 1
            self.latencies.append(received - sent)


class Dialect(Protocol):
    """What is said over a socket, apart from how it is framed."""

    def greeting(self) -> list[bytes]:
        """Messages to send first."""
        ...

    def request(self, number: int, arguments: Payload) -> bytes: ...

    def verdict(self, message: bytes) -> bool | None:
        """True for a successful answer, False for a failed one, None for anything else."""
        ...


@dataclass(frozen=True, slots=True)
class SyncDialect:
    """Rewake's websocket: mutations, answered by MutationResponse."""

    function: str

    def greeting(self) -> list[bytes]:
        session = str(uuid.uuid4()).encode()
        return [
            b'{"type":"Connect","sessionId":"%b","connectionCount":0,"lastCloseReason":"InitialConnect",'
            b'"clientTs":%d}' % (session, time.time() * 1000),
            b'{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[]}',
        ]

    def request(self, number: int, arguments: Payload) -> bytes:
        return b'{"type":"Mutation","requestId":%d,"udfPath":"%b","args":[%b]}' % (
            number,
            self.function.encode(),
            arguments,
        )

    def verdict(self, message: bytes) -> bool | None:
        if b'"MutationResponse"' in message:
            return b'"success":true' in message
        return False if b'"FatalError"' in message else None


@dataclass(slots=True)
class ReadDialect:
    """Rewake's websocket: reads, each a query added to the set while the one before is given up.

    A payload that begins with `+` is a mutation of `mutation` instead.
    """

    function: str
    rows: int
    """How many notes each answer must have."""
    mutation: str = ""
    version: int = 1
    """Of the query set: the greeting made it 1."""
    query: int = -1
    """The query that is in the set; -1: none yet."""
    is_writing: bool = False

    def greeting(self) -> list[bytes]:
        return SyncDialect(self.function).greeting()

    def request(self, number: int, arguments: Payload) -> bytes:
        self.is_writing = arguments[:1] == b"+"
        if self.is_writing:
            return SyncDialect(self.mutation).request(number, arguments[1:])
        modifications = b'{"type":"Add","queryId":%d,"udfPath":"%b","args":[%b]}' % (
            number,
            self.function.encode(),
            arguments,
        )
        if self.query >= 0:
            modifications += b',{"type":"Remove","queryId":%d}' % self.query
        self.query = number
        self.version += 1
        return b'{"type":"ModifyQuerySet","baseVersion":%d,"newVersion":%d,"modifications":[%b]}' % (
            self.version - 1,
            self.version,
            modifications,
        )

    def verdict(self, message: bytes) -> bool | None:
        if b'"FatalError"' in message:
            return False
        if self.is_writing:
            return SyncDialect(self.mutation).verdict(message)
        # Other Transitions are pushes to the query before, or follow the answer of a mutation.
        if b'"queryId":%d' % self.query not in message or b'"Transition"' not in message:
            return None
        return b'"QueryUpdated"' in message and message.count(NOTE) == self.rows


@dataclass(frozen=True, slots=True)
class ApiDialect:
    """Rewake's HTTP API. An answer must have so many notes in it."""

    function: str
    rows: int = 0

    def greeting(self) -> list[bytes]:
        return []

    def request(self, number: int, arguments: Payload) -> bytes:
        return b'{"path":"%b","args":%b,"format":"convex_encoded_json"}' % (self.function.encode(), arguments)

    def verdict(self, message: bytes) -> bool | None:
        return b'"status":"success"' in message and message.count(NOTE) == self.rows


@dataclass(frozen=True, slots=True)
class EchoDialect:
    """A server that sends back what it was sent: here, what is said to Rewake's HTTP API."""

    function: str

    def greeting(self) -> list[bytes]:
        return []

    def request(self, number: int, arguments: Payload) -> bytes:
        return ApiDialect(self.function).request(number, arguments)

    def verdict(self, message: bytes) -> bool | None:
        return self.function.encode() in message


@dataclass(slots=True)
class HandwrittenDialect:
    """The hand-written application, over a websocket or HTTP.

    A payload that begins with `+` is an insert, whatever the operation. Other answers must have so many
    notes in them.
    """

    operation: str
    rows: int = 0
    is_inserting: bool = False

    def greeting(self) -> list[bytes]:
        return []

    def request(self, number: int, arguments: Payload) -> bytes:
        self.is_inserting = arguments[:1] == b"+"
        operation = b"insert" if self.is_inserting else self.operation.encode()
        return b'{"id":%d,"op":"%b","args":%b}' % (number, operation, arguments.removeprefix(b"+"))

    def verdict(self, message: bytes) -> bool | None:
        rows = 0 if self.is_inserting else self.rows
        return b'"ok":true' in message and message.count(NOTE) == rows


class Client(asyncio.Protocol):
    """A closed loop: the next request leaves when the answer to the last is here."""

    def __init__(
        self,
        dialect: Dialect,
        arguments: Iterator[Payload],
        tally: Tally,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.dialect = dialect
        self.arguments = arguments
        self.tally = tally
        self.clock = clock
        self.transport: asyncio.WriteTransport | None = None
        self.buffer = bytearray()
        self.number = 0
        self.sent_at = 0.0
        self.is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only alike.
        self.transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        lost = error or ConnectionError("the server closed the connection")
        if not self.is_open.done():
            self.is_open.set_exception(lost)
        if not self.is_done.done():
            self.is_done.set_exception(lost)

    def ask(self) -> None:
        """Send the next request."""
        request = self.dialect.request(self.number, next(self.arguments))
        self.number += 1
        assert self.transport is not None
        self.sent_at = self.clock()
        self.transport.write(self.frame(request))

    def message(self, message: bytes) -> None:
        verdict = self.dialect.verdict(message)
        if verdict is None:
            self.tally.other_messages += 1
            return
        now = self.clock()
        self.tally.take(sent=self.sent_at, received=now, is_success=verdict, text=message)
        if now < self.tally.ends:
            self.ask()
        elif not self.is_done.done():
            self.is_done.set_result(None)

    def close(self) -> None:
        if self.is_open.done() and self.is_open.exception():
            return
        if not self.is_done.done():
            self.is_done.cancel()
        if self.transport is not None:
            self.transport.close()

    def frame(self, message: bytes) -> bytes:
        raise NotImplementedError


class WebsocketClient(Client):
    """RFC 6455 from the client's side. The masking key is zero: a key like any other, and cheap for us."""

    def __init__(self, *, path: str, host: str, **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type]
        self.path = path
        self.host = host
        self.is_upgraded = False
        self.fragments = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.write(upgrade_request(self.path, self.host))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.is_upgraded and not self._upgrade():
            return
        while (found := self._next_frame()) is not None:
            is_last, kind, payload = found
            if kind == 0x9:
                assert self.transport is not None
                self.transport.write(masked_frame(0xA, payload))
            elif kind == 0x8:
                self.connection_lost(ConnectionError(f"closed: {payload[2:].decode('utf-8', 'replace')}"))
            elif kind in {0x0, 0x1}:
                self.fragments += payload
                if is_last:
                    message, self.fragments = self.fragments, b""
                    self.message(message)

    def frame(self, message: bytes) -> bytes:
        return masked_frame(0x1, message)

    def _upgrade(self) -> bool:
        head, found, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self.connection_lost(ConnectionError(f"no upgrade: {head[:200]!r}"))
            return False
        self.buffer = bytearray(rest)
        self.is_upgraded = True
        assert self.transport is not None
        for message in self.dialect.greeting():
            self.transport.write(self.frame(message))
        self.is_open.set_result(None)
        return True

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10], "big"), 10
        end = start + length
        if len(buffer) < end:
            return None
        frame = (bool(buffer[0] & 0x80), buffer[0] & 0x0F, bytes(buffer[start:end]))
        del buffer[:end]
        return frame


class HttpClient(Client):
    """HTTP/1.1 over one connection that is kept. Answers must carry a Content-Length."""

    def __init__(self, *, path: str, host: str, **others: object) -> None:
        super().__init__(**others)  # type: ignore[arg-type]
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.is_open.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        start = self.buffer.find(b"\r\n\r\n")
        if start < 0:
            return
        head = bytes(self.buffer[:start]).lower()
        _, found, rest = head.partition(b"content-length:")
        if not found:
            self.connection_lost(ConnectionError(f"no Content-Length: {head[:300]!r}"))
            return
        end = start + 4 + int(rest.split(b"\r\n", 1)[0])
        if len(self.buffer) >= end:
            body = bytes(self.buffer[start + 4 : end])
            del self.buffer[:end]
            self.message(body)

    def frame(self, message: bytes) -> bytes:
        return b"%b%d\r\n\r\n%b" % (self.head, len(message), message)


def upgrade_request(path: str, host: str) -> bytes:
    """The handshake from the client's side (RFC 6455 section 4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked_frame(kind: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | kind, 0x80 | length))
    elif length < 65536:
        head = bytes((0x80 | kind, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0x80 | 127)) + length.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload
