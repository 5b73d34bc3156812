"""A subset that is claimed is one: no value of the old validator is ever refused by the new."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewake.schema import Validator, codec_for, is_subset, v
from rewake.schema.validators import VRecursive
from tests.schema.support import TABLES, VALIDATORS, VALUES, value_for


def of(annotation: Any) -> Validator:
    return codec_for(annotation).validator


SMALL = of(Annotated[str, msgspec.Meta(max_length=3)])
REC: Validator = VRecursive(lambda: v.object({"inner": v.array(REC)}))

YES = [
    (v.string(), v.any()),
    (v.string(), v.union(v.null(), v.string())),
    (v.literal("a"), v.string()),
    (v.union(v.literal("a"), v.literal("b")), v.union(v.literal("b"), v.null(), v.literal("a"))),
    (v.boolean(), v.union(v.literal(True), v.literal(False))),
    (v.id("users"), v.string()),
    (v.id("users"), v.union(v.id("channels"), v.id("users"))),
    (v.int64(), v.commit_ts()),
    (v.object({"a": v.string()}), v.object({"a": v.optional(v.string())})),
    (v.object({"a": v.string()}), v.object({"a": v.string(), "b": v.optional(v.any())})),
    (v.object({"a": v.literal("x")}), v.record(v.string(), v.string())),
    (v.union(v.object({"a": v.null()}), v.object({})), v.object({"a": v.optional(v.null())})),
    (v.array(v.literal(1)), v.array(v.number())),
    (v.record(v.id("users"), v.null()), v.record(v.string(), v.any())),
    (SMALL, v.string()),
    (SMALL, SMALL),
    (SMALL, v.union(v.null(), SMALL)),
    (v.literal("ab"), SMALL),
    (v.union(v.literal("ab")), v.union(SMALL, v.null())),
    (of(int), of(float)),
    (v.object({}), v.object({})),
    (REC, v.any()),
]
NO = [
    (v.any(), v.string()),
    (v.string(), v.id("users")),
    (v.literal("k57000000000000000000000000000000"), v.id("users")),
    (v.id("users"), v.id("channels")),
    (v.union(v.string(), v.null()), v.string()),
    (v.commit_ts(), v.int64()),
    (v.literal(0), v.literal(-0.0)),
    (v.literal("abcd"), SMALL),
    (v.boolean(), v.literal(True)),
    (v.string(), SMALL),
    (SMALL, of(Annotated[str, msgspec.Meta(max_length=4)])),  # True, and not provable by words.
    (of(float), of(int)),
    (v.object({"a": v.optional(v.string())}), v.object({"a": v.string()})),
    (v.object({"a": v.string(), "b": v.null()}), v.object({"a": v.string()})),
    (v.object({}), v.object({"a": v.string()})),
    (v.record(v.string(), v.null()), v.object({"a": v.optional(v.null())})),
    (v.object({"a": v.null()}), v.record(v.id("users"), v.null())),
    (v.array(v.string()), v.array(v.null())),
    (v.array(v.string()), v.record(v.string(), v.string())),
    (v.any(), v.object({})),
    (v.any(), REC),
    (REC, REC),
]


@pytest.mark.parametrize(("old", "new"), YES, ids=lambda each: str(each)[:60])
def test_what_takes_more_needs_no_check(old: Validator, new: Validator) -> None:
    assert is_subset(old, new)


@pytest.mark.parametrize(("old", "new"), NO, ids=lambda each: str(each)[:60])
def test_what_may_take_less_needs_one(old: Validator, new: Validator) -> None:
    assert not is_subset(old, new)


CONSTRAINED = st.sampled_from([of(int), SMALL, of(Annotated[float, msgspec.Meta(ge=1)])])
PARTS = VALIDATORS | CONSTRAINED


def _grown(old: Validator) -> st.SearchStrategy[Validator]:
    """Validators near `old`, so that subsets come up at all."""
    return st.one_of(
        st.just(old),
        PARTS.map(lambda other: v.union(old, other)),
        st.just(v.object({"a": v.optional(old), "b": v.any()})),
        st.just(v.array(v.union(old, v.null()))),
        PARTS,
    )


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_no_value_of_a_subset_is_ever_refused(data: st.DataObject) -> None:
    old = data.draw(PARTS, label="old")
    wrapped = data.draw(st.sampled_from([old, v.object({"a": old}), v.array(old), v.union(old, v.null())]))
    new = data.draw(_grown(old), label="new")
    if not is_subset(wrapped, new):
        return
    for value in [data.draw(value_for(wrapped)), data.draw(VALUES)]:
        if wrapped.accepts(value, TABLES):
            assert new.accepts(value, TABLES)


@given(VALIDATORS)
def test_a_validator_is_within_itself_and_within_any(old: Validator) -> None:
    assert is_subset(old, old)
    assert is_subset(old, v.any())
    assert is_subset(old, v.union(v.null(), old))
