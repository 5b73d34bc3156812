"""The clock and the faults that a test holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rewake.environment import ManualClock
from rewake.storage import GroupDoomed, StorageFull
from rewake.testing.controls import FAULT_POINTS, Faults, HandClock


def test_the_clock_shows_what_it_was_moved_to() -> None:
    manual = ManualClock()
    clock = HandClock(manual)
    moment = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    clock.move_to(moment)
    assert clock.now == moment
    clock.advance(1.5, minutes=1, hours=1, days=1)
    assert clock.now - moment == timedelta(days=1, hours=1, minutes=1, seconds=1.5)
    assert clock.now_ms == manual.time_ns / 1e6


def test_the_wall_clock_can_go_back_and_the_monotonic_one_cannot() -> None:
    manual = ManualClock()
    clock = HandClock(manual)
    clock.move_to(clock.now - timedelta(days=1))
    assert manual.seconds == 0.0
    with pytest.raises(ValueError, match="A clock advances"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        clock.move_to(datetime(2031, 1, 1))


def test_an_armed_fault_comes_after_so_many_and_so_often() -> None:
    faults = Faults()
    faults.arm("group.before_commit", KeyError("x"), after=1, times=2)
    came = []
    for _ in range(5):
        try:
            faults.reach("group.before_commit")
            came.append(False)
        except KeyError:
            came.append(True)
    assert came == [False, True, True, False, False]


@pytest.mark.parametrize("point", FAULT_POINTS)
def test_a_fault_is_forgotten_when_disarmed(point: str) -> None:
    faults = Faults()
    faults.arm(point)
    faults.disarm()
    faults.reach(point)


def test_an_unknown_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no fault point .somewhere."):
        Faults().arm("somewhere")


def test_a_full_disk_is_something_that_authors_cannot_swallow() -> None:
    faults = Faults()
    with faults.disk_full(), pytest.raises(GroupDoomed) as doomed:
        faults.reach("group.before_commit")
    assert isinstance(doomed.value.reason, StorageFull)
    faults.reach("group.before_commit")
