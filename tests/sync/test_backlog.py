"""The backlog: what waits, for how long, and when a reader is given up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rewake.limits import DEFAULT_LIMITS
from rewake.sync.backlog import OVER_BYTES, OVER_TIME, Backlog

LIMITS = replace(DEFAULT_LIMITS, socket_backlog_bytes_max=1000, socket_backlog_seconds_max=30.0)


def test_two_transitions_may_wait_and_a_third_may_not() -> None:
    backlog = Backlog(LIMITS)
    backlog.wrote(100, ends_transition=True)
    assert backlog.has_room
    backlog.wrote(100, ends_transition=True)
    assert not backlog.has_room
    backlog.observe(150, 0.0)
    assert not backlog.has_room, "the first is not wholly gone"
    backlog.observe(100, 0.0)
    assert backlog.has_room


def test_responses_do_not_count_as_transitions() -> None:
    backlog = Backlog(LIMITS)
    for _ in range(5):
        backlog.wrote(10)
    assert backlog.has_room


def test_the_newest_message_does_not_count_against_the_reader() -> None:
    backlog = Backlog(LIMITS)
    backlog.wrote(50_000)
    assert backlog.observe(50_000, 0.0) is None
    backlog.wrote(10)
    assert backlog.observe(50_010, 0.0) == OVER_BYTES


def test_a_reader_that_takes_nothing_is_given_up_and_one_that_takes_little_is_not() -> None:
    backlog = Backlog(LIMITS)
    backlog.wrote(500)
    assert backlog.observe(500, 0.0) is None
    assert backlog.observe(499, 29.0) is None
    assert backlog.observe(499, 59.0) is None
    assert backlog.observe(499, 59.1) == OVER_TIME


def test_time_counts_from_when_bytes_were_first_seen_waiting() -> None:
    backlog = Backlog(LIMITS)
    backlog.wrote(500)
    assert backlog.observe(0, 0.0) is None
    backlog.wrote(500)
    assert backlog.observe(500, 1000.0) is None
    assert backlog.observe(500, 1030.0) is None
    assert backlog.observe(500, 1030.1) == OVER_TIME


@given(st.lists(st.tuples(st.integers(1, 200), st.booleans(), st.integers(0, 300)), max_size=30))
def test_it_agrees_with_a_plain_list_of_what_waits(steps: list[tuple[int, bool, int]]) -> None:
    backlog = Backlog(replace(LIMITS, socket_backlog_bytes_max=10**9))
    waiting: list[tuple[int, bool]] = []  # What is left of each message, oldest first.
    for size, ends_transition, taken in steps:
        backlog.wrote(size, ends_transition=ends_transition)
        waiting.append((size, ends_transition))
        while waiting and taken:
            left, ends = waiting.pop(0)
            if left > taken:
                waiting.insert(0, (left - taken, ends))
            taken = max(0, taken - left)
        backlog.observe(sum(left for left, _ in waiting), 0.0)
        assert backlog.has_room == (sum(ends for _, ends in waiting) < 2)
