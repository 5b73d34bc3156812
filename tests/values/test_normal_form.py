from __future__ import annotations

import datetime
import decimal
import enum
from collections import OrderedDict
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.values import (
    COMMIT_TS,
    UNSET,
    ArrayTooLong,
    Int64,
    InvalidFieldName,
    InvalidValue,
    TooManyFields,
    TooNested,
    encode,
    normalize,
    plain_text,
)
from tests.values.strategies import nested, pending_values

SEE = "To learn about Convex's supported types, see https://docs.convex.dev/using/types."


class Text(str):
    __slots__ = ()


class Kind(enum.StrEnum):
    A = "a"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int


class Number(float):
    pass


@given(pending_values())
def test_a_value_in_normal_form_is_copied_as_it_is(value: Any) -> None:
    copy = normalize(value)
    assert encode(copy) == encode(value)
    if isinstance(value, list | dict):
        assert copy is not value


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (3, 3.0),
        (-(2**53), -(2.0**53)),
        (True, True),
        (Int64(3), Int64(3)),
        (COMMIT_TS, COMMIT_TS),
        (Level.HIGH, 3.0),
        (Kind.A, "a"),
        (Text("t"), "t"),
        (Number(1.5), 1.5),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        ((1, (2,)), [1.0, [2.0]]),
        (Point(1), [1.0]),
        (OrderedDict(b=1, a=UNSET), {"b": 1.0}),
        ({"a": {"b": UNSET, "c": None}}, {"a": {"c": None}}),
        ({Text("k"): 1}, {"k": 1.0}),
    ],
)
def test_kin_of_values_are_straightened(given_value: object, expected: object) -> None:
    result = normalize(given_value)
    assert result == expected
    assert type(result) is type(expected)
    if isinstance(result, dict):
        assert all(type(name) is str for name in result)
    if isinstance(result, list):
        assert type(result[0]) is float


@pytest.mark.parametrize(
    "other",
    [
        {1, 2},
        frozenset(),
        datetime.date(2024, 1, 16),
        datetime.datetime(2024, 1, 16),
        datetime.timedelta(1),
        decimal.Decimal("1.5"),
        1j,
        range(3),
        MappingProxyType({}),
        object,
        lambda: None,
        ...,
    ],
)
def test_other_types_are_refused_by_name_and_place(other: object) -> None:
    with pytest.raises(InvalidValue) as caught:
        normalize(other)
    assert str(caught.value) == f"{other!r} is not a supported Convex type. {SEE}"
    original = {"a": [{"b": other}]}
    with pytest.raises(InvalidValue) as caught:
        normalize(original)
    assert str(caught.value) == (
        f"{other!r} is not a supported Convex type "
        f"(present at path .a[0].b in original object {original!r}). {SEE}"
    )


def test_a_text_is_plain_whatever_class_it_came_as() -> None:
    class Shouted(str):
        def __str__(self) -> str:
            return self.upper()

    for text in ("a", Shouted("a")):
        assert type(plain_text(text)) is str
        assert plain_text(text) == normalize(text) == "a"


def test_undefined_is_no_value_alone_or_in_an_array() -> None:
    with pytest.raises(InvalidValue) as caught:
        normalize(UNSET)
    assert str(caught.value) == f"undefined is not a valid Convex value. {SEE}"
    with pytest.raises(InvalidValue) as caught:
        normalize({"a": [1, UNSET]})
    assert str(caught.value) == (
        "undefined is not a valid Convex value "
        f"(present at path .a[1] in original object {{'a': [1, UNSET]}}). {SEE}"
    )


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 10**30])
def test_an_int_that_a_float_cannot_hold_is_refused_with_the_way_out(number: int) -> None:
    with pytest.raises(InvalidValue) as caught:
        normalize([number])
    assert str(caught.value) == (
        f"Integer {number} is outside the range of a Float64 (-2^53 to 2^53) "
        f"(present at path [0] in original object [{number}]). "
        "Use Int64, a `bigint` in JavaScript, for whole numbers beyond it."
    )


def test_a_number_with_too_many_digits_to_print_is_still_refused_cleanly() -> None:
    with pytest.raises(InvalidValue, match=r"^Integer <int> is outside the range"):
        normalize(10**5000)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"lone surrogate .*present at path \.a in"):
        normalize({"a": "x\ud800"})


def test_a_key_that_is_no_string_is_refused() -> None:
    with pytest.raises(InvalidValue) as caught:
        normalize({1: 2})
    assert str(caught.value) == "Object keys must be strings, found 1"


def test_a_bad_field_name_is_refused_deep_inside() -> None:
    with pytest.raises(InvalidFieldName, match="starts with"):
        normalize([{"a": {"$b": 1}}])


def test_a_bad_field_name_of_an_absent_field_does_no_harm() -> None:
    assert normalize({"$b": UNSET}) == {}


def test_an_array_may_have_8192_elements() -> None:
    assert len(normalize([None] * 8192)) == 8192  # type: ignore[arg-type]
    with pytest.raises(ArrayTooLong) as caught:
        normalize((None,) * 8193)
    assert str(caught.value) == "Array length is too long (8193 > maximum length 8192)"


def test_an_object_may_have_1024_fields_that_are_set() -> None:
    fields: dict[str, object] = {f"f{n}": None for n in range(1024)}
    assert normalize(fields | {"absent": UNSET}) == fields
    with pytest.raises(TooManyFields) as caught:
        normalize(fields | {"one_more": 1})
    assert str(caught.value) == "Object has too many fields (1025 > maximum number 1024)"


def test_containers_may_nest_64_deep() -> None:
    normalize(nested(64))
    normalize(nested(64, leaf="x"))
    with pytest.raises(TooNested) as caught:
        normalize(nested(65))
    assert str(caught.value) == "Value is too nested (nested 65 levels deep > maximum nesting 64)"


def test_a_list_that_contains_itself_is_too_nested() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(TooNested):
        normalize(endless)


def test_a_description_is_short_and_survives_a_broken_repr() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(InvalidValue, match=r"^<Broken> is not a supported"):
        normalize(Broken())
    with pytest.raises(InvalidValue) as caught:
        normalize(["x" * 10_000, object])
    assert len(str(caught.value)) < 1000


_anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        pending_values(),
        st.integers(-(2**54), 2**54),
        st.sampled_from([UNSET, "é", "\ud800", bytearray(b"x"), Text("x"), {1}]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.sampled_from(["a", "$a", "", "é", Text("b")]), st.integers()), inner),
    ),
)


@given(_anything)
def test_the_fast_walk_does_what_the_careful_one_does(value: Any) -> None:
    def outcome(given_value: Any) -> str:
        try:
            return repr(normalize(given_value))
        except InvalidValue as error:
            return error.message.partition(" (present at")[0]

    # One element of an unusual type has the whole walked with care.
    assert outcome([value, "usual"]) == outcome([value, Text("usual")])
