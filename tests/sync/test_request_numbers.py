"""Request numbers: a set, told from a set by nothing but its size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.sync import request_numbers
from rewake.sync.request_numbers import RequestNumbers


@given(st.lists(st.integers(0, 60)))
def test_a_number_is_new_exactly_once(numbers: list[int]) -> None:
    seen: set[int] = set()
    ranges = RequestNumbers()
    for number in numbers:
        assert ranges.add(number) is (number not in seen)
        seen.add(number)
    assert len(ranges) == len([number for number in seen if number - 1 not in seen])


def test_a_client_that_counts_takes_one_entry() -> None:
    ranges = RequestNumbers()
    assert all(ranges.add(number) for number in range(500, 10_500))
    assert len(ranges) == 1


def test_scattered_numbers_are_bounded_and_the_lowest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_numbers, "_RANGES_MAX", 10)
    ranges = RequestNumbers()
    for number in range(0, 40, 2):
        assert ranges.add(number)
    assert len(ranges) == 10
    assert ranges.add(0), "forgotten"
    assert not ranges.add(38)
