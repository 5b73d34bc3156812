from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.values import COMMIT_TS, UNSET, Int64, InvalidValue, compare, encode, values_equal
from rewake.values.types import INT64_MAX
from tests.values.strategies import float_of_bits, pending_values, resolved, values

ASCENDING: list[Any] = [
    UNSET,
    None,
    Int64(-(2**63)),
    Int64(-1),
    Int64(0),
    Int64(2**63 - 1),
    float_of_bits(0xFFFF_FFFF_FFFF_FFFF),
    float_of_bits(0xFFF8_0000_0000_0000),
    float_of_bits(0xFFF0_0000_0000_0001),
    float("-inf"),
    -1.5,
    -5e-324,
    -0.0,
    0.0,
    5e-324,
    1.0,
    2.0**60,
    float("inf"),
    float_of_bits(0x7FF0_0000_0000_0001),
    float_of_bits(0x7FF8_0000_0000_0000),
    float_of_bits(0x7FFF_FFFF_FFFF_FFFF),
    False,
    True,
    "",
    "\0",
    "a",
    "a\0",
    "aa",
    "b",
    "é",
    "\uffff",
    "\U0001f600",  # Before U+FFFF in UTF-16, after it in UTF-8.
    b"",
    b"\0",
    b"\0\xff",
    b"\x01",
    b"\xff",
    [],
    [None],
    [None, None],
    [Int64(5)],
    ["a"],
    [[]],
    {},
    {"": None},
    {"": "x", "a": None},
    {"a": None},
    {"a": None, "b": None},
    {"a": Int64(1)},
    {"a": {"b": 1.0}},
    {"b": None},
]


def test_the_order_of_all_kinds_is_that_of_the_specification() -> None:
    for i, a in enumerate(ASCENDING):
        for j, b in enumerate(ASCENDING):
            assert compare(a, b) == (i > j) - (i < j), (a, b)
            assert values_equal(a, b) == (i == j), (a, b)


@given(st.lists(pending_values(max_leaves=5), max_size=5))
def test_the_order_is_total(several: list[Any]) -> None:
    ordered = sorted(several, key=functools.cmp_to_key(compare))
    for i, a in enumerate(ordered):
        for j, b in enumerate(ordered):
            if i <= j:
                assert compare(a, b) <= 0
                assert compare(b, a) == -compare(a, b)


@given(values(), values())
def test_values_are_equal_exactly_when_neither_comes_first(a: Any, b: Any) -> None:
    assert values_equal(a, b) == (compare(a, b) == 0) == (encode(a) == encode(b))
    assert compare(a, a) == 0


def test_plain_ints_and_tuples_compare_as_what_they_mean() -> None:
    assert compare(1, 1.0) == 0
    assert compare((1,), [1.0]) == 0  # type: ignore[arg-type]
    assert compare({"a": UNSET}, {}) == 0  # type: ignore[dict-item]
    assert values_equal(1, 1.0)
    assert not values_equal(1, Int64(1))
    assert not values_equal(1.0, True)
    assert not values_equal(0.0, -0.0)


def test_what_is_no_value_has_no_place_in_the_order() -> None:
    with pytest.raises(InvalidValue):
        compare({1}, None)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        values_equal([UNSET], None)  # type: ignore[list-item]


@given(pending_values(), pending_values())
def test_a_commit_timestamp_to_come_has_the_place_of_the_largest_int64(a: Any, b: Any) -> None:
    assert compare(a, b) == compare(resolved(a), b) == compare(a, resolved(b))
    assert values_equal(a, b) == (encode(a) == encode(b))


def test_a_commit_timestamp_to_come_is_not_the_largest_int64() -> None:
    assert compare(COMMIT_TS, Int64(INT64_MAX)) == 0
    assert compare(COMMIT_TS, Int64(INT64_MAX - 1)) == compare([COMMIT_TS], [Int64(5)]) == 1
    assert compare(COMMIT_TS, float("-inf")) == -1
    assert values_equal(COMMIT_TS, COMMIT_TS)
    assert not values_equal(COMMIT_TS, Int64(INT64_MAX))
