"""The action worker: actions in a process of their own.

Floor 3, `execution`. Its main thread reads the pipe; each action has a thread, which asks through the pipe
and waits for the answer with a future.

    Act -> ActionThreads.start          thread: Call(number, ...) -> front -> Answer(number) -> future
    StopAction -> ActionThreads.stop    thread: Printed(number, line), Acted(number, result, record)

When the pipe ends the process does: what still runs has been given up by the front before.

Not here: the front's end (`action_workers.py`), forking (`worker.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count

from rewake.database import Database
from rewake.execution.action_desk import STOPPING
from rewake.execution.action_threads import ActionThreads
from rewake.execution.call_log import CallRecord, RunLogLine
from rewake.execution.calls import Failure, FunctionCall, Success
from rewake.execution.http_exchange import HttpEvent
from rewake.execution.pipe_frames import PipeBroken
from rewake.execution.registry import Registry
from rewake.execution.runner import ActionJob
from rewake.execution.worker_messages import (
    Act,
    Acted,
    Answer,
    Call,
    Exchanged,
    FromFront,
    FromWorker,
    Printed,
    Serve,
    StopAction,
)
from rewake.functions import FunctionKind
from rewake.tracing import NO_TRACING, Tracing


class ActionWorker:
    """An action worker's process."""

    def __init__(
        self,
        *,
        read: Callable[[], FromFront | None],
        send: Callable[[FromWorker], None],
        database: Database,
        registry: Registry,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self._read = read
        self._send = send
        self._registry = registry
        self._threads = ActionThreads(
            database,
            begin_call=self._begin_call,
            done=self._done,
            printed=self._hear,
            transmit=self._transmit,
            tracing=tracing,
        )
        self._lock = threading.Lock()
        self._asked: dict[int, Future[Success | Failure]] = {}
        self._numbers = count(1)

    def work(self) -> None:
        """Run actions until the pipe ends."""
        while (message := self._read()) is not None:
            if isinstance(message, Act | Serve):
                self._threads.start(message.number, message.job, self._registry)
            elif isinstance(message, Answer):
                self._answer(message)
            elif isinstance(message, Exchanged):
                self._threads.hear(message.number, message.event)
            elif isinstance(message, StopAction):
                self._threads.stop(message.number, message.reason)
            else:
                raise PipeBroken(f"an action worker has no use for {type(message).__name__}")
        self._threads.close(STOPPING)

    def _answer(self, message: Answer) -> None:
        with self._lock:
            future = self._asked.pop(message.number, None)
        # Not so where the action was stopped, and has cancelled what it waited for.
        if future is not None and future.set_running_or_notify_cancel():
            future.set_result(message.result)

    # In the threads of actions.

    def _begin_call(
        self, number: int, job: ActionJob, kind: FunctionKind, call: FunctionCall
    ) -> Future[Success | Failure]:
        future: Future[Success | Failure] = Future()
        with self._lock:
            asked = next(self._numbers)
            self._asked[asked] = future
        self._send(Call(asked, number, kind, call.path, call.args, self._tracing.current()))
        return future

    def _hear(self, number: int, job: ActionJob, line: RunLogLine) -> None:
        self._send(Printed(number, line))

    def _transmit(self, number: int, event: HttpEvent) -> None:
        self._send(Exchanged(number, event))

    def _done(self, number: int, result: Success | Failure, record: CallRecord) -> None:
        self._send(Acted(number, result, record))
