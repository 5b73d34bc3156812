"""The idle queue: readers at rest, and whoever waits for one, in turn.

Floor 3, `execution`. A reader that comes back goes straight to the next who waits. With a queue that only
wakes that one up, a caller in a loop who gives a reader back and asks again at once is always faster, and
somebody else waits for ever.

    put -> the next who waits | kept        get -> one that is kept | wait in line

Not here: what is at rest (`reader_threads.py`, `reader_pool.py`), whose turn it is (`waiting_line.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from rewake.execution.lanes import WAVES, Lane
from rewake.execution.waiting_line import WaitingLine

T = TypeVar("T")


class IdleQueue(Generic[T]):
    """A fair queue of one event loop."""

    def __init__(self, line: WaitingLine[asyncio.Future[T]]) -> None:
        self._kept: deque[T] = deque()
        self._line = line

    def put(self, item: T) -> None:
        """Give `item` to the next who waits, or keep it."""
        line = self._line
        if line:
            line.done()
            for future in line.too_late():
                if not future.done():
                    future.set_exception(line.refusal())
        while (following := line.next()) is not None:
            if not following.done():
                following.set_result(item)
                return
        self._kept.append(item)

    async def get(self, lane: Lane = WAVES) -> T:
        """Take an item; waits for its turn.

        Raises:
            Overloaded: that would be too long, or was.
            BaseException: what `fail` was called with meanwhile.
        """
        if self._kept:
            return self._kept.popleft()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._line.join(future, lane)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.put(future.result())  # It came just as we went.
            raise

    def take_out(self, item: T) -> None:
        """Forget an item that is kept. Harmless when it is not."""
        if item in self._kept:
            self._kept.remove(item)

    def empty(self) -> list[T]:
        """Take out all that are kept."""
        kept = list(self._kept)
        self._kept.clear()
        return kept

    def fail(self, error: BaseException) -> None:
        """Raise `error` for all who wait."""
        for future in self._line.clear():
            if not future.done():
                future.set_exception(error)
