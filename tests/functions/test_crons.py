"""The list of crons as an author writes it: schedules, and what is refused in exact words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rewake.functions import Cron, Crons, InvalidCron, MutationCtx, mutation


@mutation
def tidy(ctx: MutationCtx, days: int) -> None: ...


def schedule(make: Callable[[Crons], Cron]) -> dict[str, Any]:
    return dict(make(Crons()).schedule)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda c: c.interval("x", seconds=30), {"type": "interval", "seconds": 30}),
        (lambda c: c.interval("x", minutes=5), {"type": "interval", "minutes": 5}),
        (lambda c: c.interval("x", hours=2), {"type": "interval", "hours": 2}),
        (lambda c: c.interval("x", timedelta(minutes=5)), {"type": "interval", "seconds": 300}),
        (lambda c: c.hourly("x"), {"type": "hourly"}),
        (lambda c: c.hourly("x", minute_utc=0), {"type": "hourly", "minuteUTC": 0}),
        (lambda c: c.daily("x", hour_utc=23), {"type": "daily", "hourUTC": 23}),
        (lambda c: c.daily("x", hour_utc=0, minute_utc=59), {"type": "daily", "hourUTC": 0, "minuteUTC": 59}),
        (
            lambda c: c.weekly("x", day_of_week="monday", hour_utc=1),
            {"type": "weekly", "dayOfWeek": "monday", "hourUTC": 1},
        ),
        (
            lambda c: c.monthly("x", day=31, hour_utc=1, minute_utc=2),
            {"type": "monthly", "day": 31, "hourUTC": 1, "minuteUTC": 2},
        ),
        (lambda c: c.cron("x", " 0  9 * * mon-fri "), {"type": "cron", "cron": "0 9 * * mon-fri"}),
    ],
)
def test_schedules_are_kept_as_they_are_exported(
    make: Callable[[Crons], Cron], expected: dict[str, Any]
) -> None:
    assert schedule(make) == expected


ONE = "Must specify one of seconds, minutes, or hours"
WHOLE = "Interval must be an integer greater than 0"
DAY = "Day of month must be an integer from 1 to 31"
WEEKDAY = 'Day of week must be a string like "monday".'
HOUR = "Hour of day must be an integer from 0 to 23"
MINUTE = "Minute of hour must be an integer from 0 to 59"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda c: c.interval("x"), ONE),
        (lambda c: c.interval("x", seconds=1, hours=1), ONE),
        (lambda c: c.interval("x", timedelta(1), hours=1), ONE),
        (lambda c: c.interval("x", seconds=0), WHOLE),
        (lambda c: c.interval("x", minutes=-1), WHOLE),
        (lambda c: c.interval("x", seconds=1.5), WHOLE),
        (lambda c: c.interval("x", seconds=True), WHOLE),
        (lambda c: c.interval("x", "5"), WHOLE),
        (lambda c: c.interval("x", timedelta(milliseconds=1500)), WHOLE),
        (lambda c: c.interval("x", timedelta(0)), WHOLE),
        (lambda c: c.interval("x", hours=10**9), "Interval must be less than 5 years"),
        (lambda c: c.monthly("x", day=0, hour_utc=1), DAY),
        (lambda c: c.monthly("x", day=32, hour_utc=1), DAY),
        (lambda c: c.weekly("x", day_of_week="Monday", hour_utc=1), WEEKDAY),
        (lambda c: c.weekly("x", day_of_week=1, hour_utc=1), WEEKDAY),
        (lambda c: c.daily("x", hour_utc=24), HOUR),
        (lambda c: c.daily("x", hour_utc="1"), HOUR),
        (lambda c: c.daily("x", hour_utc=1, minute_utc=60), MINUTE),
        (lambda c: c.hourly("x", minute_utc=-1), MINUTE),
        (lambda c: c.hourly("x", minute_utc=1.0), MINUTE),
        (
            lambda c: c.hourly("caf\u00e9"),
            "Invalid cron identifier caf\u00e9: use ASCII letters that are not control characters",
        ),
        (
            lambda c: c.hourly("a\nb"),
            "Invalid cron identifier a\nb: use ASCII letters that are not control characters",
        ),
        (
            lambda c: c.hourly(""),
            "Invalid cron identifier : use ASCII letters that are not control characters",
        ),
        (lambda c: (c.hourly("x"), c.daily("x", hour_utc=1)), "Cron identifier registered twice: x"),
        (
            lambda c: c.cron("x", "* * * * * *"),
            "The cron expression `* * * * * *` must have five fields: minute, hour, day of month, month, day "
            "of week.",
        ),
        (lambda c: c.cron("x", "60 * * * *"), "The cron expression `60 * * * *` cannot be used: Bad minute."),
        (
            lambda c: c.cron("x", "* * * * noday"),
            "The cron expression `* * * * noday` cannot be used: Bad day-of-week.",
        ),
        (
            lambda c: c.cron("x", "* * 30 2 *"),
            "The cron expression `* * 30 2 *` cannot be used: Bad day-of-month.",
        ),
        (lambda c: c.cron("x", "0 0 L 2 MON#5"), None),
    ],
)
def test_what_is_refused(make: Callable[[Any], object], text: str | None) -> None:
    if text is None:
        make(Crons())
        return
    with pytest.raises(InvalidCron) as caught:
        make(Crons())
    assert caught.value.message == text


@pytest.mark.parametrize(
    "expression", ["", "*", "a b c d e", "1" * 5000 + " * * * *", "*/0 * * * *", None, 5]
)
def test_what_is_no_expression(expression: Any) -> None:
    with pytest.raises(InvalidCron):
        Crons().cron("x", expression)


def test_a_cron_runs_one_function_with_its_arguments_by_name() -> None:
    crons = Crons()
    crons.hourly("tidy").run(tidy, days=3)
    crons.hourly("by path").run("m:tidy", days=4)
    assert [(cron.identifier, cron.reference, cron.arguments) for cron in crons] == [
        ("tidy", tidy, {"days": 3}),
        ("by path", "m:tidy", {"days": 4}),
    ]
    cron = crons.hourly("again")
    cron.run(tidy, days=1)
    with pytest.raises(InvalidCron, match="The cron again runs one function; this is the second"):
        cron.run(tidy, days=2)
    with pytest.raises(TypeError, match="by name"):
        crons.hourly("other").run(tidy, 3)
