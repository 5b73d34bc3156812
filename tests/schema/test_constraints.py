"""Constraints from the marks of msgspec, annotated_types and pydantic."""

from __future__ import annotations

import re
from typing import Any

import annotated_types
import msgspec
import pydantic
import pytest

from rewake.schema.constraints import WHOLE_NUMBER, Constraint, constraints_of
from rewake.values import COMMIT_TS


def field_metadata(**options: Any) -> Any:
    return pydantic.Field(**options)


@pytest.mark.parametrize(
    ("mark", "text", "good", "bad"),
    [
        (annotated_types.Ge(1), "must be at least 1", 1.0, 0.9),
        (annotated_types.Gt(1), "must be greater than 1", 1.1, 1.0),
        (annotated_types.Le(1), "must be at most 1", 1.0, 1.1),
        (annotated_types.Lt(1), "must be less than 1", 0.9, 1.0),
        (annotated_types.MultipleOf(3), "must be a multiple of 3", 6.0, 7.0),
        (annotated_types.MinLen(1), "must have at least 1 element", "a", ""),
        (annotated_types.MaxLen(2), "must have at most 2 elements", [1], [1, 2, 3]),
        (msgspec.Meta(ge=1), "must be at least 1", 1.0, 0.0),
        (msgspec.Meta(pattern="^a"), "must match the pattern '^a'", "ab", "ba"),
        (re.compile("b$"), "must match the pattern 'b$'", "ab", "ba"),
        (field_metadata(ge=1), "must be at least 1", 1.0, 0.0),
        (field_metadata(max_length=1), "must have at most 1 element", "a", "ab"),
        (field_metadata(pattern="^a$"), "must match the pattern '^a$'", "a", "ab"),
        (field_metadata(multiple_of=2), "must be a multiple of 2", 4.0, 5.0),
    ],
)
def test_a_mark_becomes_a_constraint(mark: Any, text: str, good: Any, bad: Any) -> None:
    (constraint,) = constraints_of(mark)
    assert constraint.text == text
    assert constraint.accepts(good)
    assert not constraint.accepts(bad)


def test_a_commit_timestamp_to_come_is_compared_as_the_largest_int64() -> None:
    def accepts(mark: Any) -> bool:
        (constraint,) = constraints_of(mark)
        return constraint.accepts(COMMIT_TS)

    assert accepts(annotated_types.Ge(2**63 - 1))
    assert not accepts(annotated_types.Lt(2**63 - 1))
    assert not accepts(annotated_types.MultipleOf(1))


def test_one_mark_may_hold_several() -> None:
    assert [x.text for x in constraints_of(msgspec.Meta(ge=0, lt=9))] == [
        "must be at least 0",
        "must be less than 9",
    ]
    assert len(list(constraints_of(annotated_types.Interval(ge=0, le=9)))) == 2
    assert len(list(constraints_of(annotated_types.Len(1, 2)))) == 2


@pytest.mark.parametrize(
    "mark", ["doc", 5, object(), msgspec.Meta(description="x"), pydantic.Field(title="x")]
)
def test_marks_of_another_meaning_are_passed_over(mark: Any) -> None:
    assert list(constraints_of(mark)) == []


def test_whole_numbers_end_where_neighbours_collide() -> None:
    assert WHOLE_NUMBER.accepts(2.0**53)
    assert WHOLE_NUMBER.accepts(-0.0)
    assert not WHOLE_NUMBER.accepts(2.0**53 + 2)
    assert not WHOLE_NUMBER.accepts(0.5)


def test_constraints_are_equal_when_they_say_the_same() -> None:
    one = Constraint("x", lambda _: True, frozenset())
    assert one == Constraint("x", lambda _: False, frozenset())
    assert one != Constraint("y", lambda _: True, frozenset())
    assert one != "x"
    assert len({one, Constraint("x", lambda _: False, frozenset())}) == 1
