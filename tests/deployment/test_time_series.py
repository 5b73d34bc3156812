"""Running totals, cut into the buckets of a window."""

from __future__ import annotations

import random

import pytest

from rewake.deployment.time_series import ENTRIES_MAX, MINUTES_MAX, TimeSeries, Window


def test_what_was_added_between_samples_lies_in_its_bucket() -> None:
    series: TimeSeries[str] = TimeSeries(600.0)
    series.sample({"a": (3.0, 1.0)}, 660.0)
    series.sample({"a": (3.0, 1.0), "b": (5.0, 0.0)}, 720.0)
    totals = {"a": (4.0, 1.0), "b": (5.0, 0.0)}
    window = Window(540.0, 840.0, 5)
    assert series.window(window, totals, 750.0) == [
        None,  # Before the start.
        {"a": (3.0, 1.0)},
        {"b": (5.0, 0.0)},
        {"a": (1.0, 0.0)},  # Not sampled yet.
        None,  # To come.
    ]


def test_a_stretch_that_two_buckets_share_is_divided() -> None:
    series: TimeSeries[str] = TimeSeries(0.0)
    series.sample({"a": (8.0,)}, 60.0)
    found = series.window(Window(0.0, 60.0, 4), {"a": (8.0,)}, 60.0)
    assert found == [{"a": (2.0,)}] * 4


def test_a_sample_is_due_with_each_new_minute() -> None:
    series: TimeSeries[str] = TimeSeries(59.0)
    assert not series.is_due(59.9)
    assert series.is_due(60.0)
    series.sample({}, 60.0)
    assert not series.is_due(119.0)


def test_a_clock_that_is_set_back_loses_no_later_counts() -> None:
    series: TimeSeries[str] = TimeSeries(600.0)
    series.sample({"a": (1.0,)}, 300.0)
    series.sample({"a": (4.0,)}, 360.0)
    assert series.window(Window(300.0, 360.0, 1), {"a": (4.0,)}, 360.0) == [{"a": (3.0,)}]


def test_what_is_kept_is_bounded() -> None:
    series: TimeSeries[int] = TimeSeries(0.0)
    totals: dict[int, tuple[float, ...]] = {}
    for minute in range(1, MINUTES_MAX + 60):
        totals = {key: (float(minute),) for key in range(400)}
        series.sample(totals, 60.0 * minute)
        assert series._entries <= ENTRIES_MAX
        assert series._entries == sum(len(each.added) for each in series._stretches)


@pytest.mark.parametrize("seed", range(5))
def test_all_buckets_together_hold_what_was_added(seed: int) -> None:
    chance = random.Random(seed)
    series: TimeSeries[str] = TimeSeries(0.0)
    now, total = 0.0, 0.0
    for _ in range(20):
        now += chance.uniform(1, 100)
        total += chance.randrange(50)
        series.sample({"a": (total,)}, now)
    buckets = series.window(Window(0.0, now, chance.randrange(1, 90)), {"a": (total,)}, now)
    assert sum((bucket or {}).get("a", (0.0,))[0] for bucket in buckets) == pytest.approx(total)
