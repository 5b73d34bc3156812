"""Drivers: what the two drivers of sockets ask of the door.

Floor 6, `sync`. A driver takes a place, opens a connection for its socket, hears the client in its turn, and
has what it gathered written at the end of a turn.

Not here: the drivers (`uvicorn_socket.py`, `asgi_socket.py`), what connections ask (`connection.py`).
"""

from __future__ import annotations

from typing import Protocol

from rewake.execution import NO_SOURCE, Lane, RequestSource, Standing, Turnstile
from rewake.limits import Limits
from rewake.protocol import ClientVersion
from rewake.sync.admission import Admission
from rewake.sync.connection import Connection
from rewake.sync.deflation import Deflater
from rewake.sync.socket import Socket, Writing


class Door(Protocol):
    """The door, as its sockets see it."""

    limits: Limits
    prefixes: tuple[str, ...]
    admission: Admission
    deflater: Deflater
    turnstile: Turnstile

    def connect(
        self,
        socket: Socket,
        client: ClientVersion,
        source: RequestSource = NO_SOURCE,
        *,
        watches_frames: bool = True,
    ) -> Connection:
        """A new connection for a socket that was just opened."""
        ...

    def write_soon(self, socket: Writing) -> None:
        """Have `socket` write what it has gathered, once for all that is said to it in this turn."""
        ...


def session_lane(socket: object) -> Lane:
    """The lane in which one socket's messages wait to be heard. They are not turned away: what a session sent
    has an order, and a client behind a socket that is not read stops by itself.
    """
    return Lane(f"socket {id(socket)}", Standing.BEGUN)
