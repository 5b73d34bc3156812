"""Action workers: the crew whose actions run in processes.

Floor 3, `execution`. One process takes the actions of the code that serves. A push seats another; the one
from before finishes what it has, and ends when it has nothing left.

    start(number, job) -> Act -> seated worker ......... Call -> calls -> Answer
                                                         Acted -> desk.finished
    death: its actions are lost, and say so; they are never run again
    an action that does not end when it is told to: its process takes no more, and ends with its last action

Not here: the process (`action_worker.py`), places and time (`action_desk.py`), forking (`worker_runner.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from rewake.execution.action_desk import ActionDesk
from rewake.execution.calls import FunctionCall
from rewake.execution.http_exchange import HttpJob
from rewake.execution.runner import ActionJob, Calls
from rewake.execution.worker_messages import (
    Act,
    Acted,
    Answer,
    Call,
    Exchanged,
    FromWorker,
    Printed,
    Serve,
    StopAction,
)
from rewake.execution.worker_process import Worker
from rewake.observability import logger

_log = logger(__name__)

_STOP_SECONDS = 5.0
"""How long an action may take to end after it was told to."""


class _Seat(msgspec.Struct, eq=False):
    """A worker and what it runs."""

    worker: Worker
    jobs: dict[int, ActionJob] = msgspec.field(default_factory=dict)
    given_up: set[int] = msgspec.field(default_factory=set)
    """Actions that did not end when they were told to."""
    is_retired: bool = False


class ActionWorkers:
    """The action workers of one deployment. Implements `Crew`; used from one event loop."""

    def __init__(self, desk: ActionDesk, *, calls: Calls, on_lost: Callable[[], None]) -> None:
        self._desk = desk
        self._calls = calls
        self._on_lost = on_lost
        self._seat: _Seat | None = None
        self._seats: dict[int, _Seat] = {}
        # Let in while no process could take them.
        self._waiting: deque[tuple[int, ActionJob]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    @property
    def worker(self) -> Worker | None:
        """The process that takes actions now."""
        return None if self._seat is None else self._seat.worker

    def seat(self, worker: Worker) -> Worker | None:
        """Let `worker` take all actions from now on; returns the one from before, which ends by itself."""
        before, seat = self._seat, _Seat(worker)
        self._seat = seat
        worker.hear = lambda message: self._heard(seat, message)
        worker.ended.add_done_callback(lambda _: self._ended(seat))
        if before is not None:
            self._retire(before)
        while self._waiting and self._seat is seat:
            self.start(*self._waiting.popleft())
        return None if before is None else before.worker

    def vacate(self) -> None:
        """Let the process take no more actions; whoever is told that it is missing starts another."""
        seat, self._seat = self._seat, None
        if seat is not None:
            self._retire(seat)
        self._on_lost()

    def start(self, number: int, job: ActionJob) -> None:
        """Have an action run in the seated process, or in the next one."""
        seat = self._seat
        if seat is None:
            self._waiting.append((number, job))
            return
        seat.jobs[number] = job
        self._seats[number] = seat
        if not isinstance(job, HttpJob):
            seat.worker.send(Act.of(number, job))
            return
        seat.worker.send(Serve.of(number, job))
        if job.door is not None:
            job.door.connect(lambda event: seat.worker.send(Exchanged(number, event)))

    def stop(self, number: int, reason: str) -> None:
        """Have an action end soon."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0] != number)
        seat = self._seats.get(number)
        if seat is not None:
            seat.worker.send(StopAction(number, reason))
            asyncio.get_running_loop().call_later(_STOP_SECONDS, self._check_stopped, seat, number)

    def close(self) -> list[Worker]:
        """End all processes; returns those that were there."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        seats = {id(seat): seat for seat in self._seats.values()}
        if self._seat is not None:
            seats[id(self._seat)] = self._seat
        self._seat = None
        for seat in seats.values():
            seat.worker.close()
        return [seat.worker for seat in seats.values()]

    def _retire(self, seat: _Seat) -> None:
        seat.is_retired = True
        if seat.jobs.keys() <= seat.given_up:
            seat.worker.close()

    def _check_stopped(self, seat: _Seat, number: int) -> None:
        if number not in seat.jobs or self._is_closed:
            return
        _log.warning(
            "the action %s did not end when it was told to; its process takes no more actions",
            seat.jobs[number].call.path,
        )
        seat.given_up.add(number)
        if self._seat is seat:
            self._seat = None
            self._on_lost()
        self._retire(seat)

    def _heard(self, seat: _Seat, message: FromWorker) -> None:
        if isinstance(message, Call):
            task = asyncio.ensure_future(self._call(seat, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif isinstance(message, Printed):
            job = seat.jobs.get(message.number)
            if job is not None:
                self._desk.printed(job, message.line)
        elif isinstance(message, Exchanged):
            job = seat.jobs.get(message.number)
            if isinstance(job, HttpJob) and job.door is not None:
                job.door.hear(message.event)
        elif isinstance(message, Acted):
            if seat.jobs.pop(message.number, None) is not None:
                del self._seats[message.number]
                self._desk.finished(message.number, message.result, message.record)
            if seat.is_retired:
                self._retire(seat)

    async def _call(self, seat: _Seat, message: Call) -> None:
        job = seat.jobs.get(message.action)
        if job is None:
            return  # The action is over, and nobody waits.
        call = FunctionCall(message.path, message.args)
        source = job.source_of_calls.traced(message.trace)
        result = await self._calls.call_from_action(
            message.kind, call, job.identity, request_id=job.request_id, source=source
        )
        seat.worker.send(Answer(message.number, result))

    def _ended(self, seat: _Seat) -> None:
        numbers = list(seat.jobs)
        for number in numbers:
            del self._seats[number]
        seat.jobs.clear()
        self._desk.lost(numbers)
        if self._seat is seat:
            self._seat = None
            if not self._is_closed:
                self._on_lost()
