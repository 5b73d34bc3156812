"""The writer thread: a group writer that works beside the event loop of its own process.

Floor 3, `execution`. The inline runner's writer: mutations are handed in on the loop, performed in the
thread, and told on the loop again.

    loop:    hand_in(job) -> line -> queue ............. on_group(report), then the outcomes
    thread:                  begin, perform*, commit -> records of the call log -> call_soon_threadsafe

Not here: what a group is and whom a lost one costs what (`group_writer.py`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rewake.database import Database, GroupCommit
from rewake.execution.call_log import CallLog
from rewake.execution.group_writer import Change, GroupWriter, Writing
from rewake.execution.lanes import HOUSE, Lane
from rewake.execution.lines import writer_line
from rewake.execution.runner import GroupReport, MutationJob
from rewake.execution.waiting_line import WaitingLine
from rewake.execution.writer_window import WriterWindow
from rewake.handoff import Handoff
from rewake.observability import logger
from rewake.tallies import Histogram
from rewake.tracing import NO_TRACING, Tracing

_log = logger(__name__)


class WriterThread:
    """One thread with the one writing connection. Made, used and closed by one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        perform: Callable[[GroupCommit, Writing], None],
        call_log: CallLog,
        on_group: Callable[[GroupReport], None],
        told_ts: int,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._call_log = call_log
        self._on_group = on_group
        self._loop = asyncio.get_running_loop()
        self.queued = 0
        """Pieces of work that were handed in and not yet answered."""
        # As at the writer's desk: a line in front, and of what was taken from it no more than a window.
        self._line: WaitingLine[Writing] = writer_line(database)
        self._window = WriterWindow(database.limits)
        self._queue: queue.SimpleQueue[Writing | None] = queue.SimpleQueue()
        self._writer = GroupWriter(
            database,
            source=self._queue,
            perform=perform,
            tell=self._tell,
            told_ts=told_ts,
            tracing=tracing,
        )
        self._thread = threading.Thread(target=self._writer.work, name="rewake-writer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    async def hand_in(self, job: MutationJob | Change, lane: Lane = HOUSE) -> Any:
        """Have `job` done in the next group; returns its outcome after COMMIT, when `on_group` was told.

        Raises:
            Overloaded: it would wait, or has waited, for too long; it was not begun.
        """
        asker: Handoff[Any] = Handoff()
        self._line.join(Writing(job, asker), lane)
        self._pump()
        self.queued += 1
        try:
            return await asker
        finally:
            self.queued -= 1

    async def close(self) -> None:
        """Finish what was handed in and stop."""
        for item in iter(self._line.next, None):
            self._queue.put(item)
        self._queue.put(None)
        while self._thread.is_alive():
            # The thread may still hand its last group to this loop, so the loop must keep turning.
            await asyncio.to_thread(self._thread.join, 0.05)

    @property
    def waits(self) -> Histogram:
        """How long mutations waited."""
        return self._line.waits

    def _pump(self) -> None:
        line = self._line
        while line.in_service < self._window.size and (item := line.next()) is not None:
            line.in_service += 1
            self._queue.put(item)

    # In the thread.

    def _tell(self, report: GroupReport, items: list[Writing]) -> None:
        self._call_log.extend([item.record for item in items if item.record is not None])
        with suppress(RuntimeError):  # The loop was closed under us: nobody is left to be told.
            self._loop.call_soon_threadsafe(self._deliver, report, items)

    # On the loop.

    def _deliver(self, report: GroupReport, items: list[Writing]) -> None:
        try:
            self._on_group(report)
        except Exception:
            _log.exception("the news of a commit group could not be taken in")
        self._window.ran([item.record for item in items])
        self._line.in_service -= len(items)
        self._line.done(len(items))
        for item in items:
            if item.asker.done():
                continue  # Whoever asked has gone away.
            if item.error is not None:
                item.asker.set_exception(item.error)
            else:
                item.asker.set_result(item.outcome)
        for item in self._line.too_late():
            if not item.asker.done():
                item.asker.set_exception(self._line.refusal())
        self._pump()
