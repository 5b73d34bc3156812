"""The pace: what work takes while more waits, and what says nothing about that."""

from __future__ import annotations

import pytest

from rewake.execution.service_pace import Pace


class Played:
    """A pace with its clock."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.now = 100.0
        self.pace.begin(self.now)

    def group(self, count: int, seconds: float) -> None:
        self.now += seconds
        self.pace.done(count, self.now)

    def groups(self, times: int, count: int, seconds: float) -> None:
        for _ in range(times):
            self.group(count, seconds)


def test_nothing_is_known_before_work_has_waited_for_a_while() -> None:
    played = Played()
    played.groups(6, 160, 0.025)
    assert played.pace.seconds_each is None
    played.group(160, 0.025)
    assert played.pace.seconds_each == pytest.approx(0.025 / 160)


@pytest.mark.parametrize("seconds", [0.9, 3.0, 3_600.0])
def test_a_slow_mutation_a_held_writer_and_a_sleep_say_nothing_of_those_behind_them(seconds: float) -> None:
    played = Played()
    played.groups(60, 32, 0.005)
    played.group(1, seconds)
    played.groups(2, 32, 0.005)
    played.group(1, seconds)
    assert played.pace.seconds_each == pytest.approx(0.005 / 32, rel=0.05)
    assert played.pace.served < 2.5, "each counts as a second at the most"


def test_a_slow_mutation_before_which_nothing_was_done_says_nothing_either() -> None:
    played = Played()
    played.group(1, 0.9)
    assert played.pace.seconds_each is None
    played.groups(30, 32, 0.005)
    assert played.pace.seconds_each == pytest.approx(0.005 / 32)


def test_where_all_are_slow_that_is_the_pace() -> None:
    played = Played()
    played.groups(8, 1, 0.9)
    assert played.pace.seconds_each == pytest.approx(0.9)


def test_a_server_that_becomes_slower_is_noticed() -> None:
    played = Played()
    played.groups(60, 32, 0.005)
    played.groups(20, 4, 0.050)
    assert played.pace.seconds_each == pytest.approx(0.050 / 4)


def test_what_is_done_while_nothing_waits_does_not_count() -> None:
    played = Played()
    played.groups(60, 32, 0.005)
    served = played.pace.served
    played.pace.end()
    assert played.pace.seconds_each is None
    played.groups(10, 1, 0.1)
    assert (played.pace.seconds_each, played.pace.served) == (None, served)
