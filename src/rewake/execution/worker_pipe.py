"""The worker pipe: a worker's end of its pipe to the front.

Floor 3, `execution`. Blocking, for a process that has nothing to do but what it is told. Not here: the other
end (`worker_process.py`), what the messages mean (`worker_messages.py`).
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque

from rewake.execution.pipe_frames import FrameDecoder
from rewake.execution.worker_messages import FromFront, FromWorker, pack, unpack_from_front

_PORTION = 1 << 18


class Pipe:
    """The worker's end of its pipe: blocking, one reader."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._decoder = FrameDecoder()
        self._messages: deque[FromFront] = deque()
        self._sending = threading.Lock()

    def read(self) -> FromFront | None:
        """Wait for the next message; None at the end of the stream."""
        while not self._messages:
            if not self._receive(0):
                return None
        return self._messages.popleft()

    def read_ready(self) -> FromFront | None:
        """The next message that is there already, if any."""
        if not self._messages:
            self._take_in()
        return self._messages.popleft() if self._messages else None

    def ready_count(self) -> int:
        """How many messages are there already."""
        self._take_in()
        return len(self._messages)

    def send(self, message: FromWorker) -> None:
        """Send a message. When nobody is there to read it the process has nothing left to do."""
        try:
            with self._sending:
                self._socket.sendall(pack(message))
        except OSError:
            os._exit(0)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _take_in(self) -> None:
        try:
            self._receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass  # Nothing is there.

    def _receive(self, flags: int) -> bool:
        try:
            data = self._socket.recv(_PORTION, flags)
        except ConnectionResetError:
            return False
        self._messages += unpack_from_front(self._decoder.feed(data))
        return bool(data)
