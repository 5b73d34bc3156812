"""The worker's end of its pipe: messages come in order, whole, and its end is no error."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from rewake.execution.worker_messages import EndWave, Trim, pack
from rewake.execution.worker_pipe import Pipe

Ends = tuple[socket.socket, Pipe]


@pytest.fixture
def ends() -> Iterator[Ends]:
    front, back = socket.socketpair()
    pipe = Pipe(back.detach())
    yield front, pipe
    front.close()
    pipe.close()


def test_what_came_together_is_read_one_by_one(ends: Ends) -> None:
    front, pipe = ends
    front.sendall(pack(Trim(1)) + pack(EndWave()) + pack(Trim(2)))
    assert pipe.read() == Trim(1)
    assert pipe.read_ready() == EndWave()
    assert pipe.read() == Trim(2)
    assert pipe.read_ready() is None


def test_half_a_message_is_not_ready_and_is_waited_for(ends: Ends) -> None:
    front, pipe = ends
    whole = pack(Trim(7))
    front.sendall(whole[:5])
    assert pipe.read_ready() is None
    front.sendall(whole[5:])
    assert pipe.read() == Trim(7)


def test_the_end_of_the_pipe_comes_behind_what_was_sent(ends: Ends) -> None:
    front, pipe = ends
    front.sendall(pack(Trim(1)))
    front.close()
    assert pipe.read() == Trim(1)
    assert pipe.read_ready() is None
    assert pipe.read() is None


def test_a_front_that_died_is_an_end_too() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    back = socket.create_connection(listening.getsockname())
    front, _ = listening.accept()
    pipe = Pipe(back.detach())
    # Closing with a reset instead of an end.
    front.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    front.close()
    assert pipe.read() is None
    pipe.close()
    listening.close()


def test_what_is_sent_arrives_as_frames(ends: Ends) -> None:
    front, pipe = ends
    pipe.send(EndWave())  # type: ignore[arg-type]  # Any message will do.
    assert front.recv(1000) == pack(EndWave())
