"""The hard time limit: a worker whose run is over its time is ended, with everything in it.

Floor 3, `execution`. The soft limit interrupts a function from inside (`time_limit.py`); this is for those
that cannot be interrupted. Workers say in shared memory what they run and since when (`run_mark.py`).

Not here: what becomes of the run, and of the worker's place (`worker_runner.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from rewake.environment import Clock
from rewake.execution.worker_process import Worker
from rewake.observability import logger

_log = logger(__name__)

_LOOK_SECONDS = 0.25


class TimeWatch:
    """Looks at the workers that are at work, again and again."""

    def __init__(self, clock: Clock, most: float, workers: Callable[[], Iterable[Worker | None]]) -> None:
        """`most` is in seconds."""
        self._clock = clock
        self._most = most
        self._workers = workers
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look now, and from now on."""
        now = self._clock.monotonic()
        for worker in self._workers():
            if worker is None or not worker.is_alive or worker.is_cut_off:
                continue
            running = worker.mark.read()
            if running is not None and now - running[1] > self._most:
                _log.warning("a function ran for more than %g s; its process is ended", self._most)
                worker.is_cut_off = True
                worker.kill()
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(min(_LOOK_SECONDS, self._most / 4), self.begin)

    def end(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
