"""A loop thread: an event loop of its own for callers that have none, or have another.

Floor 0. A plain test function or a script has no event loop, and an asyncio test or a notebook is inside of
one, so what needs a loop lives in neither: it has a thread, and callers wait for their answers.

Not here: what runs on it (`testing/backend.py`, `client/sync_client.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """One event loop in one thread, until closed."""

    def __init__(self, name: str) -> None:
        """Start the thread; `name` is what it is called."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for what it comes to. Call from any other thread."""
        assert threading.current_thread() is not self._thread, "the loop cannot wait for itself"
        future = self.begin(work)
        try:
            return future.result()
        except BaseException:
            # Also Ctrl-C: then nobody will ask for the answer any more.
            future.cancel()
            raise

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `work` on the loop without waiting."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Stop. Harmless when done before."""
        if self._loop.is_closed():
            return
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
