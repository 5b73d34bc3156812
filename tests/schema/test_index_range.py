"""Ranges: the exact errors of semantics 3.3, and intervals that hold exactly what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.schema import (
    Comparison,
    InvalidIndexRange,
    QuerySpec,
    RangeBound,
    gt,
    gte,
    interval_for,
    lt,
    lte,
    range_bounds,
)
from rewake.values import COMMIT_TS, UNSET, Int64, InvalidValue, Unset, compare, encode_key
from tests.schema.support import VALUES

FIELDS = ("a", "b", "_creationTime", "_id")


def interval(**fields: Any) -> tuple[bytes, bytes | None]:
    return interval_for("t", "by_a_b", FIELDS, range_bounds(fields))


def message_of(bounds: tuple[RangeBound, ...]) -> str:
    with pytest.raises(InvalidIndexRange) as failure:
        interval_for("t", "by_a_b", FIELDS, bounds)
    return str(failure.value)


def covers(found: tuple[bytes, bytes | None], key: bytes) -> bool:
    lower, upper = found
    return lower <= key and (upper is None or key < upper)


_KEYS = st.tuples(VALUES | st.just(UNSET), VALUES | st.just(UNSET))
_TESTS = {
    "eq": lambda order: order == 0,
    "gt": lambda order: order > 0,
    "gte": lambda order: order >= 0,
    "lt": lambda order: order < 0,
    "lte": lambda order: order <= 0,
}


@given(
    _KEYS,
    VALUES | st.just(UNSET),
    st.lists(st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), VALUES), max_size=2),
    st.booleans(),
)
def test_an_interval_holds_exactly_the_keys_that_the_bounds_describe(
    key: tuple[Any, Any], equal: Any, comparisons: list[tuple[Any, Any]], on_first: bool
) -> None:
    if len({operator[0] for operator, _ in comparisons}) < len(comparisons):
        comparisons = comparisons[:1]
    field = "a" if on_first else "b"
    bounds = [RangeBound(field, operator, value) for operator, value in comparisons]
    if not on_first:
        bounds.insert(0, RangeBound("a", "eq", equal))
    found = interval_for("t", "by_a_b", FIELDS, bounds)
    expected = all(
        _TESTS[bound.operator](compare(key[0 if bound.field == "a" else 1], bound.value)) for bound in bounds
    )
    assert covers(found, encode_key([*key, 1.0, "id"])) is expected


def test_no_bounds_is_the_whole_index() -> None:
    assert interval() == (b"", None)


def test_crossed_bounds_are_an_empty_interval() -> None:
    lower, upper = interval(a=gt(5) & lt(1))
    assert upper is not None
    assert lower > upper


def test_equalities_may_come_in_any_order() -> None:
    assert interval(b=2, a=1) == interval(a=1, b=2)


def test_the_implicit_fields_can_be_compared() -> None:
    assert interval(a=1, b=2, _creationTime=gte(3)) == interval(a=1, b=2, _creationTime=gte(3.0))
    one = interval_for("t", "by_id", ("_id",), range_bounds({"_id": "x"}))
    assert covers(one, encode_key(["x"]))
    assert not covers(one, encode_key(["xy"]))


def test_a_missing_field_can_be_asked_for() -> None:
    found = interval(a=UNSET)
    assert covers(found, encode_key([UNSET, 1.0, 1.0, "id"]))
    assert not covers(found, encode_key([None, 1.0, 1.0, "id"]))


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            (RangeBound("a", "eq", 1.0), RangeBound("a", "eq", 2.0)),
            'Already defined equality bound in index range. Can\'t add eq("a", 2.0).',
        ),
        (
            (RangeBound("a", "eq", UNSET), RangeBound("a", "gt", 2.0)),
            'Already defined equality bound in index range. Can\'t add gt("a", 2.0).',
        ),
        (
            (RangeBound("a", "gt", 1.0), RangeBound("a", "gte", 2.0)),
            'Already defined lower bound in index range. Can\'t add gte("a", 2.0).',
        ),
        (
            (RangeBound("a", "lt", 1.0), RangeBound("a", "lte", 2.0)),
            'Already defined upper bound in index range. Can\'t add lte("a", 2.0).',
        ),
        (
            (RangeBound("a", "lt", 1.0), RangeBound("a", "eq", UNSET)),
            'Already defined inequality bound in index range. Can\'t add eq("a", undefined).',
        ),
        (
            (RangeBound("a", "gt", 1.0), RangeBound("b", "lt", 2.0)),
            "Upper and lower bounds in `range` can only be applied to a single index field. This query "
            "against index "
            't.by_a_b attempted to set a range bound on both "a" and "b". Consider using `filter` instead. '
            "See "
            "https://docs.convex.dev/using/indexes for more info.",
        ),
        (
            (RangeBound("b", "eq", 1.0),),
            "Tried to query index t.by_a_b but the query didn't use the index fields in order.\n"
            'Index fields: ["a", "b", "_creationTime", "_id"]\nQuery fields: ["b"]\nFirst incorrect field: '
            '"b"\n'
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
        (
            (RangeBound("a", "eq", 1.0), RangeBound("_creationTime", "gt", 1.0)),
            "Tried to query index t.by_a_b but the query didn't use the index fields in order.\n"
            'Index fields: ["a", "b", "_creationTime", "_id"]\nQuery fields: ["a", "_creationTime"]\n'
            'First incorrect field: "_creationTime"\n'
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
        (
            (RangeBound("a", "gt", 1.0), RangeBound("b", "eq", 1.0)),
            "Tried to query index t.by_a_b but the query didn't use the index fields in order.\n"
            'Index fields: ["a", "b", "_creationTime", "_id"]\nQuery fields: ["b", "a"]\nFirst incorrect '
            'field: "b"\n'
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
        (
            (RangeBound("c", "eq", 1.0),),
            'The index range included a comparison with "c", but t.by_a_b with fields '
            '["a", "b", "_creationTime", "_id"] doesn\'t index this field. For more information see '
            "https://docs.convex.dev/using/indexes.",
        ),
    ],
)
def test_a_range_that_the_index_cannot_give_has_the_official_words(
    bounds: tuple[RangeBound, ...], message: str
) -> None:
    assert message_of(bounds) == message


def test_comparisons_join_with_an_ampersand_only() -> None:
    assert (gte(1) & lt(2)).parts == (("gte", 1), ("lt", 2))
    with pytest.raises(TypeError, match="&"):
        bool(gte(1))
    with pytest.raises(TypeError):
        gte(1) & 5


def test_bounds_hold_values_in_canonical_form() -> None:
    bounds = range_bounds({"a": 1, "b": gt(2) & lte((1,)), "c": UNSET})
    assert [(x.field, x.operator, x.value) for x in bounds] == [
        ("a", "eq", 1.0),
        ("b", "gt", 2.0),
        ("b", "lte", [1.0]),
        ("c", "eq", UNSET),
    ]
    assert type(bounds[0].value) is float
    assert range_bounds({"a": "é"})[0].value == "é"


def test_a_bound_by_the_commit_timestamp_to_come_finds_what_waits_for_the_same() -> None:
    assert covers(interval(a=COMMIT_TS), encode_key([COMMIT_TS, None, 1.0, "id"]))
    assert interval(a=lt(COMMIT_TS)) == interval(a=lt(Int64(2**63 - 1)))


def test_bounds_are_converted_as_their_fields_declare() -> None:
    def to_value(path: str, thing: Any) -> Any:
        return Int64(thing) if path == "n" else thing

    assert type(range_bounds({"n": lte(5)}, to_value=to_value)[0].value) is Int64


def test_a_bound_that_is_no_value_is_refused() -> None:
    for thing in (object(), "\ud800", [UNSET]):
        with pytest.raises(InvalidValue):
            range_bounds({"a": thing})


def test_a_query_spec_is_hashable_enough_to_compare() -> None:
    assert QuerySpec("t") == QuerySpec("t", None, (), "asc")
    assert lt(1) == Comparison((("lt", 1),))
    assert isinstance(RangeBound("a", "eq", UNSET).value, Unset)
