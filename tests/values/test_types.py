from __future__ import annotations

import copy
import math
import operator
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.values import COMMIT_TS, CommitTsPlaceholder, Int64, InvalidValue
from rewake.values.types import INT64_MAX, INT64_MIN
from tests.values.strategies import int64s


@pytest.mark.parametrize("number", [INT64_MIN - 1, INT64_MAX + 1, 10**30])
def test_an_int64_out_of_range_is_refused_with_the_sentence_of_the_official_client(number: int) -> None:
    with pytest.raises(InvalidValue) as caught:
        Int64(number)
    assert str(caught.value) == f"BigInt {number} does not fit into a 64-bit signed integer."


@pytest.mark.parametrize("other", [2.0, "2", None])
def test_only_integers_become_int64(other: object) -> None:
    with pytest.raises(TypeError):
        Int64(other)  # type: ignore[arg-type]


def test_an_int64_shows_its_kind_in_repr_and_its_digits_in_str() -> None:
    assert repr(Int64(-5)) == "Int64(-5)"
    assert str(Int64(-5)) == f"{Int64(-5)}" == "-5"
    assert f"{Int64(7):03d}" == "007"


@given(int64s)
def test_an_int64_survives_copies_and_pickles(number: Int64) -> None:
    for twin in (copy.copy(number), copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert type(twin) is Int64
        assert twin == number


@given(st.integers(-1000, 1000), st.integers(1, 1000))
def test_arithmetic_with_ints_stays_int64(a: int, b: int) -> None:
    for result, expected in [
        (Int64(a) + b, a + b),
        (a + Int64(b), a + b),
        (Int64(a) - b, a - b),
        (a - Int64(b), a - b),
        (Int64(a) * b, a * b),
        (a * Int64(b), a * b),
        (Int64(a) // b, a // b),
        (a // Int64(b), a // b),
        (Int64(a) % b, a % b),
        (a % Int64(b), a % b),
        (-Int64(a), -a),
        (abs(Int64(a)), abs(a)),
    ]:
        assert type(result) is Int64
        assert result == expected


def test_arithmetic_with_floats_gives_floats() -> None:
    assert type(Int64(1) + 0.5) is float
    assert type(0.5 * Int64(3)) is float
    assert type(Int64(3) / 2) is float


def test_arithmetic_that_leaves_64_bits_raises() -> None:
    with pytest.raises(InvalidValue):
        Int64(INT64_MAX) + 1
    with pytest.raises(InvalidValue):
        -Int64(INT64_MIN)


def test_there_is_one_commit_timestamp_placeholder() -> None:
    for twin in (
        CommitTsPlaceholder(),
        copy.copy(COMMIT_TS),
        copy.deepcopy(COMMIT_TS),
        pickle.loads(pickle.dumps(COMMIT_TS)),
    ):
        assert twin is COMMIT_TS
    assert len({COMMIT_TS, CommitTsPlaceholder()}) == 1


def test_the_placeholder_shows_what_it_is() -> None:
    assert str(COMMIT_TS) == f"{COMMIT_TS}" == "[unresolved commit timestamp]"
    assert repr(COMMIT_TS) == "COMMIT_TS"


@pytest.mark.parametrize("convert", [int, float])
def test_the_placeholder_has_no_number(convert: Any) -> None:
    with pytest.raises(TypeError, match="no number before its mutation commits"):
        convert(COMMIT_TS)


@pytest.mark.parametrize("convert", [operator.index, operator.neg, abs, round, Int64, range, complex])
def test_nor_does_anything_else_make_a_number_of_it(convert: Any) -> None:
    with pytest.raises(TypeError):
        convert(COMMIT_TS)


@pytest.mark.parametrize("other", [Int64(INT64_MIN), Int64(INT64_MAX), INT64_MAX, 0, 1.5, math.nan, True])
def test_among_numbers_the_placeholder_stands_where_the_largest_int64_stands(other: Any) -> None:
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        assert compare(COMMIT_TS, other) == compare(Int64(INT64_MAX), other)
        assert compare(other, COMMIT_TS) == compare(other, Int64(INT64_MAX))
        assert compare(COMMIT_TS, COMMIT_TS) == compare(Int64(INT64_MAX), Int64(INT64_MAX))
    assert sorted([COMMIT_TS, Int64(5), Int64(3)], key=lambda x: x) == [Int64(3), Int64(5), COMMIT_TS]  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("other", [None, "5", [], Decimal(5)])
def test_and_beside_anything_else_it_has_no_place(other: Any) -> None:
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        for pair in ((COMMIT_TS, other), (other, COMMIT_TS)):
            with pytest.raises(TypeError):
                compare(*pair)


@pytest.mark.parametrize("other", [Int64(1), 1, 1.0, COMMIT_TS])
def test_nor_calculate_with_it(other: Any) -> None:
    for calculate in (
        operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod
    ):  # fmt: skip
        for pair in ((COMMIT_TS, other), (other, COMMIT_TS)):
            with pytest.raises(TypeError, match="no number before its mutation commits"):
                calculate(*pair)


@pytest.mark.parametrize("other", [Int64(INT64_MAX), None, "COMMIT_TS", "[unresolved commit timestamp]"])
def test_the_placeholder_equals_itself_alone(other: object) -> None:
    assert other != COMMIT_TS
