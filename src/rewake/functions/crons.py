"""`Crons`: functions that run again and again, as an author lists them in `crons.py`.

Floor 2, `functions`. All times are UTC. A function is its own reference, and its arguments are type-checked:

    crons = Crons()
    crons.interval("clear presence", minutes=5).run(presence.clear)
    crons.daily("reset scores", hour_utc=4).run(scores.reset, game="chess")
    crons.cron("report", "0 9 * * MON-FRI").run(reports.send)

A schedule is kept as it is exported and stored: `{"type": "daily", "hourUTC": 4}`.

Not here: finding the functions (`execution/cron_calls.py`), when a run is due (`database/cron_times.py`).
Source: semantics 6.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, ParamSpec, overload

import msgspec
from cronsim import CronSim, CronSimError

from rewake.errors import InvalidInput
from rewake.functions.references import SchedulableReference

P = ParamSpec("P")

DayOfWeek = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

_DAYS_OF_WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
_SECONDS_MAX = 5 * 366 * 86_400
"""The longest interval: as far as a function can be scheduled."""
_EXPRESSION_LENGTH_MAX = 1_000
_START = datetime(2000, 1, 1, tzinfo=UTC)


class InvalidCron(InvalidInput):
    """A cron cannot run like this. The sentence says what is wrong."""

    code = "InvalidCron"


class Cron(msgspec.Struct):
    """One cron, as it was listed. Made by `Crons`; `run` says what it runs."""

    identifier: str
    schedule: Mapping[str, int | str]
    reference: object = None
    """The function or its path. Set by `run`."""
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)

    @overload
    def run(
        self, function: SchedulableReference[P, Any], /, *args: P.args, **arguments: P.kwargs
    ) -> None: ...
    @overload
    def run(self, function: str, /, **arguments: Any) -> None: ...
    def run(self, function: Any, /, *args: Any, **arguments: Any) -> None:
        """Run this mutation or action each time, with these arguments, by nobody's identity. It may be
        internal.

        Raises:
            InvalidCron: it has a function already.
        """
        if args:
            raise TypeError("run takes the arguments of the function by name")
        if self.reference is not None:
            raise InvalidCron(f"The cron {self.identifier} runs one function; this is the second.")
        self.reference, self.arguments = function, arguments


class Crons:
    """The crons of a project: the variable `crons` of its `crons.py`."""

    def __init__(self) -> None:
        self._crons: dict[str, Cron] = {}

    def __iter__(self) -> Iterator[Cron]:
        return iter(self._crons.values())

    @overload
    def interval(self, name: str, every: timedelta, /) -> Cron: ...
    @overload
    def interval(self, name: str, /, *, seconds: int) -> Cron: ...
    @overload
    def interval(self, name: str, /, *, minutes: int) -> Cron: ...
    @overload
    def interval(self, name: str, /, *, hours: int) -> Cron: ...
    def interval(
        self,
        name: str,
        every: timedelta | None = None,
        /,
        *,
        seconds: int | None = None,
        minutes: int | None = None,
        hours: int | None = None,
    ) -> Cron:
        """Run at once when this is deployed, and then so long after the time of the run before.

        `name` tells one cron from another, in the list and from one deploy to the next.

        Raises:
            InvalidCron: there is not exactly one of the four, or it is no whole number of seconds.
        """
        if isinstance(every, timedelta):
            whole = every // timedelta(seconds=1)
            given: dict[str, Any] = {
                "seconds": whole if every == timedelta(seconds=whole) else every.total_seconds()
            }
        else:
            given = {"seconds": every} if every is not None else {}
        for unit, number in (("seconds", seconds), ("minutes", minutes), ("hours", hours)):
            if number is not None:
                if given:
                    raise InvalidCron("Must specify one of seconds, minutes, or hours")
                given[unit] = number
        if not given:
            raise InvalidCron("Must specify one of seconds, minutes, or hours")
        [(unit, number)] = given.items()
        if not _is_whole(number, 1, number):
            raise InvalidCron("Interval must be an integer greater than 0")
        if number * _SECONDS[unit] > _SECONDS_MAX:
            raise InvalidCron("Interval must be less than 5 years")
        return self._add(name, {"type": "interval", unit: number})

    def hourly(self, name: str, /, *, minute_utc: int | None = None) -> Cron:
        """Run once an hour; in some minute that stays the same where it is left out.

        Raises:
            InvalidCron: there is no such minute.
        """
        return self._add(name, {"type": "hourly", **_minute(minute_utc)})

    def daily(self, name: str, /, *, hour_utc: int, minute_utc: int | None = None) -> Cron:
        """Run once a day. The minute as in `hourly`.

        Raises:
            InvalidCron: there is no such hour or minute.
        """
        return self._add(name, {"type": "daily", **_hour(hour_utc), **_minute(minute_utc)})

    def weekly(
        self, name: str, /, *, day_of_week: DayOfWeek, hour_utc: int, minute_utc: int | None = None
    ) -> Cron:
        """Run once a week. The minute as in `hourly`.

        Raises:
            InvalidCron: there is no such day, hour or minute.
        """
        if day_of_week not in _DAYS_OF_WEEK:
            raise InvalidCron('Day of week must be a string like "monday".')
        schedule = {"type": "weekly", "dayOfWeek": day_of_week, **_hour(hour_utc), **_minute(minute_utc)}
        return self._add(name, schedule)

    def monthly(self, name: str, /, *, day: int, hour_utc: int, minute_utc: int | None = None) -> Cron:
        """Run once a month, and not in months that lack the day. The minute as in `hourly`.

        Raises:
            InvalidCron: there is no such day, hour or minute.
        """
        if not _is_whole(day, 1, 31):
            raise InvalidCron("Day of month must be an integer from 1 to 31")
        return self._add(name, {"type": "monthly", "day": day, **_hour(hour_utc), **_minute(minute_utc)})

    def cron(self, name: str, expression: str, /) -> Cron:
        """Run when a cron expression says so: minute, hour, day of month, month, day of week.

        Raises:
            InvalidCron: it is none, or no time ever fits it.
        """
        if not isinstance(expression, str) or len(expression) > _EXPRESSION_LENGTH_MAX:
            raise InvalidCron(
                f"The cron expression of {name} must be a short text such as `0 9 * * MON-FRI`."
            )
        if len(expression.split()) != 5:
            raise InvalidCron(
                f"The cron expression `{expression}` must have five fields: minute, hour, day of month, "
                "month, day of week."
            )
        try:
            next(CronSim(expression, _START))
        except (CronSimError, ValueError) as error:
            raise InvalidCron(f"The cron expression `{expression}` cannot be used: {error}.") from None
        except StopIteration:
            raise InvalidCron(f"The cron expression `{expression}` never comes true.") from None
        return self._add(name, {"type": "cron", "cron": " ".join(expression.split())})

    def _add(self, identifier: str, schedule: Mapping[str, int | str]) -> Cron:
        if not isinstance(identifier, str) or not identifier or not _is_printable_ascii(identifier):
            raise InvalidCron(
                f"Invalid cron identifier {identifier}: use ASCII letters that are not control characters"
            )
        if identifier in self._crons:
            raise InvalidCron(f"Cron identifier registered twice: {identifier}")
        self._crons[identifier] = Cron(identifier, schedule)
        return self._crons[identifier]


def _is_printable_ascii(text: str) -> bool:
    return all(" " <= letter <= "~" for letter in text)


def _is_whole(number: Any, least: int, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and least <= number <= most


def _hour(hour: int) -> dict[str, int]:
    if not _is_whole(hour, 0, 23):
        raise InvalidCron("Hour of day must be an integer from 0 to 23")
    return {"hourUTC": hour}


def _minute(minute: int | None) -> dict[str, int]:
    if minute is None:
        return {}
    if not _is_whole(minute, 0, 59):
        raise InvalidCron("Minute of hour must be an integer from 0 to 59")
    return {"minuteUTC": minute}
