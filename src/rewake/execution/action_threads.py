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
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from rewake.database import Catalog, Database, Reader, Snapshot, stored_variable
from rewake.execution.action_run import ActionRun
from rewake.execution.call_log import CallRecord, RunLogLine
from rewake.execution.calls import Failure, FunctionCall, Success
from rewake.execution.http_exchange import ExchangeEnd, HttpEvent, HttpJob
from rewake.execution.mounted_apps import MountedApps
from rewake.execution.registry import Registry
from rewake.execution.runner import ActionJob, RunnerClosed
from rewake.execution.traced_calls import FAILED
from rewake.functions import FunctionKind
from rewake.tracing import NO_TRACING, Tracing, mark_failed

NO_THREAD = "The action did not begin: the machine has no thread for it. Try again in a moment.\n"

BeginCall = Callable[[int, ActionJob, FunctionKind, FunctionCall], "Future[Success | Failure]"]
"""Begins a call on behalf of the action with this number."""

Printed = Callable[[int, ActionJob, RunLogLine], None]
"""Hears of each line that an action prints, in the thread that printed it."""

Done = Callable[[int, Success | Failure, CallRecord], None]
"""Hears what an action came to, in its thread."""

Transmit = Callable[[int, HttpEvent], None]
"""Takes what the HTTP action with this number has for its door, in its thread."""


def _nobody(number: int, event: HttpEvent) -> None:
    raise AssertionError(f"no door for {event} of {number}")


class ActionThreads:
    """The actions that run in this process."""

    def __init__(
        self,
        database: Database,
        *,
        begin_call: BeginCall,
        done: Done,
        printed: Printed = lambda number, job, line: None,
        transmit: Transmit = _nobody,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self._database = database
        self._begin_call = begin_call
        self._done = done
        self._printed = printed
        self._transmit = transmit
        self._mounted = MountedApps()
        self._lock = threading.Lock()
        self._running: dict[int, ActionRun] = {}
        # The handlers' ends of the HTTP exchanges among them.
        self._ends: dict[int, ExchangeEnd] = {}
        self._reader: Reader | None = None
        self._is_closed = False

    def start(self, number: int, job: ActionJob, registry: Registry) -> None:
        """Run an action; `done` hears of it under its number."""
        run = self._run_of(number, job, registry)
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

    def hear(self, number: int, event: HttpEvent) -> None:
        """Take in what the door of an HTTP action has for it. Harmless when it is over."""
        with self._lock:
            end = self._ends.get(number)
        if end is not None:
            end.hear(event)

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
        self._mounted.close()

    def _run_of(self, number: int, job: ActionJob, registry: Registry) -> ActionRun:
        named: dict[str, Any] = {
            "tables": self._catalog,
            "blobs": lambda: self._database.blobs,
            "variable": self._variable,
            "heard": lambda line: self._printed(number, job, line),
            "begin": lambda kind, call: self._begin_call(number, job, kind, call),
            "clock": self._database.environment.clock,
            "limits": self._database.limits,
        }
        if not isinstance(job, HttpJob):
            return ActionRun(job, registry, **named)
        # Here, because it brings Starlette with it, which processes without HTTP actions need not load.
        from rewake.execution.http_run import HttpRun

        end = ExchangeEnd()
        end.connect(lambda event: self._transmit(number, event))
        with self._lock:
            self._ends[number] = end
        return HttpRun(job, registry, end=end, mounted=self._mounted, **named)

    def _work(self, number: int, run: ActionRun) -> None:
        trace = run.job.source.trace
        if not self._tracing.is_on or not trace:
            result, record = run.work()
        else:
            # The current span while the handler runs, in its loop too: what the author traces is within it.
            with self._tracing.span("run", parent=trace) as span:
                result, record = run.work()
                span.update_name(f"run {record.path[:200]}")
                span.set_attribute("code.function.name", record.path)
                record = replace(record, trace=self._tracing.current())
                if record.error is not None:
                    mark_failed(span, FAILED)
        with self._lock:
            self._running.pop(number, None)
            self._ends.pop(number, None)
        self._done(number, result, record)

    def _catalog(self) -> Catalog:
        """The tables as they are now: what ids in arguments and results are checked against."""
        with self._snapshot() as snapshot:
            return snapshot.catalog

    def _variable(self, name: str) -> str | None:
        """An environment variable as it is now."""
        with self._snapshot() as snapshot:
            return stored_variable(snapshot.reads, name)

    @contextmanager
    def _snapshot(self) -> Iterator[Snapshot]:
        with self._lock:
            if self._is_closed:
                raise RunnerClosed()
            if self._reader is None:
                self._reader = self._database.reader()
            with self._reader.begin() as snapshot:
                yield snapshot
