"""Filters on fields: they keep what an index range with the same bounds would give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake import UNSET, gt, gte, lt, lte
from rewake.functions.field_filter import FieldFilter
from rewake.schema import interval_for, range_bounds
from rewake.values import InvalidName, encode, encode_key
from tests.values.strategies import values


def accepts(document: dict[str, Any], fields: dict[str, Any]) -> bool:
    return FieldFilter(range_bounds(fields)).accepts(encode(document))


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [
        ({}, True),
        ({"a": 1}, True),
        ({"a": True}, False),
        ({"a": gte(1) & lt(2), "b.c": "x"}, True),
        ({"a": gt(1)}, False),
        ({"a": lte(1), "b.c": "y"}, False),
        ({"missing": UNSET}, True),
        ({"missing": lt(0)}, True),
        ({"b.c.d": UNSET}, True),
        ({"b": {"c": "x"}}, True),
    ],
    ids=str,
)
def test_all_comparisons_must_hold(fields: dict[str, Any], is_kept: bool) -> None:
    assert accepts({"a": 1, "b": {"c": "x"}}, fields) is is_kept


def test_a_field_is_a_path_of_identifiers() -> None:
    with pytest.raises(InvalidName):
        accepts({}, {"a b": 1})


@given(values(), values(), st.sampled_from([lambda value: value, gt, gte, lt, lte]))
def test_a_filter_agrees_with_an_index(value: Any, bound: Any, comparison: Any) -> None:
    bounds = range_bounds({"a": comparison(bound)})
    lower, upper = interval_for("t", "by_a", ("a", "_creationTime", "_id"), bounds)
    key = encode_key([value, 1.0, "id"])
    assert FieldFilter(bounds).accepts(encode({"a": value})) == (
        lower <= key and (upper is None or key < upper)
    )
