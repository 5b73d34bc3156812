"""Housekeeping: what a deployment does between calls, for ever.

Floor 5, `deployment`. Checkpoints, trimming, background work on indexes, old jobs, lost files, expired keys:
every second, and sooner after many commits; off the path of acknowledgements, in small steps, so that
mutations pass between them. A disk that is full is said once and tried again.

Not here: the work itself (`database`, `scheduling`, `files`, `keys.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from rewake.database import Database
from rewake.execution import Runner
from rewake.observability import logger
from rewake.storage import FilesHold, StorageFailed

_log = logger(__name__)

_SECONDS = 1.0
_TENDING_STEPS = 8
"""Steps of background work on indexes and staged validators between two checkpoints."""
_CHECKPOINT_ROWS = 200
"""About two thousand pages, 8 MiB: what the write-ahead log has blocks for already (decision 0004)."""


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
        self._rows = 0  # Since the last checkpoint.
        self._is_over = False
        # Set by `start`, cleared by `end`.
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._keep())

    def count_rows(self, rows: int) -> None:
        """So many rows were committed."""
        self._rows += rows
        if self._rows >= _CHECKPOINT_ROWS:
            self.hurry()

    def hurry(self) -> None:
        """Do it soon."""
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
        self._wanted.set()

    async def _keep(self) -> None:
        trouble: str | None = None
        while not self._is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _SECONDS)
            self._wanted.clear()
            self._rows = 0
            try:
                await self._once()
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

    async def _once(self) -> None:
        log = await asyncio.to_thread(self._database.checkpoint)
        if log.log_bytes > self._database.limits.write_ahead_log_bytes_max:
            # Writes never pause, so the log never begins anew by itself. A backup holds a snapshot for as
            # long as it takes: while there is one, mutations would wait for nothing.
            with FilesHold(self._database.engine.path).alone() as is_alone:
                if is_alone:
                    await asyncio.to_thread(lambda: self._database.checkpoint(restart=True))
        # In small steps, so that mutations pass between them.
        while not self._is_over and (await self._runner.trim()).has_more:
            pass
        await self.tend()
        for chore in self._chores:
            await chore()
