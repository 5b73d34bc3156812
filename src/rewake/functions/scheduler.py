"""`ctx.scheduler`: functions that run later.

Floor 2, `functions`. In a mutation scheduling is a write like any other: the job is there if and only if the
mutation commits. In an action it takes effect at once, even if the action fails afterwards.

    run_after(0, notify, message=id)     as soon as the mutation has committed
    run_at(moment, expire, trial=id)     at a time
    cancel(job)                          where it has not begun

Not here: what is stored (`database/scheduled.py`), who runs it (`scheduling`).
Source: semantics 6.5.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, ParamSpec, Protocol, overload

from rewake.errors import FunctionError
from rewake.functions.references import SchedulableReference

P = ParamSpec("P")

_HORIZON_MS = 5 * 366 * 86_400_000.0
"""How far from now a job may lie, either way."""


class InvalidSchedule(FunctionError):
    """A function cannot be scheduled like this. The sentence says what is wrong."""

    code = "InvalidSchedule"


class SchedulingHost(Protocol):
    """A mutation's run, as its scheduler sees it."""

    def schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        """Store a job; returns its id."""
        ...

    def cancel_scheduled(self, id: str) -> None:
        """Take a job back."""
        ...

    def scheduling_ms(self) -> float:
        """Now, in milliseconds since the epoch."""
        ...


class AsyncSchedulingHost(Protocol):
    """An action's run, as its scheduler sees it."""

    def begin_schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> Awaitable[str]:
        """Begin to store a job; the awaitable gives its id."""
        ...

    def begin_cancel_scheduled(self, id: str) -> Awaitable[None]:
        """Begin to take a job back."""
        ...

    def scheduling_ms(self) -> float:
        """Now, in milliseconds since the epoch."""
        ...


class Scheduler:
    """`ctx.scheduler` of a mutation, and of a plain `def` action."""

    def __init__(self, host: SchedulingHost) -> None:
        self._host = host

    @overload
    def run_after(
        self,
        delay: float | timedelta,
        function: SchedulableReference[P, Any],
        /,
        *args: P.args,
        **arguments: P.kwargs,
    ) -> str: ...
    @overload
    def run_after(self, delay: float | timedelta, function: str, /, **arguments: Any) -> str: ...
    def run_after(self, delay: float | timedelta, function: Any, /, *args: Any, **arguments: Any) -> str:
        """Run a mutation or an action after `delay` (seconds, or a timedelta); returns the id of the job, an
        `Id` of the table `_scheduled_functions`. 0 is as soon as possible after the commit.

        The function runs without a caller's identity and may be internal. Its arguments are checked when it
        runs.

        Raises:
            InvalidSchedule: the delay is no number of seconds, negative, or years long.
            FunctionNotFound: there is no such mutation or action.
        """
        _refuse_positional("run_after", args)
        at_ms = self._host.scheduling_ms() + delay_ms(delay)
        return self._host.schedule(function, arguments, at_ms=at_ms)

    @overload
    def run_at(
        self,
        moment: float | datetime,
        function: SchedulableReference[P, Any],
        /,
        *args: P.args,
        **arguments: P.kwargs,
    ) -> str: ...
    @overload
    def run_at(self, moment: float | datetime, function: str, /, **arguments: Any) -> str: ...
    def run_at(self, moment: float | datetime, function: Any, /, *args: Any, **arguments: Any) -> str:
        """As `run_after`, at a moment: a datetime with its time zone, or milliseconds since the epoch as
        `ctx.now` has them. One that has passed is as soon as possible.
        """
        _refuse_positional("run_at", args)
        at_ms = moment_ms(moment, now_ms=self._host.scheduling_ms())
        return self._host.schedule(function, arguments, at_ms=at_ms)

    def cancel(self, id: str, /) -> None:
        """Take a job back that has not begun. One that is over stays as it is; a running action goes on, but
        what it schedules from now on is cancelled at once.

        Raises:
            InvalidSchedule: the id is not one of a job, or the mutation would cancel itself.
        """
        self._host.cancel_scheduled(id)


class AsyncScheduler:
    """`ctx.scheduler` of an `async def` action: as `Scheduler`, to be awaited."""

    def __init__(self, host: AsyncSchedulingHost) -> None:
        self._host = host

    @overload
    def run_after(
        self,
        delay: float | timedelta,
        function: SchedulableReference[P, Any],
        /,
        *args: P.args,
        **arguments: P.kwargs,
    ) -> Awaitable[str]: ...
    @overload
    def run_after(self, delay: float | timedelta, function: str, /, **arguments: Any) -> Awaitable[str]: ...
    def run_after(
        self, delay: float | timedelta, function: Any, /, *args: Any, **arguments: Any
    ) -> Awaitable[str]:
        """See `Scheduler.run_after`."""
        _refuse_positional("run_after", args)
        at_ms = self._host.scheduling_ms() + delay_ms(delay)
        return self._host.begin_schedule(function, arguments, at_ms=at_ms)

    @overload
    def run_at(
        self,
        moment: float | datetime,
        function: SchedulableReference[P, Any],
        /,
        *args: P.args,
        **arguments: P.kwargs,
    ) -> Awaitable[str]: ...
    @overload
    def run_at(self, moment: float | datetime, function: str, /, **arguments: Any) -> Awaitable[str]: ...
    def run_at(
        self, moment: float | datetime, function: Any, /, *args: Any, **arguments: Any
    ) -> Awaitable[str]:
        """See `Scheduler.run_at`."""
        _refuse_positional("run_at", args)
        at_ms = moment_ms(moment, now_ms=self._host.scheduling_ms())
        return self._host.begin_schedule(function, arguments, at_ms=at_ms)

    def cancel(self, id: str, /) -> Awaitable[None]:
        """See `Scheduler.cancel`."""
        return self._host.begin_cancel_scheduled(id)


def delay_ms(delay: float | timedelta) -> float:
    """A delay in milliseconds.

    Raises:
        InvalidSchedule: it is none.
    """
    if isinstance(delay, timedelta):
        seconds = delay.total_seconds()
    elif isinstance(delay, bool) or not isinstance(delay, int | float):
        raise InvalidSchedule(f"The delay must be a number of seconds or a timedelta; got {delay!r}.")
    else:
        seconds = float(delay)
    if not math.isfinite(seconds):
        raise InvalidSchedule(f"The delay must be a finite number of seconds; got {delay!r}.")
    if seconds < 0:
        raise InvalidSchedule(f"The delay must be non-negative; got {delay!r}.")
    if seconds * 1e3 > _HORIZON_MS:
        raise InvalidSchedule(f"The delay must be less than 5 years; got {delay!r}.")
    return seconds * 1e3


def moment_ms(moment: float | datetime, *, now_ms: float) -> float:
    """A moment in milliseconds since the epoch.

    Raises:
        InvalidSchedule: it is none.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise InvalidSchedule(
                f"The moment {moment.isoformat()} has no time zone. Give it one, for example "
                "`datetime.now(timezone.utc)`."
            )
        at_ms = moment.timestamp() * 1e3
    elif isinstance(moment, bool) or not isinstance(moment, int | float) or not math.isfinite(moment):
        raise InvalidSchedule(
            f"The invoke time must be a datetime or a timestamp in milliseconds; got {moment!r}."
        )
    else:
        at_ms = float(moment)
    if abs(at_ms - now_ms) > _HORIZON_MS:
        raise InvalidSchedule(
            f"The invoke time {moment!r} is more than 5 years from now. A timestamp is in milliseconds since "
            "the epoch, like `ctx.now`."
        )
    return at_ms


def _refuse_positional(name: str, args: tuple[Any, ...]) -> None:
    if args:
        raise TypeError(f"{name} takes the arguments of the function by name")
