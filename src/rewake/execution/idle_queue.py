"""The idle queue: readers at rest, and whoever waits for one, in turn.

Floor 3, `execution`. A reader that comes back goes straight to the next who waits. With a queue that only
wakes that one up, a caller in a loop who gives a reader back and asks again at once is always faster, and
somebody else waits for ever.

    put -> the next who waits | kept        get -> one that is kept | wait in line
    wait(taker), pass_through(taker), and later serve ----------------^
    pass_through*, and at the end of a turn count_passed
    next -> who is next after all: several may share what one of them was given

Not here: what is at rest (`reader_threads.py`, `reader_pool.py`), whose turn it is (`waiting_line.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Protocol, TypeVar

from rewake.execution.lanes import WAVES, Lane
from rewake.execution.waiting_line import WaitingLine

T = TypeVar("T")
I_contra = TypeVar("I_contra", contravariant=True)


class Taker(Protocol[I_contra]):
    """Who waits for an item."""

    def done(self) -> bool:
        """Whether it wants none any more."""
        ...

    def take(self, item: I_contra, /) -> None:
        """Here is one."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """There will be none."""
        ...


class _Getter(Generic[T]):
    """A coroutine that waits for an item, and goes on a turn after it has come."""

    def __init__(self) -> None:
        self.item: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.done = self.item.done
        self.take = self.item.set_result
        self.set_exception = self.item.set_exception


class IdleQueue(Generic[T]):
    """A fair queue of one event loop."""

    def __init__(self, line: WaitingLine[Taker[T]]) -> None:
        self._kept: deque[T] = deque()
        self._line = line
        # Who had a turn already, and waits for another: they come first.
        self._again: deque[Taker[T]] = deque()
        # Who came when nobody waited in line; they come next.
        self._passed: deque[Taker[T]] = deque()
        self._passed_count = 0  # Of those, who are not counted yet.

    def __len__(self) -> int:
        """How many wait, about: who gave up is counted until it would be its turn."""
        return len(self._line) + len(self._again) + len(self._passed)

    def put(self, item: T, *, served: int = 1) -> None:
        """Give `item` to the next who waits, or keep it. So many were `served` with it."""
        self.served(served)
        following = self.next()
        if following is not None:
            following.take(item)
        else:
            self._kept.append(item)

    def served(self, count: int) -> None:
        """So many were served, by whom there is still work with."""
        line = self._line
        if line:
            line.done(count)
            for taker in line.too_late():
                if not taker.done():
                    taker.set_exception(line.refusal())

    async def get(self, lane: Lane = WAVES) -> T:
        """Take an item; waits for its turn.

        Raises:
            Overloaded: that would be too long, or was.
            BaseException: what `fail` was called with meanwhile.
        """
        if self._kept:
            return self._kept.pop()  # What was used last is still warm.
        getter: _Getter[T] = _Getter()
        self._line.join(getter, lane)
        item = getter.item
        try:
            return await item
        except asyncio.CancelledError:
            if item.done() and not item.cancelled() and item.exception() is None:
                self.put(item.result())  # It came just as we went.
            raise

    def wait(self, taker: Taker[T], lane: Lane) -> None:
        """Have `taker` wait for its turn, also where an item is kept: `serve` hands those out.

        Raises:
            Overloaded: that would be too long.
        """
        self._line.join(taker, lane)

    def pass_through(self, taker: Taker[T]) -> bool:
        """Have `taker` wait before all who are to come, where nobody waits in line, or for a second turn. It
        is for who takes so little time that this does not matter: the line costs more than the rest of his
        way. False, and nothing has happened, where somebody does.
        """
        if self._again or self._line:
            return False
        self._passed.append(taker)
        self._passed_count += 1
        return True

    def count_passed(self) -> None:
        """Count who passed since the last time: all of a turn together."""
        count, self._passed_count = self._passed_count, 0
        if count:
            self._line.passed(count)

    def wait_again(self, taker: Taker[T]) -> None:
        """Have `taker`, who had a turn, come before all others."""
        self._again.append(taker)

    def serve(self) -> bool:
        """Hand out one that is kept to who is next, and say whether there were both. What was used last goes
        first: it is still warm.
        """
        following = self.next() if self._kept else None
        if following is None:
            return False
        following.take(self._kept.pop())
        return True

    def next(self) -> Taker[T] | None:
        """Who is next, and waits no longer; None where nobody waits."""
        for first in (self._again, self._passed):
            while first:
                taker = first.popleft()
                if not taker.done():
                    return taker
        while (following := self._line.next()) is not None:
            if not following.done():
                return following
        return None

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
        waiting = [*self._again, *self._passed, *self._line.clear()]
        self._again.clear()
        self._passed.clear()
        for taker in waiting:
            if not taker.done():
                taker.set_exception(error)
