"""Pending mutations: those of one socket that wait their turn, in order, bounded in number and in bytes.

Floor 6, `sync`. A socket's mutations run one at a time; what a client sends ahead waits here. Made when the
first has to wait: most sockets never need it.

Not here: the line for the writer, in which a socket has one mutation (`execution/waiting_line.py`).
Source: wire 1.11.
"""

from __future__ import annotations

from collections import deque

from rewake.limits import Limits
from rewake.sync.faults import TooManyConcurrentMutations, TooManyMutationBytes
from rewake.sync.instructions import StartMutation


class PendingMutations:
    """A bounded queue."""

    __slots__ = ("_bytes", "_limits", "_queue")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[StartMutation] = deque()
        self._bytes = 0  # Of the arguments of all.

    def __len__(self) -> int:
        return len(self._queue)

    def append(self, start: StartMutation) -> None:
        """Have one more wait. One alone may, however large it is.

        Raises:
            TooManyConcurrentMutations, TooManyMutationBytes: there is no room.
        """
        limits, size = self._limits, len(start.call.args)
        if len(self._queue) >= limits.socket_mutations_waiting_max:
            raise TooManyConcurrentMutations(limit=limits.socket_mutations_waiting_max)
        if self._queue and self._bytes + size > limits.socket_mutations_waiting_bytes_max:
            raise TooManyMutationBytes(limit=limits.socket_mutations_waiting_bytes_max)
        self._bytes += size
        self._queue.append(start)

    def popleft(self) -> StartMutation:
        """The one that has waited longest."""
        start = self._queue.popleft()
        self._bytes -= len(start.call.args)
        return start
