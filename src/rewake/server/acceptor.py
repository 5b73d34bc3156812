"""The acceptor: connections that wait to be accepted are taken many at a time.

Floor 7, `server`. uvloop takes one connection of a listening socket in a turn of the loop, however many wait.
Where turns are long, in a flood, that is a few hundred a second: the others lie in the kernel with their
requests, where nobody counts them, and when that queue is full clients try again after one second, then
three, then seven. So with each connection that the loop has accepted we take those that wait behind it.

    the loop accepts one -> accepted(protocol) -> accept, accept, ... until none is left -> protocols like it

Not here: how many connections there may be (`gate.py`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

TURN_ACCEPTS_MAX = 256
"""Taken in one turn beside the loop's own: some twenty milliseconds."""


class Acceptor:
    """What is taken beside the loop, of one listening socket."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._is_swept = False  # Set for the rest of a turn in which everything was taken.
        self._connecting: set[asyncio.Task[None]] = set()

    def accepted(self, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None) -> None:
        """A connection was accepted; those that wait behind it get a `protocol` each."""
        if self._is_swept:
            return
        self._is_swept = True
        loop = asyncio.get_running_loop()
        loop.call_soon(self._next_turn)
        for _ in range(TURN_ACCEPTS_MAX):
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # None is left, or no descriptor is: the loop sees to that.
            task = loop.create_task(_connect(loop, connection, protocol, tls))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _next_turn(self) -> None:
        self._is_swept = False


async def _connect(
    loop: asyncio.AbstractEventLoop,
    connection: socket.socket,
    protocol: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None,
) -> None:
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.connect_accepted_socket(protocol, connection, ssl=tls)
    except OSError:
        connection.close()  # The client went away, or does not speak TLS.
