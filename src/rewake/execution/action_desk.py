"""The action desk: actions in flight, as the front sees them.

Floor 3, `execution`. Each action that was let in has a number, somebody who waits for it, and a time by which
it must be over; whoever runs it (a crew: threads of this process, or action workers) only starts and stops.

    act(job) -> place free? -> start(number, job) -> finished(number, ...) -> result
                 | not within the wait                | over its time: stop, and a failure at once
                 `-> TooManyConcurrentRequests        `-> lost(numbers): the process that ran them died

At most once: an action is started once or not at all, and never again, whatever became of it.

Not here: running (`action_threads.py`, `action_crew.py`), who may call (`deployment`).
Source: semantics 5.8, 6.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import msgspec

from rewake.errors import RateLimited
from rewake.execution.call_log import CallLog, CallRecord, RunLogLine, RunProgress
from rewake.execution.calls import Failure, Success
from rewake.execution.http_exchange import HttpJob
from rewake.execution.runner import ActionJob, RunnerClosed
from rewake.limits import Limits

LOST = "Transient error while executing action\n"
"""What an action fails with whose process died. Source: semantics 6.5."""

_SOCKET_CLOSED = "The websocket was closed, and the application did not end.\n"
_SOCKET_CLOSE_SECONDS = 5.0
"""How long the application of a closed websocket may take to end."""
_NEW_CODE = "There is a new version of the application. Connect again."
_OLD_SOCKET = "The websocket was open for long enough. Connect again."
_STOPPING_SOCKET = "The server stops. Connect again."

STOPPING = "The server stopped while this action was running. It may have done a part of its work.\n"


class TooManyActions(RateLimited):
    """More actions run at once than the server takes. Try again, or raise `actions_running_max`."""

    code = "TooManyConcurrentRequests"
    template = (
        "Too many concurrent requests. Your backend is limited to {limit} concurrent actions. To resolve, "
        "wait for running actions to finish or raise the setting actions_running_max."
    )


class TooManySockets(RateLimited):
    """Mounted applications have as many websockets open as the server takes. Try again later, or raise
    `mounted_sockets_max`.
    """

    code = "TooManyMountedSockets"
    template = (
        "Mounted applications have {limit} websockets open, which is as many as the setting "
        "mounted_sockets_max lets them have."
    )


class Crew(Protocol):
    """Who runs actions."""

    def start(self, number: int, job: ActionJob) -> None:
        """Run an action; its desk hears `finished` or `lost`."""
        ...

    def stop(self, number: int, reason: str) -> None:
        """Have an action end soon."""
        ...


class _Running(msgspec.Struct, frozen=True):
    """An action from `act` until its result is settled, whether or not anybody still waits for it."""

    job: ActionJob
    future: asyncio.Future[Success | Failure]
    timer: asyncio.TimerHandle


class ActionDesk:
    """Actions in flight. Used from one event loop."""

    def __init__(self, limits: Limits, *, call_log: CallLog) -> None:
        self._limits = limits
        self._call_log = call_log
        self._places = asyncio.Semaphore(limits.actions_running_max)
        self._socket_places = asyncio.Semaphore(limits.mounted_sockets_max)
        self._running: dict[int, _Running] = {}
        self._next_number = 1
        self._is_closed = False
        self.queued = 0
        """Actions that wait for a place."""
        self._idle = asyncio.Event()
        self._idle.set()

    async def act(self, job: ActionJob, crew: Crew) -> Success | Failure:
        """Run an action and wait for what it comes to.

        Raises:
            TooManyActions: no place became free within the wait, or too many wait already.
            TooManySockets: there is no place for one more.
            RunnerClosed: the server is stopping; the action did not begin.
        """
        limits = self._limits
        places = self._places_of(job)
        if job.is_socket and places.locked():
            # They last: waiting for a place would be waiting for long.
            raise TooManySockets(limit=limits.mounted_sockets_max)
        if places.locked() and self.queued >= limits.actions_waiting_max:
            raise TooManyActions(limit=limits.actions_running_max)
        self.queued += 1
        try:
            await asyncio.wait_for(places.acquire(), limits.action_wait_seconds)
        except TimeoutError:
            raise TooManyActions(limit=limits.actions_running_max) from None
        finally:
            self.queued -= 1
        if self._is_closed:
            places.release()
            raise RunnerClosed()
        number, self._next_number = self._next_number, self._next_number + 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Success | Failure] = loop.create_future()
        seconds = limits.mounted_socket_seconds_max if job.is_socket else limits.action_seconds_max
        timer = loop.call_later(seconds, self._expire, number, crew)
        self._running[number] = _Running(job, future, timer)
        self._idle.clear()
        try:
            crew.start(number, job)
        except BaseException:
            self._settle(number, Failure(LOST))
            raise
        # A caller who goes away does not end what has begun: half a payment is worse than one unheard of.
        return await asyncio.shield(future)

    @property
    def running(self) -> int:
        """Actions that run."""
        return len(self._running)

    def printed(self, job: ActionJob, line: RunLogLine) -> None:
        """An action that runs printed a line. From any thread."""
        self._call_log.progress(RunProgress(job.call.path, "action", job.request_id, line))

    def finished(self, number: int, result: Success | Failure, record: CallRecord) -> None:
        """An action came to its result."""
        self._call_log.append(record)
        self._settle(number, result)

    def lost(self, numbers: Iterable[int]) -> None:
        """The process that ran these died."""
        for number in numbers:
            running = self._running.get(number)
            if running is not None:
                self._call_log.append(_record_of_loss(running.job))
            self._settle(number, Failure(LOST))

    def close_sockets(self, crew: Crew, reason: str = _NEW_CODE) -> None:
        """Send the clients of mounted applications away, so that they come again to what serves now."""
        for number, running in self._running.items():
            if running.job.is_socket:
                self._close_socket(number, crew, reason)

    async def close(self, crew: Crew, *, grace_seconds: float) -> None:
        """Let nobody in any more, give those that run a little time, then have them end."""
        self._is_closed = True
        self.close_sockets(crew, _STOPPING_SOCKET)
        try:
            await asyncio.wait_for(self._idle.wait(), grace_seconds)
        except TimeoutError:
            for number in list(self._running):
                crew.stop(number, STOPPING)
                self._settle(number, Failure(STOPPING))

    def _expire(self, number: int, crew: Crew) -> None:
        running = self._running.get(number)
        if running is not None and running.job.is_socket:
            self._close_socket(number, crew, _OLD_SOCKET)
            return
        most = self._limits.action_seconds_max
        reason = (
            f"Function execution timed out (maximum duration: {most:g}s)\n"
            f"[setting action_seconds_max, observed more than {most:g}, limit {most:g}]\n"
        )
        crew.stop(number, reason)
        self._settle(number, Failure(reason))

    def _close_socket(self, number: int, crew: Crew, reason: str) -> None:
        self._running[number].job.close_socket(reason)
        asyncio.get_running_loop().call_later(_SOCKET_CLOSE_SECONDS, self._give_up, number, crew)

    def _give_up(self, number: int, crew: Crew) -> None:
        """End an application that was told that its websocket is closed, and goes on."""
        if number in self._running:
            crew.stop(number, _SOCKET_CLOSED)
            self._settle(number, Failure(_SOCKET_CLOSED))

    def _places_of(self, job: ActionJob) -> asyncio.Semaphore:
        return self._socket_places if job.is_socket else self._places

    def _settle(self, number: int, result: Success | Failure) -> None:
        running = self._running.pop(number, None)
        if running is None:
            return  # Settled before: it was over its time, or the server stops.
        running.timer.cancel()
        self._places_of(running.job).release()
        if not self._running:
            self._idle.set()
        if not running.future.done():
            running.future.set_result(result)


def _record_of_loss(job: ActionJob) -> CallRecord:
    return CallRecord(
        path=job.call.path,
        kind="action",
        seconds=0.0,
        log_lines=(),
        error=LOST,
        traceback=None,
        request_id=job.request_id,
        is_http=isinstance(job, HttpJob),
        trace=job.source.trace,
        called_from=job.source.called_from,
    )
