"""Housekeeping: what a deployment does between calls, for ever.

Floor 5, `deployment`. Checkpoints whenever the write-ahead log has grown; trimming, background work on
indexes, old jobs, lost files, expired keys every second. All of it off the path of acknowledgements and in
small steps, so that mutations pass between them. A disk that is full is said once and tried again.

A log that grows costs every commit more than one that begins anew (the file system gives it blocks, and
writes its own journal), and it begins anew by itself only where no commit comes while it is emptied. So most
of it is moved beside the writer, and the writer moves the rest between two groups.

Not here: the work itself (`database`, `scheduling`, `files`, `keys.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from rewake.database import Database
from rewake.execution import Runner
from rewake.limits import MIB
from rewake.observability import logger
from rewake.storage import FilesHold, StorageFailed

_log = logger(__name__)

_SECONDS = 1.0
_TENDING_STEPS = 8
"""Steps of background work on indexes and staged validators between two checkpoints."""
_LOG_BYTES = 24 * MIB
"""How far the write-ahead log grows between two checkpoints. Each costs two fsyncs beside those of commits,
and writes a page once, however often it is in the log."""
_RESTART_BYTES = 4 * MIB
"""A shorter log is left to begin anew by itself."""
_PATIENCE_SECONDS = 0.01
_LAST_PATIENCE_SECONDS = 0.2
"""How long mutations wait for readers so that the log can begin anew; and where it has become too long."""
_FIRST_ROWS = 200
"""Rows that are as much, as long as nobody knows how large they are."""


class Housekeeping:
    """The housekeeping of one deployment."""

    def __init__(
        self, database: Database, runner: Runner, chores: Sequence[Callable[[], Awaitable[object]]]
    ) -> None:
        """`chores` are done after everything that concerns the data file itself."""
        self._database = database
        self._runner = runner
        self._chores = chores
        self._wanted = asyncio.Event()
        self._is_hurried = False  # Whether chores are wanted, too; cleared when they begin.
        self._rows = 0  # Since the last checkpoint.
        # What the log held after it, as far as is known.
        self._log_rows = self._log_bytes = 0
        # So many rows make it grow by _LOG_BYTES, by what they took last.
        self._rows_wanted = _FIRST_ROWS
        self._is_over = False
        # Set by `start`, cleared by `end`.
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in a second. The push of a start has wished for all of it soon: beside the first answers."""
        self._is_hurried = False
        self._wanted.clear()
        self._task = asyncio.create_task(self._keep())

    def count_rows(self, rows: int) -> None:
        """So many rows were committed."""
        self._rows += rows
        if self._rows >= self._rows_wanted:
            self._wanted.set()

    def hurry(self) -> None:
        """Do everything soon."""
        self._is_hurried = True
        self._wanted.set()

    async def end(self) -> None:
        """Finish what is under way. Not cancelled: a checkpoint would go on in its thread, on a connection
        that is about to be closed.
        """
        self._is_over = True
        if self._task is not None:
            self._wanted.set()
            await self._task
            self._task = None

    async def tend(self) -> None:
        """Build staged indexes, clear away dropped ones and check staged validators, for a while."""
        for _ in range(_TENDING_STEPS):
            if self._is_over or not await self._runner.tend():
                return
        self.hurry()

    async def _keep(self) -> None:
        trouble: str | None = None
        loop = asyncio.get_running_loop()
        due = loop.time() + _SECONDS
        while not self._is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), due - loop.time())
            self._wanted.clear()
            is_due, self._is_hurried = self._is_hurried or loop.time() >= due, False
            try:
                await self._empty_log()
                if is_due:
                    await self._do_chores()
            except asyncio.CancelledError:
                raise
            except StorageFailed as error:
                # Said once: a disk stays full for hours, and its log may lie on it.
                if error.message != trouble:
                    _log.error("the data file cannot be tidied, which is tried again: %s", error)
                trouble = error.message
            except Exception:
                _log.exception("housekeeping failed; it is tried again")
            else:
                if trouble is not None:
                    _log.warning("the data file is tidied again")
                trouble = None
            if is_due:
                due = loop.time() + _SECONDS  # After a failure, too: a disk is not asked without a pause.

    async def _empty_log(self) -> None:
        self._log_rows += self._rows
        rows, self._rows = self._rows, 0
        log = await asyncio.to_thread(self._database.checkpoint)
        if log.log_bytes < self._log_bytes:
            self._log_rows = rows  # It began anew by itself.
        self._log_bytes = max(0, log.log_bytes)
        if log.log_bytes < _RESTART_BYTES:
            return
        self._rows_wanted = max(_FIRST_ROWS, self._log_rows * _LOG_BYTES // log.log_bytes)
        is_too_long = log.log_bytes > self._database.limits.write_ahead_log_bytes_max
        # A backup holds a snapshot for as long as it takes: while there is one, mutations would wait for
        # nothing.
        with FilesHold(self._database.engine.path).alone() as is_alone:
            if is_alone and await self._runner.restart_log(
                _LAST_PATIENCE_SECONDS if is_too_long else _PATIENCE_SECONDS
            ):
                self._log_rows = self._log_bytes = 0

    async def _do_chores(self) -> None:
        # In small steps, so that mutations pass between them.
        while not self._is_over and (await self._runner.trim()).has_more:
            pass
        await self.tend()
        for chore in self._chores:
            await chore()
