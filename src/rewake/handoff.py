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
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class _Stepping(threading.local):
    """Whether a coroutine that runs at once is being stepped in this thread: only then is one asked for."""

    is_on = False


_stepping = _Stepping()


class Handoff(msgspec.Struct, Generic[T], eq=False):
    """An answer to come, for one who waits. Settled once, in the thread of the event loop.

    A struct, since one is made for each call: whoever has more to say of what is asked may inherit from it.
    """

    is_settled: bool = False
    """Whether there is an answer, also where whoever waited has gone away."""
    _answer: Any = None
    _error: BaseException | None = None
    # Who waits: set by `__await__`, one of them.
    _resume: Callable[[], None] | None = None
    _future: asyncio.Future[None] | None = None

    def done(self) -> bool:
        """Whether it is settled, or whoever waited has gone away."""
        return self.is_settled or (self._future is not None and self._future.done())

    def set_result(self, answer: T) -> None:
        """Hand the answer over. Whoever runs at once goes on before this returns; who has gone away misses
        nothing.
        """
        assert not self.is_settled, "an answer is handed over once"
        self._answer, self.is_settled = answer, True
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        elif self._future is not None and not self._future.done():
            self._future.set_result(None)

    def set_exception(self, error: BaseException) -> None:
        """Have `error` raised where the answer is awaited."""
        self._error = error
        self.set_result(None)  # type: ignore[arg-type]  # Nobody sees it.

    def __await__(self) -> Generator[Any, None, T]:
        if not self.is_settled:
            if _stepping.is_on:
                yield self
            else:
                self._future = asyncio.get_running_loop().create_future()
                yield from self._future
        if self._error is not None:
            raise self._error
        answer: T = self._answer
        return answer


class _Run(msgspec.Struct, eq=False):
    """A coroutine that runs at once."""

    _coroutine: Coroutine[Any, Any, Any]
    _tell: Callable[[Any], None] | None
    _over: Callable[[], None] | None
    _context: Context

    def step(self, _: object = None) -> None:
        """Go on until the next wait."""
        before, _stepping.is_on = _stepping.is_on, True
        try:
            awaited = self._context.run(self._coroutine.send, None)
        except StopIteration as end:
            try:
                if self._tell is not None:
                    self._tell(end.value)
            except BaseException as error:
                self._fail(error)
                return
            if self._over is not None:
                self._over()
            return
        except BaseException as error:
            self._fail(error)
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

    def _fail(self, error: BaseException) -> None:
        try:
            if self._over is not None:
                self._over()
        finally:
            # Nobody awaits it, and whoever took the step has nothing to do with its mistake.
            told = {"message": "a coroutine that ran at once failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)


def is_at_once() -> bool:
    """Whether whoever asks runs at once, and so cannot be cancelled."""
    return _stepping.is_on


def at_once(
    job: Coroutine[Any, Any, T],
    *,
    tell: Callable[[T], None] | None = None,
    over: Callable[[], None] | None = None,
) -> None:
    """Run `job`, the first step now. `tell` is told what it came to; `over` is called when it has ended,
    however it did.
    """
    _Run(job, tell, over, copy_context()).step()


def answer_all(askers: Iterable[Handoff[T]], answer: T | Exception) -> None:
    """Hand `answer` to all who still wait for it."""
    for asker in askers:
        if asker.done():
            continue
        if isinstance(answer, Exception):
            asker.set_exception(answer)
        else:
            asker.set_result(answer)
