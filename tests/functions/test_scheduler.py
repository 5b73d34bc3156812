"""Delays and moments that authors hand to the scheduler."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from rewake.functions.scheduler import AsyncScheduler, InvalidSchedule, Scheduler, delay_ms, moment_ms

NOW_MS = 1_700_000_000_000.0


class Host:
    """Remembers what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        self.asked.append((reference, arguments, at_ms))
        return "job"

    def cancel_scheduled(self, id: str) -> None:
        self.asked.append(id)

    async def begin_schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        return self.schedule(reference, arguments, at_ms=at_ms)

    async def begin_cancel_scheduled(self, id: str) -> None:
        self.cancel_scheduled(id)

    def scheduling_ms(self) -> float:
        return NOW_MS


@pytest.mark.parametrize(
    ("delay", "milliseconds"),
    [(0, 0.0), (1.5, 1500.0), (timedelta(minutes=1, milliseconds=1), 60_001.0), (timedelta(0), 0.0)],
)
def test_a_delay_is_seconds_or_a_timedelta(delay: Any, milliseconds: float) -> None:
    assert delay_ms(delay) == milliseconds


@pytest.mark.parametrize(
    ("delay", "text"),
    [
        ("1", "The delay must be a number of seconds or a timedelta; got '1'."),
        (None, "The delay must be a number of seconds or a timedelta; got None."),
        (True, "The delay must be a number of seconds or a timedelta; got True."),
        (math.nan, "The delay must be a finite number of seconds; got nan."),
        (math.inf, "The delay must be a finite number of seconds; got inf."),
        (-0.1, "The delay must be non-negative; got -0.1."),
        (
            timedelta(seconds=-1),
            "The delay must be non-negative; got datetime.timedelta(days=-1, seconds=86399).",
        ),
        (1e12, "The delay must be less than 5 years; got 1000000000000.0."),
    ],
)
def test_what_is_no_delay_is_refused_with_the_reason(delay: Any, text: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        delay_ms(delay)
    assert refused.value.message == text


@pytest.mark.parametrize(
    "moment",
    [
        NOW_MS + 1_000,
        int(NOW_MS) + 1_000,
        datetime.fromtimestamp((NOW_MS + 1_000) / 1e3, UTC),
        datetime.fromtimestamp((NOW_MS + 1_000) / 1e3, timezone(timedelta(hours=2))),
    ],
)
def test_a_moment_is_milliseconds_or_a_datetime_of_any_zone(moment: Any) -> None:
    assert moment_ms(moment, now_ms=NOW_MS) == NOW_MS + 1_000


def test_a_moment_that_has_passed_is_taken_as_it_is() -> None:
    assert moment_ms(NOW_MS - 5_000, now_ms=NOW_MS) == NOW_MS - 5_000


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("soon", "The invoke time must be a datetime or a timestamp in milliseconds; got 'soon'."),
        (False, "The invoke time must be a datetime or a timestamp in milliseconds; got False."),
        (math.nan, "The invoke time must be a datetime or a timestamp in milliseconds; got nan."),
        (
            datetime(2030, 1, 1),
            "The moment 2030-01-01T00:00:00 has no time zone. Give it one, for example "
            "`datetime.now(timezone.utc)`.",
        ),
        (
            1_700_000_000,
            "The invoke time 1700000000 is more than 5 years from now. A timestamp is in milliseconds since "
            "the epoch, like `ctx.now`.",
        ),
        (
            NOW_MS + 6 * 366 * 86_400_000,
            "The invoke time 1889734400000.0 is more than 5 years from now. A timestamp is in milliseconds "
            "since the epoch, like `ctx.now`.",
        ),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(moment: Any, text: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        moment_ms(moment, now_ms=NOW_MS)
    assert refused.value.message == text


def test_the_scheduler_hands_on_the_function_its_arguments_and_its_time() -> None:
    host = Host()
    scheduler = Scheduler(host)
    assert scheduler.run_after(2, "m:f", a=1) == "job"
    assert scheduler.run_at(NOW_MS + 7, "m:f") == "job"
    scheduler.cancel("job")
    assert host.asked == [("m:f", {"a": 1}, NOW_MS + 2_000), ("m:f", {}, NOW_MS + 7), "job"]


async def _asked_of_an_action(host: Host) -> None:
    scheduler = AsyncScheduler(host)
    assert await scheduler.run_after(2, "m:f", a=1) == "job"
    assert await scheduler.run_at(NOW_MS + 7, "m:f") == "job"
    await scheduler.cancel("job")


def test_the_scheduler_of_an_action_does_the_same_and_is_awaited() -> None:
    import asyncio

    host = Host()
    asyncio.run(_asked_of_an_action(host))
    assert host.asked == [("m:f", {"a": 1}, NOW_MS + 2_000), ("m:f", {}, NOW_MS + 7), "job"]


@pytest.mark.parametrize("kind", [Scheduler, AsyncScheduler])
def test_arguments_of_the_function_are_given_by_name(kind: Any) -> None:
    scheduler: Any = kind(Host())
    for name in ("run_after", "run_at"):
        with pytest.raises(TypeError, match=f"{name} takes the arguments of the function by name"):
            getattr(scheduler, name)(NOW_MS, "m:f", 1)
