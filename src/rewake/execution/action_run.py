"""The action run: one action, in a thread and an event loop of its own.

Floor 3, `execution`. An action may do what it likes with its thread, blocking code included; the others go on
in theirs. What it asks of the house goes out through `begin` and comes back as a future, so the same run
serves threads of the server's process and action workers.

    args text -> check -> handler(ctx, **arguments) -> check -> Success
                             | ctx.run_query(...)
                             `-> begin(kind, call) -> Future[Success | Failure] -> value | exception

`async def` handlers run in a loop made for them; calls begin at once and are tasks of it. A plain `def` has
the thread to itself. Cancelling from outside cancels the handler's task, and fails the calls that it waits
for; a `def` that waits for something else goes on, and nobody listens to it any more.

Not here: how many at once, time limits (`action_desk.py`), threads (`action_threads.py`).
Source: semantics 6.4, 5.8.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from rewake.auth import Identity, denial_of
from rewake.blobs import BlobStore
from rewake.environment import Clock
from rewake.errors import FunctionError, LimitExceeded, RewakeError
from rewake.execution.action_files import ActionFiles
from rewake.execution.call_log import CallRecord, CallUsage, RunLogLine, identity_kind
from rewake.execution.calls import SYSTEM_PREFIX, Failure, FunctionCall, Success, Visibility
from rewake.execution.checked_values import (
    checked_arguments,
    decoded_arguments,
    returned_text,
)
from rewake.execution.failures import author_traceback, failure_of
from rewake.execution.output import LogLines, collecting
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.runner import ActionJob
from rewake.execution.scheduled_calls import scheduled_call
from rewake.execution.typed_calls import encoded_arguments, system_call, value_of
from rewake.functions import (
    ActionCtx,
    BlockingActionCtx,
    BlockingActionFunction,
    FunctionKind,
    FunctionMetadata,
    RegisteredFunction,
    RequestMetadata,
)
from rewake.limits import Limits
from rewake.schema import TableNames
from rewake.values import encode

Begin = Callable[[FunctionKind, FunctionCall], "Future[Success | Failure]"]
"""Begins a call of another function on behalf of a run."""

_NAMES_SHOWN_MAX = 10


class ActionStopped(BaseException):
    """The action was told to stop. No `except Exception` holds it up."""


class ActionIsOver(FunctionError):
    """`ctx` of an action was used after it had returned. Await what it calls before it returns."""

    code = "ActionIsOver"
    template = (
        "This `ctx` belongs to a run of {function} that is over. Await every call before the action returns."
    )


class TooManyCalls(LimitExceeded):
    """An action began too many calls before it awaited any. Await them in smaller groups."""

    code, setting = "TooManyConcurrentOperations", "action_calls_running_max"
    template = "Too many calls under way at once in a single action (limit: {limit})"


class ActionRun:
    """One action, from its arguments to its outcome. Made anywhere; `work` is called once, in its thread."""

    def __init__(
        self,
        job: ActionJob,
        registry: Registry,
        *,
        tables: Callable[[], TableNames],
        variable: Callable[[str], str | None],
        begin: Begin,
        blobs: Callable[[], BlobStore],
        clock: Clock,
        limits: Limits,
        heard: Callable[[RunLogLine], None] = lambda line: None,
    ) -> None:
        self.job = job
        self.is_http = False
        """Whether it answers an HTTP request; and then, with which status, once it does."""
        self.status = 0
        self.path = job.call.path
        """What runs, as lists of what ran show it; its public path once it is found."""
        self.registry = registry
        self.log_lines = LogLines(limits, now_ms=self.now_ms, heard=heard)
        self.limits = limits
        self._tables = tables
        self.variable = variable
        """Looks an environment variable up, as it is now."""
        self._begin = begin
        self.blobs = blobs
        """The bytes of files; opened by the first run that wants them."""
        self._clock = clock
        # What follows is shared with whoever stops the run, and guarded by the lock.
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._waiting: set[Future[Success | Failure]] = set()
        # Set while an `async def` handler runs.
        self._stop: Callable[[], object] | None = None

    def work(self) -> tuple[Success | Failure, CallRecord]:
        """Run the action. Never raises."""
        started = self._clock.monotonic()
        job, error, lines = self.job, None, self.log_lines
        result: Success | Failure
        try:
            self._refuse_stopped()
            text = self._carry_out()
            result = Success(text, lines.rendered())
        except BaseException as raised:
            error = raised
            if self._reason is not None:
                # How the handler took it is of no interest.
                result, error = Failure(self._reason, None, lines.rendered()), None
            else:
                root, rendered = self.registry.root, lines.rendered()
                result = failure_of(raised, root=root, log_lines=rendered, limits=self.limits)
        return result, CallRecord(
            path=self.path,
            kind="action",
            seconds=self._clock.monotonic() - started,
            log_lines=tuple(lines.lines),
            error=result.message if isinstance(result, Failure) else None,
            traceback=_traceback(error, self.limits),
            request_id=job.request_id,
            usage=CallUsage(
                arguments_bytes=len(job.call.args),
                returned_bytes=len(result.value) if isinstance(result, Success) else None,
            ),
            identity=identity_kind(job.identity),
            scheduled=job.scheduled,
            is_http=self.is_http,
            called_from=job.source.called_from,
            status=self.status,
        )

    def _carry_out(self) -> str:
        """From the arguments to the encoded result."""
        limits, lines = self.limits, self.log_lines
        if self.job.visibility is Visibility.DENIED:
            raise denial_of(self.path, "action")
        record = self.registry.find(self.path, self.job.visibility, "action")
        self.path, tables = record.path.public, self._tables()
        value = decoded_arguments(self.path, self.job.call.args, limits=limits, log_lines=lines)
        arguments = checked_arguments(record, value, tables)
        returned = self._perform(record, arguments)
        return returned_text(record, returned, tables, limits=limits, log_lines=lines)

    def stop(self, reason: str) -> None:
        """Have the run end soon, with `reason` as its failure. From any thread; harmless when it is over."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            waiting, stop = list(self._waiting), self._stop
        if stop is not None:
            with suppress(RuntimeError):  # Its loop has ended meanwhile.
                stop()
        for future in waiting:
            future.cancel()

    def _refuse_stopped(self) -> None:
        with self._lock:
            if self._reason is not None:
                raise ActionStopped()

    def now_ms(self) -> float:
        """The wall clock, in milliseconds since the epoch."""
        return self._clock.now_ns() / 1e6

    def begin(self, kind: FunctionKind, call: FunctionCall) -> Future[Success | Failure]:
        """Begin a call for the handler.

        Raises:
            ActionStopped: the run is to end.
            TooManyCalls: it has as many under way as it may.
        """
        most = self.limits.action_calls_running_max
        with self._lock:
            if self._reason is not None:
                raise ActionStopped()
            if len(self._waiting) >= most:
                raise TooManyCalls(limit=most, observed=most + 1)
            future = self._begin(kind, call)
            self._waiting.add(future)
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: Future[Success | Failure]) -> None:
        with self._lock:
            self._waiting.discard(future)

    def _perform(self, record: FunctionRecord, arguments: dict[str, Any]) -> Any:
        face = ActionFace(self, record.metadata())
        try:
            with collecting(self.log_lines):
                if isinstance(record.function, BlockingActionFunction):
                    return record.function.handler(BlockingActionCtx(face), **arguments)
                with asyncio.Runner() as runner:
                    return runner.run(
                        self.until_stopped(
                            face, lambda: record.function.handler(ActionCtx(face), **arguments)
                        )
                    )
        finally:
            face.is_open = False

    async def until_stopped(self, face: ActionFace, work: Callable[[], Awaitable[Any]]) -> Any:
        """Await `work` in a task that `stop` cancels."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        with self._lock:
            if self._reason is not None:
                raise ActionStopped()
            self._stop = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            result = await work()
        finally:
            with self._lock:
                self._stop = None
        self._warn_of_unawaited(face)
        return result

    def _warn_of_unawaited(self, face: ActionFace) -> None:
        left = [name for task, name in face.tasks.items() if not task.done()]
        if left:
            shown = ", ".join(left[:_NAMES_SHOWN_MAX]) + (", ..." if len(left) > _NAMES_SHOWN_MAX else "")
            self.log_lines.add(
                "WARN",
                f"{len(left)} unawaited operation(s): [{shown}]. Async operations should be awaited or they "
                "might not run.",
            )


class ActionFace:
    """What one `ctx` holds of the run. Implements `functions.ActionHost`."""

    def __init__(self, run: ActionRun, metadata: FunctionMetadata) -> None:
        self._run = run
        self._metadata = metadata
        self.is_open = True
        self.tasks: dict[asyncio.Future[Any], str] = {}
        """Calls of an `async def` handler that were begun, by name."""

    def _opened(self) -> ActionRun:
        if not self.is_open:
            raise ActionIsOver(function=self._metadata.name)
        return self._run

    def read_identity(self) -> Identity:
        return self._opened().job.identity

    def read_variable(self, name: str) -> str | None:
        return self._opened().variable(name)

    def begin_call(
        self, reference: object, arguments: dict[str, Any], *, kind: FunctionKind
    ) -> Awaitable[Any]:
        call, record = _call_of(self._opened().registry, reference, arguments)
        return self._begin(call, record, kind=kind, name=f"run_{kind}({call.path})")

    def call(self, reference: object, arguments: dict[str, Any], *, kind: FunctionKind) -> Any:
        call, record = _call_of(self._opened().registry, reference, arguments)
        return self._call(call, record, kind=kind)

    def _begin(
        self, call: FunctionCall, record: FunctionRecord | None, *, kind: FunctionKind, name: str
    ) -> Awaitable[Any]:
        task = asyncio.ensure_future(_value_later(self._opened().begin(kind, call), record))
        self.tasks[task] = name
        task.add_done_callback(lambda done: self.tasks.pop(done, None))
        return task

    def _call(self, call: FunctionCall, record: FunctionRecord | None, *, kind: FunctionKind) -> Any:
        future = self._opened().begin(kind, call)
        try:
            result = future.result()
        except BaseException:
            if future.cancelled():
                raise ActionStopped() from None
            raise
        return value_of(result, record)

    def begin_schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> Awaitable[str]:
        call = self._scheduling(reference, arguments, at_ms)
        return self._begin(call, None, kind="mutation", name="scheduler.run")

    def begin_cancel_scheduled(self, id: str) -> Awaitable[None]:
        call = system_call("scheduler:cancel", {"id": id})
        return self._begin(call, None, kind="mutation", name="scheduler.cancel")

    def schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        return str(self._call(self._scheduling(reference, arguments, at_ms), None, kind="mutation"))

    def cancel_scheduled(self, id: str) -> None:
        self._call(system_call("scheduler:cancel", {"id": id}), None, kind="mutation")

    @property
    def files(self) -> ActionFiles:
        return ActionFiles(self, blobs=self._opened().blobs)

    def ask_house(self, call: FunctionCall) -> Any:
        """Call a system function, and wait."""
        return self._call(call, None, kind="mutation")

    def begin_ask_house(self, call: FunctionCall, *, name: str) -> Awaitable[Any]:
        """Call a system function, under a name for who does not await it."""
        return self._begin(call, None, kind="mutation", name=name)

    def scheduling_ms(self) -> float:
        return self._opened().now_ms()

    def _scheduling(self, reference: object, arguments: dict[str, Any], at_ms: float) -> FunctionCall:
        run = self._opened()
        path, args = scheduled_call(run.registry, reference, arguments, limits=run.limits)
        parent = encode(run.job.source_of_calls.scheduled)
        text = f'{{"arguments":{args},"at_ms":{encode(at_ms)},"name":{encode(path)},"parent":{parent}}}'
        return FunctionCall(f"{SYSTEM_PREFIX}scheduler:schedule", text)

    def function_metadata(self) -> FunctionMetadata:
        self._opened()
        return self._metadata

    def request_metadata(self) -> RequestMetadata:
        job = self._opened().job
        return job.source_of_calls.metadata(job.request_id)


async def _value_later(future: Future[Success | Failure], record: FunctionRecord | None) -> Any:
    return value_of(await asyncio.wrap_future(future), record)


def _call_of(
    registry: Registry, reference: object, arguments: dict[str, Any]
) -> tuple[FunctionCall, FunctionRecord | None]:
    record: FunctionRecord | None
    if isinstance(reference, RegisteredFunction):
        record = registry.record_of(reference)
        path = record.path.public
    elif isinstance(reference, str):
        path = reference
        try:
            record = registry.find(reference, Visibility.INTERNAL)
        except RewakeError:
            record = None  # Whoever runs it has the words for that.
    else:
        raise TypeError(
            f"A function is called by itself or by its path; got {reference!r}. Did you forget its decorator?"
        )
    return FunctionCall(path, encoded_arguments(record, arguments)), record


def _traceback(error: BaseException | None, limits: Limits) -> str | None:
    if error is None or issubclass(type(error), RewakeError):
        return None
    return author_traceback(error, limits=limits)
