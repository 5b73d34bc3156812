"""Crews: who runs the actions of a desk.

Floor 3, `execution`. In the server's own process a crew is threads, and what they ask for is run on the loop
of the server. Action workers are another crew (`action_workers.py`).

    desk -> ThreadCrew.start -> ActionThreads ........ call, done -> call_soon_threadsafe -> loop

Not here: the threads (`action_threads.py`), places and time (`action_desk.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from rewake.database import Database
from rewake.execution.action_desk import STOPPING, ActionDesk
from rewake.execution.action_threads import ActionThreads
from rewake.execution.call_log import CallRecord, RunLogLine
from rewake.execution.calls import Failure, FunctionCall, Success
from rewake.execution.http_exchange import ExchangeEnd, HttpEvent, HttpJob
from rewake.execution.registry import Registry
from rewake.execution.runner import ActionJob, Calls
from rewake.functions import FunctionKind
from rewake.tracing import NO_TRACING, Tracing


class ThreadCrew:
    """Runs actions in threads of this process. Implements `Crew`; made in the loop that it serves."""

    def __init__(
        self,
        database: Database,
        desk: ActionDesk,
        *,
        calls: Calls,
        registry: Callable[[], Registry],
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self._loop = asyncio.get_running_loop()
        self._desk = desk
        self._calls = calls
        self._registry = registry
        # Of the HTTP exchanges that run, from `start` until they are done.
        self._doors: dict[int, ExchangeEnd] = {}
        self._threads = ActionThreads(
            database,
            begin_call=self._begin_call,
            done=self._done,
            printed=self._hear,
            transmit=self._transmit,
            tracing=tracing,
        )

    def start(self, number: int, job: ActionJob) -> None:
        """Run an action with the code that serves now."""
        if isinstance(job, HttpJob) and job.door is not None:
            self._doors[number] = job.door
        self._threads.start(number, job, self._registry())
        if isinstance(job, HttpJob) and job.door is not None:
            job.door.connect(lambda event: self._threads.hear(number, event))

    def stop(self, number: int, reason: str) -> None:
        """Have an action end soon."""
        self._threads.stop(number, reason)

    def close(self) -> None:
        """Stop all of them."""
        self._threads.close(STOPPING)

    # In the threads of actions.

    def _begin_call(
        self, number: int, job: ActionJob, kind: FunctionKind, call: FunctionCall
    ) -> Future[Success | Failure]:
        source = job.source_of_calls.traced(self._tracing.current())
        calling = self._calls.call_from_action(
            kind, call, job.identity, request_id=job.request_id, source=source
        )
        return asyncio.run_coroutine_threadsafe(calling, self._loop)

    def _hear(self, number: int, job: ActionJob, line: RunLogLine) -> None:
        self._desk.printed(job, line)

    def _transmit(self, number: int, event: HttpEvent) -> None:
        self._doors[number].hear(event)

    def _done(self, number: int, result: Success | Failure, record: CallRecord) -> None:
        self._doors.pop(number, None)
        with suppress(RuntimeError):  # The loop was closed under us: nobody is left to be told.
            self._loop.call_soon_threadsafe(self._desk.finished, number, result, record)
