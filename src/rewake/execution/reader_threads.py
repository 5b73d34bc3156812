"""Reader threads: a few snapshots at a time, each in a thread with a connection of its own.

Floor 3, `execution`. A wave takes an idle reader, begins a snapshot in its thread, runs queries there, and
gives the reader back. While all readers are taken, the next wave waits for one.

    loop:    open_wave -> step -> queue ....... future <- call_soon_threadsafe
    thread:                        begin, run, run, end

Not here: what running a query means (`inline_runner.py`, `host.py`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from rewake.database import Reader, Snapshot
from rewake.execution.idle_queue import IdleQueue, Taker
from rewake.execution.lanes import WAVES, Lane
from rewake.execution.runner import QueryJob, QueryRun
from rewake.execution.waiting_line import WaitingLine


class _Step(msgspec.Struct, eq=False):
    """One piece of work for a reader thread and where its outcome goes."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]


class ReaderThreads:
    """A fixed number of reader threads. Used from one event loop."""

    def __init__(
        self,
        count: int,
        *,
        open_reader: Callable[[], Reader],
        run: Callable[[Snapshot, QueryJob], QueryRun],
        line: WaitingLine[Taker[_ReaderThread]],
        check_past: Callable[[Snapshot], None] = lambda snapshot: None,
    ) -> None:
        """`check_past` may refuse, by raising, to run anything on a snapshot that is not the latest."""
        self._count = count
        self._open_reader = open_reader
        self._run = run
        self._check_past = check_past
        self._readers: list[_ReaderThread] = []
        self._idle: IdleQueue[_ReaderThread] = IdleQueue(line)
        self.waits = line.waits
        """How long waves waited for a reader."""

    def start(self) -> None:
        """Open the connections and start the threads.

        Raises:
            StorageFailed: the data file cannot be opened; no thread was started.
        """
        opened: list[Reader] = []
        try:
            while len(opened) < self._count:
                opened.append(self._open_reader())
        except BaseException:
            for reader in opened:
                reader.close()
            raise
        for number, reader in enumerate(opened):
            thread = _ReaderThread(number, reader, self._run, self._check_past)
            thread.start()
            self._readers.append(thread)
            self._idle.put(thread)

    async def open_wave(self, jobs: Sequence[QueryJob], *, at: int | None, lane: Lane = WAVES) -> InlineWave:
        """Take a snapshot (the latest, or the one at `at`) on an idle reader and run `jobs` on it."""
        reader = await self._idle.get(lane)
        opening = asyncio.ensure_future(reader.submit(lambda: reader.open(list(jobs), at)))
        try:
            ts, runs = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The caller went away while the thread works: whoever comes next must find the reader at rest.
            opening.add_done_callback(lambda _: self._put_to_rest(reader))
            raise
        except BaseException:
            self._idle.put(reader)
            raise
        return InlineWave(self, reader, ts, runs)

    def give_back(self, reader: _ReaderThread) -> None:
        """A wave is over; its reader may serve the next."""
        self._idle.put(reader)

    async def close(self) -> None:
        """Wait for the waves under way and stop the threads."""
        for _ in self._readers:
            (await self._idle.get()).stop()
        for reader in self._readers:
            while reader.thread.is_alive():
                await asyncio.to_thread(reader.thread.join, 0.05)

    def _put_to_rest(self, reader: _ReaderThread) -> None:
        ending = asyncio.ensure_future(reader.submit(reader.end))
        ending.add_done_callback(lambda _: self.give_back(reader))


class _ReaderThread:
    """One thread, one connection, one snapshot at a time."""

    def __init__(
        self,
        number: int,
        reader: Reader,
        run: Callable[[Snapshot, QueryJob], QueryRun],
        check_past: Callable[[Snapshot], None],
    ) -> None:
        self._reader = reader
        self._run = run
        self._check_past = check_past
        self._snapshot: Snapshot | None = None
        self._loop = asyncio.get_running_loop()
        self._steps: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=f"rewake-reader-{number}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self.thread.start()

    def stop(self) -> None:
        """Let the thread end after what is queued."""
        self._steps.put(None)

    async def submit(self, work: Callable[[], Any]) -> Any:
        """Run `work` in the thread."""
        future = self._loop.create_future()
        self._steps.put(_Step(work, future))
        return await future

    # In the thread.

    def open(self, jobs: list[QueryJob], at: int | None) -> tuple[int, list[QueryRun]]:
        """Begin a snapshot and run `jobs`."""
        self._snapshot = self._reader.begin() if at is None else self._reader.begin_at(at)
        try:
            if at is not None:
                self._check_past(self._snapshot)
            return self._snapshot.ts, self.run(jobs)
        except BaseException:
            self.end()
            raise

    def run(self, jobs: list[QueryJob]) -> list[QueryRun]:
        """Run further `jobs` on the open snapshot."""
        assert self._snapshot is not None
        return [self._run(self._snapshot, job) for job in jobs]

    def end(self) -> None:
        """End the snapshot. Harmless when there is none."""
        if self._snapshot is not None:
            self._snapshot.end()
            self._snapshot = None

    def _work(self) -> None:
        try:
            while (step := self._steps.get()) is not None:
                value, error = None, None
                try:
                    value = step.work()
                except BaseException as caught:
                    error = caught
                self._loop.call_soon_threadsafe(_settle, step.future, value, error)
        finally:
            self.end()
            self._reader.close()


def _settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


class InlineWave:
    """A snapshot held by a reader thread. Implements `Wave`."""

    def __init__(self, readers: ReaderThreads, reader: _ReaderThread, ts: int, runs: list[QueryRun]) -> None:
        self._readers = readers
        self._reader = reader
        self._is_open = True
        self.ts = ts
        self.runs = runs

    async def more(self, jobs: Sequence[QueryJob]) -> list[QueryRun]:
        """Run further queries on the same snapshot."""
        runs: list[QueryRun] = await self._reader.submit(lambda: self._reader.run(list(jobs)))
        return runs

    async def close(self) -> None:
        """End the snapshot and free the reader. Harmless when done before."""
        if self._is_open:
            self._is_open = False
            try:
                await asyncio.shield(asyncio.ensure_future(self._reader.submit(self._reader.end)))
            finally:
                self._readers.give_back(self._reader)
