"""Action threads: every action of one process in a thread of its own.

Floor 3, `execution`. Shared by the inline runner and by action workers. A thread for each, because any Python
library may be used in an action and many block; one that blocks stops nobody else's.

    start(number, job) -> thread -> ActionRun.work() -> done(number, result, record)
    stop(number, reason)                                in the thread of the run

Threads are daemons: one that waits for the world in C code must not keep the process from ending.

Not here: one run (`action_run.py`), how many at once and for how long (`action_desk.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from rewake.database import Catalog, Database, Reader
from rewake.execution.action_run import ActionRun
from rewake.execution.call_log import CallRecord
from rewake.execution.calls import Failure, FunctionCall, Success
from rewake.execution.registry import Registry
from rewake.execution.runner import ActionJob, RunnerClosed
from rewake.functions import FunctionKind

NO_THREAD = "The action did not begin: the machine has no thread for it. Try again in a moment.\n"

BeginCall = Callable[[int, ActionJob, FunctionKind, FunctionCall], "Future[Success | Failure]"]
"""Begins a call on behalf of the action with this number."""

Done = Callable[[int, Success | Failure, CallRecord], None]
"""Hears what an action came to, in its thread."""


class ActionThreads:
    """The actions that run in this process."""

    def __init__(self, database: Database, *, begin_call: BeginCall, done: Done) -> None:
        self._database = database
        self._begin_call = begin_call
        self._done = done
        self._lock = threading.Lock()
        self._running: dict[int, ActionRun] = {}
        self._reader: Reader | None = None
        self._is_closed = False

    def start(self, number: int, job: ActionJob, registry: Registry) -> None:
        """Run an action; `done` hears of it under its number."""
        run = ActionRun(
            job,
            registry,
            tables=self._catalog,
            begin=lambda kind, call: self._begin_call(number, job, kind, call),
            blobs=lambda: self._database.blobs,
            clock=self._database.environment.clock,
            limits=self._database.limits,
        )
        name = f"rewake action {job.call.path}"
        thread = threading.Thread(target=self._work, args=(number, run), name=name, daemon=True)
        with self._lock:
            self._running[number] = run
        try:
            thread.start()
        except RuntimeError:
            # The machine gives no more threads. This one did not begin; the others need not notice.
            self.stop(number, NO_THREAD)
            self._work(number, run)

    def stop(self, number: int, reason: str) -> None:
        """Have an action end soon. Harmless when it is over."""
        with self._lock:
            run = self._running.get(number)
        if run is not None:
            run.stop(reason)

    def close(self, reason: str) -> None:
        """Stop all of them, and give up the connection."""
        with self._lock:
            self._is_closed = True
            runs = list(self._running.values())
            reader, self._reader = self._reader, None
            if reader is not None:
                reader.close()
        for run in runs:
            run.stop(reason)

    def _work(self, number: int, run: ActionRun) -> None:
        result, record = run.work()
        with self._lock:
            self._running.pop(number, None)
        self._done(number, result, record)

    def _catalog(self) -> Catalog:
        """The tables as they are now: what ids in arguments and results are checked against."""
        with self._lock:
            if self._is_closed:
                raise RunnerClosed()
            if self._reader is None:
                self._reader = self._database.reader()
            with self._reader.begin() as snapshot:
                return snapshot.catalog
