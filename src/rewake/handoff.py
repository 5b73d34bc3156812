"""Handoffs: an answer that reaches whoever waits for it in the very step in which it is known.

Floor 0. A future wakes a task, and the task runs a turn of the event loop later. Where one piece of news
answers many who have little left to do (the outcomes of a commit group), those turns are much of the work,
and what is written in them leaves piece by piece. A coroutine that runs `at_once` begins in the step that
starts it, and goes on inside of `Handoff.set_result`; a task that awaits the same handoff is woken as by a
future.

    at_once(job()) -> job runs until it awaits -> teller: handoff.set_result(x) -> job goes on, here and now

A coroutine that runs at once is no task: nothing cancels it, and `asyncio.timeout` does not work in it. It
may await futures; then it goes on as a task would, a turn after they are done. It has a context of its own.

Not here: what is handed over (`execution/writer_seat.py`, `execution/writer_thread.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Stepping(threading.local):
    """Whether a coroutine that runs at once is being stepped in this thread: only then is one asked for."""

    is_on = False


_stepping = _Stepping()


class Handoff(Generic[T]):
    """An answer to come, for one who waits. Settled once, in the thread of the event loop."""

    __slots__ = ("_answer", "_error", "_future", "_is_settled", "_resume")

    def __init__(self) -> None:
        self._is_settled = False
        self._answer: T
        self._error: BaseException | None = None
        # Who waits: set by `__await__`, one of them.
        self._resume: Callable[[], None] | None = None
        self._future: asyncio.Future[None] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether there is an answer, also where whoever waited has gone away."""
        return self._is_settled

    def done(self) -> bool:
        """Whether it is settled, or whoever waited has gone away."""
        return self._is_settled or (self._future is not None and self._future.done())

    def set_result(self, answer: T) -> None:
        """Hand the answer over. Whoever runs at once goes on before this returns."""
        self._answer = answer
        self._settle()

    def set_exception(self, error: BaseException) -> None:
        """Have `error` raised where the answer is awaited."""
        self._error = error
        self._settle()

    def _settle(self) -> None:
        assert not self._is_settled, "an answer is handed over once"
        self._is_settled = True
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        elif self._future is not None:
            self._future.set_result(None)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._is_settled:
            if _stepping.is_on:
                yield self
            else:
                self._future = asyncio.get_running_loop().create_future()
                yield from self._future
        if self._error is not None:
            raise self._error
        return self._answer


class _Run:
    """A coroutine that runs at once."""

    __slots__ = ("_context", "_coroutine", "_over")

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], over: Callable[[], None], context: Context
    ) -> None:
        self._coroutine = coroutine
        self._over = over
        self._context = context

    def step(self, _: object = None) -> None:
        """Go on until the next wait."""
        before, _stepping.is_on = _stepping.is_on, True
        try:
            awaited = self._context.run(self._coroutine.send, None)
        except BaseException as end:
            self._end(end)
            return
        finally:
            _stepping.is_on = before
        if isinstance(awaited, Handoff):
            awaited._resume = self.step
        elif awaited is None:
            asyncio.get_running_loop().call_soon(self.step)  # As of `asyncio.sleep(0)`.
        else:
            assert asyncio.isfuture(awaited)
            awaited._asyncio_future_blocking = False  # What a task does with what it is told to wait for.
            awaited.add_done_callback(self.step)

    def _end(self, end: BaseException) -> None:
        try:
            self._over()
        finally:
            if not isinstance(end, StopIteration):
                # Nobody awaits it, and whoever took the step has nothing to do with its mistake.
                told = {"message": "a coroutine that ran at once failed", "exception": end}
                asyncio.get_running_loop().call_exception_handler(told)


def is_at_once() -> bool:
    """Whether whoever asks runs at once, and so cannot be cancelled."""
    return _stepping.is_on


def at_once(job: Coroutine[Any, Any, None], *, over: Callable[[], None]) -> None:
    """Run `job`, the first step now. `over` is called when it has ended, however it did."""
    _Run(job, over, copy_context()).step()
