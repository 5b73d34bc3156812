"""Times of crons, against a search through every second or minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rewake.database.cron_times import first_ms, next_ms, offset_of

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def ms(moment: datetime) -> float:
    return moment.timestamp() * 1e3


def at(year: int, month: int, day: int, *clock: int) -> datetime:
    return datetime(year, month, day, *clock, tzinfo=UTC)


# A second way: what a field of crontab(5) lets through, minute by minute.


def allows(text: str, number: int, least: int, most: int) -> bool:
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            low, high = least, most
        elif "-" in span:
            low, high = (int(end) for end in span.split("-"))
        else:
            low = int(span)
            high = most if step else low
        if low <= number <= high and (number - low) % int(step or 1) == 0:
            return True
    return False


def fits(expression: str, moment: datetime) -> bool:
    minute, hour, day, month, weekday = expression.split()
    numbers = (moment.minute, moment.hour, moment.day, moment.month)
    in_minute, in_hour, in_day, in_month = (
        allows(text, number, *bounds)
        for text, number, bounds in zip((minute, hour, day, month), numbers, RANGES, strict=False)
    )
    number = moment.isoweekday() % 7
    in_week = any(allows(weekday, each, *RANGES[4]) for each in {number, number or 7})
    is_both = day.startswith("*") or weekday.startswith("*")
    return in_minute and in_hour and in_month and (in_day and in_week if is_both else in_day or in_week)


def times(expression: str, after: datetime, until: datetime) -> list[datetime]:
    moment, found = after.replace(second=0) + timedelta(minutes=1), []
    while moment <= until:
        if fits(expression, moment):
            found.append(moment)
        moment += timedelta(minutes=1)
    return found


def spans(least: int, most: int) -> st.SearchStrategy[str]:
    numbers = st.integers(least, most)
    pair = st.tuples(numbers, numbers).map(sorted)
    one = st.one_of(
        numbers.map(str),
        pair.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(pair, st.integers(1, 9)).map(lambda p: f"{p[0][0]}-{p[0][1]}/{p[1]}"),
    )
    return st.one_of(
        st.just("*"),
        st.integers(1, 20).map(lambda step: f"*/{step}"),
        st.lists(one, min_size=1, max_size=3).map(",".join),
    )


EXPRESSIONS = st.tuples(*(spans(*bounds) for bounds in RANGES)).map(" ".join)
MOMENTS = st.integers(0, 3_000_000).map(lambda minutes: at(2023, 6, 1) + timedelta(minutes=minutes))


@settings(deadline=None, max_examples=60)
@given(EXPRESSIONS, MOMENTS, st.integers(0, 59))
def test_the_next_time_is_the_one_that_a_search_by_minutes_finds(
    expression: str, after: datetime, offset: int
) -> None:
    found = times(expression, after, after + timedelta(days=3))
    assume(found)
    schedule = {"type": "cron", "cron": expression}
    wanted = ms(found[0]) + 1e3 * offset
    assert first_ms(schedule, offset=offset, now_ms=ms(after) + 1e3 * offset) == wanted
    assert first_ms(schedule, offset=offset, now_ms=wanted - 1) == wanted, "one millisecond before"
    assert first_ms(schedule, offset=offset, now_ms=wanted) > wanted, "the same run does not come twice"


# Rare expressions seldom miss a run within days.
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(EXPRESSIONS, MOMENTS, st.integers(1, 6_000), st.integers(0, 59))
def test_missed_runs_are_counted_and_the_next_one_lies_in_the_future(
    expression: str, previous: datetime, minutes: int, offset: int
) -> None:
    now = previous + timedelta(minutes=minutes)
    missed = times(expression, previous, now)
    assume(missed)
    schedule = {"type": "cron", "cron": expression}
    late = 1e3 * offset
    following, skipped, first = next_ms(
        schedule, offset=offset, previous_ms=ms(previous) + late, now_ms=ms(now) + late
    )
    assert skipped == len(missed)
    assert first == ms(missed[0]) + late
    assert following == first_ms(schedule, offset=offset, now_ms=ms(now) + late) > ms(now) + late


@given(
    st.sampled_from(["seconds", "minutes", "hours"]),
    st.integers(1, 500),
    st.floats(1.6e12, 1.9e12),
    st.floats(0, 1e9),
)
def test_an_interval_goes_on_from_the_time_of_the_run_before(
    unit: str, number: int, previous_ms: float, late_ms: float
) -> None:
    every = number * {"seconds": 1e3, "minutes": 6e4, "hours": 3.6e6}[unit]
    schedule = {"type": "interval", unit: number}
    now_ms = previous_ms + late_ms
    following, skipped, first = next_ms(schedule, offset=0, previous_ms=previous_ms, now_ms=now_ms)
    assert following > now_ms
    assert following - every <= now_ms + 1e-2
    assert following == pytest.approx(previous_ms + (skipped + 1) * every, abs=1e-2)
    assert first == (previous_ms + every if skipped else None)
    assert first_ms(schedule, offset=0, now_ms=now_ms) == now_ms, "right at deploy"


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ({"type": "hourly", "minuteUTC": 5}, at(2026, 12, 31, 23, 5), at(2027, 1, 1, 0, 5)),
        ({"type": "daily", "hourUTC": 4, "minuteUTC": 30}, at(2024, 2, 28, 5), at(2024, 2, 29, 4, 30)),
        (
            {"type": "weekly", "dayOfWeek": "sunday", "hourUTC": 0, "minuteUTC": 0},
            at(2026, 11, 21, 12),
            at(2026, 11, 22),
        ),
        (
            {"type": "weekly", "dayOfWeek": "saturday", "hourUTC": 11, "minuteUTC": 59},
            at(2026, 11, 21, 12),
            at(2026, 11, 28, 11, 59),
        ),
        (
            {"type": "monthly", "day": 31, "hourUTC": 1, "minuteUTC": 0},
            at(2026, 3, 31, 2),
            at(2026, 5, 31, 1),
        ),
        ({"type": "monthly", "day": 29, "hourUTC": 1, "minuteUTC": 0}, at(2026, 1, 30), at(2026, 3, 29, 1)),
        ({"type": "cron", "cron": "0 0 29 2 *"}, at(2096, 3, 1), at(2104, 2, 29)),
    ],
)
def test_calendar_kinds(schedule: dict[str, Any], after: datetime, expected: datetime) -> None:
    assert first_ms(schedule, offset=0, now_ms=ms(after)) == ms(expected)


def test_years_of_every_minute_are_counted_without_looking_at_each() -> None:
    previous, now = at(2000, 1, 1), at(2020, 1, 1)
    following, skipped, _ = next_ms(
        {"type": "cron", "cron": "* * * * *"}, offset=0, previous_ms=ms(previous), now_ms=ms(now)
    )
    assert skipped == (now - previous) // timedelta(minutes=1)
    assert following == ms(now) + 60_000


# Offsets.


@given(st.text(), st.integers(1, 60))
def test_an_offset_stays_within_the_minute_or_the_hour(chance: str, splay: int) -> None:
    def offset(**schedule: Any) -> int:
        return offset_of(schedule, chance=chance, splay_seconds=splay)

    assert offset(type="interval", seconds=5) == 0
    assert 0 <= offset(type="cron", cron="* * * * *") < splay
    assert 0 <= offset(type="daily", hourUTC=1, minuteUTC=5) < splay
    anywhere = offset(type="daily", hourUTC=1)
    assert 0 <= anywhere < 3600
    assert anywhere % 60 < splay
    assert offset(type="daily", hourUTC=1) == anywhere, "sticky"


def test_offsets_spread_over_the_minute_and_the_hour() -> None:
    chances = [str(number) for number in range(2_000)]
    within = {
        offset_of({"type": "hourly", "minuteUTC": 0}, chance=chance, splay_seconds=60) for chance in chances
    }
    anywhere = {offset_of({"type": "hourly"}, chance=chance, splay_seconds=60) // 60 for chance in chances}
    assert within == set(range(60))
    assert anywhere == set(range(60))
    assert {
        offset_of({"type": "hourly", "minuteUTC": 0}, chance=chance, splay_seconds=0) for chance in chances
    } == {0}
