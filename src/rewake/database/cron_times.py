"""Cron times: when a cron runs next, and how many runs have been missed.

Floor 2, `database`. Pure arithmetic on a schedule as it is stored and exported, always in UTC:

    {"type": "interval", "seconds": 30}            every so often after the run before
    {"type": "daily", "hourUTC": 4, ...}           every other kind has a cron expression: `0 4 * * *`

A run begins `offset` seconds after what the calendar says: the crons of all the world would begin in the same
second otherwise. Where the minute is left out, it is anywhere in the hour.

Not here: checking what an author writes (`functions/crons.py`), the crons themselves (`crons.py`).
Source: semantics 6.6; crontab(5) as Debian has it, for expressions.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from math import floor
from typing import Any

from cronsim import CronSim

Schedule = Mapping[str, Any]

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
_DAYS_OF_WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_LONE_SPAN = re.compile(r"\b0*(\w+)-0*\1/\d+", re.IGNORECASE)
"""`5-5/2`, which cronsim takes for `5/2`; it is `5`."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expression_of(schedule: Schedule) -> str | None:
    """The cron expression that means the same; None for an interval. A minute left out is the first one."""
    minute, hour = int(schedule.get("minuteUTC", 0)), int(schedule.get("hourUTC", 0))
    match schedule["type"]:
        case "hourly":
            return f"{minute} * * * *"
        case "daily":
            return f"{minute} {hour} * * *"
        case "weekly":
            return f"{minute} {hour} * * {_DAYS_OF_WEEK.index(schedule['dayOfWeek'])}"
        case "monthly":
            return f"{minute} {hour} {int(schedule['day'])} * *"
        case "cron":
            return _LONE_SPAN.sub(r"\1", str(schedule["cron"]))
    return None


def offset_of(schedule: Schedule, *, chance: str, splay_seconds: int) -> int:
    """How many seconds after what the calendar says a cron begins; the same `chance` gives the same."""
    number = int.from_bytes(hashlib.sha256(chance.encode()).digest()[:8])
    if schedule["type"] == "interval":
        return 0
    second = number % splay_seconds if splay_seconds else 0
    has_minute = schedule["type"] == "cron" or "minuteUTC" in schedule
    return second if has_minute else 60 * (number // 60 % 60) + second


def first_ms(schedule: Schedule, *, offset: int, now_ms: float) -> float:
    """When a cron runs first that was deployed now: at once for an interval."""
    return now_ms if schedule["type"] == "interval" else _next_ms(schedule, offset=offset, after_ms=now_ms)


def next_ms(
    schedule: Schedule, *, offset: int, previous_ms: float, now_ms: float
) -> tuple[float, int, float | None]:
    """When a cron runs after the run that was due at `previous_ms`: the first time that lies in the future.
    Then how many runs are skipped by that, and when the first of them was due.
    """
    following = _next_ms(schedule, offset=offset, after_ms=previous_ms)
    if following > now_ms:
        return following, 0, None
    if schedule["type"] == "interval":
        every_ms = _next_ms(schedule, offset=0, after_ms=0.0)
        skipped = floor((now_ms - previous_ms) / every_ms)
        future = previous_ms + (skipped + 1) * every_ms
        if future <= now_ms:  # Rounding, of numbers with fractions.
            skipped, future = skipped + 1, future + every_ms
        return future, skipped, following
    skipped = _count(schedule, offset=offset, after_ms=previous_ms, until_ms=now_ms)
    return _next_ms(schedule, offset=offset, after_ms=now_ms), skipped, following


def _next_ms(schedule: Schedule, *, offset: int, after_ms: float) -> float:
    expression = expression_of(schedule)
    if expression is None:
        seconds = next(number * schedule[unit] for unit, number in _SECONDS.items() if unit in schedule)
        return float(after_ms + seconds * 1e3)
    moment = next(CronSim(expression, _moment(after_ms, offset)))
    return float((moment - _EPOCH) // _SECOND + offset) * 1e3


def _moment(ms: float, offset: int) -> datetime:
    """The second of the calendar that is now. What lies behind it is what lies behind the moment."""
    return _EPOCH + timedelta(seconds=floor(ms / 1e3) - offset)


def _count(schedule: Schedule, *, offset: int, after_ms: float, until_ms: float) -> int:
    """How many runs fall after one moment and not after another; years of every minute by their days."""
    expression = expression_of(schedule)
    assert expression is not None
    after, until = _moment(after_ms, offset), _moment(until_ms, offset)
    whole_from, whole_until = _midnight(after) + _DAY, _midnight(until)
    if whole_until <= whole_from:
        return _number(expression, after, until)
    minute, hour, *day = expression.split()
    days = _number(" ".join(["0", "0", *day]), whole_from - _SECOND, whole_until - _DAY)
    in_day = _number(f"{minute} {hour} * * *", whole_until - _SECOND, whole_until + _DAY - _SECOND)
    head = _number(expression, after, whole_from - _SECOND)
    return head + days * in_day + _number(expression, whole_until - _SECOND, until)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0)


def _number(expression: str, after: datetime, until: datetime) -> int:
    times: Iterator[datetime] = CronSim(expression, after)
    return sum(1 for _ in takewhile(lambda time: time <= until, times))
