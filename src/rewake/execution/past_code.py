"""The code from before the last push: it answers reads at timestamps of its own time, for a while.

Floor 3, `execution`. Whoever took a timestamp just before a push may go on reading there, and new code is
never run on older data. So the template of the code that was replaced lives on for `code_kept_seconds`, or
until the next push; the first such read forks a reader from it.

    switch -> serve_for(seconds) -> close
                `-- open_wave(at): a reader is there or forked

Not here: which code belongs to a snapshot (`code_switch.py`, asked by every reader that looks back).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from rewake.errors import RewakeError
from rewake.execution.call_log import CallLog
from rewake.execution.calls import Failure
from rewake.execution.idle_queue import Taker
from rewake.execution.lanes import Lane
from rewake.execution.reader_pool import ReaderPool, WorkerWave
from rewake.execution.runner import QueryJob
from rewake.execution.waiting_line import WaitingLine
from rewake.execution.worker_process import Template, Worker
from rewake.observability import logger

_log = logger(__name__)


class PastCode:
    """The template of replaced code, with a reader where one was needed. Used from one event loop."""

    def __init__(
        self,
        template: Template,
        *,
        since: int,
        fork: Callable[[Template, str], Awaitable[Worker]],
        call_log: CallLog,
        cut_off: Failure,
        line: WaitingLine[Taker[Worker]],
    ) -> None:
        self.template = template
        self.since = since
        """The first timestamp that is its own."""
        self.readers = ReaderPool(
            call_log=call_log,
            on_lost=self._reader_lost,
            code_hash=template.analysis.code_hash,
            cut_off=cut_off,
            line=line,
        )
        self._fork = fork
        self._forking = asyncio.Lock()
        self._over = asyncio.Event()
        self._forks: set[asyncio.Task[None]] = set()

    async def open_wave(self, jobs: Sequence[QueryJob], *, at: int, lane: Lane) -> WorkerWave:
        """Run `jobs` on the snapshot at `at`.

        Raises:
            RunnerClosed, WorkerLost: the code is not here any more.
            RewakeError: there can be no such snapshot.
        """
        await self._have_reader()
        return await self.readers.open_wave(jobs, at=at, lane=lane)

    async def serve_for(self, seconds: float) -> None:
        """Return when `seconds` are over, at `make_way`, or when the template has died."""
        way = asyncio.ensure_future(self._over.wait())
        ends: list[asyncio.Future[Any]] = [way, self.template.ended]
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            way.cancel()
            self._over.set()

    def make_way(self) -> None:
        """Newer code was replaced: there is one past at a time."""
        self._over.set()

    def close(self) -> list[Worker]:
        """Take no further reads; returns the readers, which finish theirs."""
        self._over.set()
        return self.readers.close()

    async def _have_reader(self) -> None:
        async with self._forking:
            if self.readers.size == 0:
                reader = await self._fork(self.template, "reader")
                await reader.ready()
                self.readers.add(reader)

    def _reader_lost(self) -> None:
        # Whoever read there waits for another; a query that takes its readers with it is given up on.
        if not self._over.is_set():
            task = asyncio.ensure_future(self._replace_reader())
            self._forks.add(task)
            task.add_done_callback(self._forks.discard)

    async def _replace_reader(self) -> None:
        try:
            await self._have_reader()
        except RewakeError as error:
            _log.warning("the code from before the last push is gone: %s", error.message)
            self.close()
