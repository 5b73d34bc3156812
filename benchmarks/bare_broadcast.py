"""The floor under every push: one loop writes one ready websocket frame to one socket after another.

    python -m benchmarks.bare_broadcast --port 8000

It speaks what the live generator says to the hand-written application, and does nothing else: no database, no
query, no JSON. Who watches is on the list; the mark in an insert is sent to the whole list, padded to as
many bytes as the insert says, so that a push weighs what one of the server beside it weighs. Each insert is
a round of its own.

Source: RFC 6455 sections 4 and 5.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import re
from typing import cast

import uvloop

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Broadcast:
    """Who watches."""

    def __init__(self) -> None:
        self.watchers: set[Socket] = set()

    def send(self, frame: bytes) -> None:
        for watcher in self.watchers:
            watcher.transport.write(frame)


class Socket(asyncio.Protocol):
    """One client. Its messages are short, in frames of their own, masked with zeros."""

    transport: asyncio.WriteTransport

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self.buffer = b""
        self.is_upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.broadcast.watchers.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.is_upgraded and not self._upgrade():
            return
        while len(self.buffer) >= 6:
            length, start = self.buffer[1] & 0x7F, 6
            if length == 126:
                length, start = int.from_bytes(self.buffer[2:4], "big"), 8
            if len(self.buffer) < start + length:
                return
            kind, message = self.buffer[0] & 0x0F, self.buffer[start : start + length]
            self.buffer = self.buffer[start + length :]
            if kind == 0x1:
                self._message(message)
            elif kind == 0x8:
                self.transport.close()

    def _upgrade(self) -> bool:
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        self.buffer = rest
        if head.startswith(b"GET /healthz"):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            self.transport.close()
            return False
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        if key is None:
            self.transport.close()
            return False
        accepted = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accepted
        )
        self.is_upgraded = True
        return True

    def _message(self, message: bytes) -> None:
        number = re.search(rb'"id":(\d+)', message)
        size = re.search(rb'"bytes":(\d+)', message)
        body = re.search(rb"push-\d+", message)
        if b'"watch"' in message:
            self.broadcast.watchers.add(self)
        elif body and size:
            push = b'{"channel":"all","result":"%b' % body[0]
            self.broadcast.send(frame(push.ljust(int(size[1]) - 2) + b'"}'))
        self.transport.write(frame(b'{"id":%b,"ok":true,"result":null}' % (number[1] if number else b"0")))


def frame(message: bytes) -> bytes:
    """One unmasked text frame."""
    length = len(message)
    if length < 126:
        return bytes((0x81, length)) + message
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + message
    return b"\x81\x7f" + length.to_bytes(8, "big") + message


async def serve(port: int) -> None:
    broadcast = Broadcast()
    server = await asyncio.get_running_loop().create_server(
        lambda: Socket(broadcast), "127.0.0.1", port, backlog=8192
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="The bare broadcast of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
