from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from rewake.values import COMMIT_TS, UNSET, Int64, InvalidValue, render
from tests.values.strategies import pending_values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (Int64(1), "1"),
        (Int64(-5), "-5"),
        (1, "1.0"),
        (0.5, "0.5"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ('s"\n', '"s\\"\\n"'),
        (b"a\0", 'b"a\\u0000"'),
        ([], "[]"),
        (["a", Int64(1)], '["a", 1]'),
        ({}, "{}"),
        ({"b": 1.0, "a": [None], "u": UNSET}, "{a: [null], b: 1.0}"),
        ({"a b": 1, "_id": 2, "": 3, "_": 4}, '{"": 3.0, "_": 4.0, _id: 2.0, "a b": 1.0}'),
        (UNSET, "undefined"),
        (COMMIT_TS, "[unresolved commit timestamp]"),
        ({"at": [COMMIT_TS]}, "{at: [[unresolved commit timestamp]]}"),
    ],
)
def test_values_are_written_as_error_messages_show_them(value: Any, text: str) -> None:
    assert render(value) == text


@given(pending_values())
def test_every_value_can_be_rendered(value: Any) -> None:
    assert render(value)


def test_what_is_no_value_cannot() -> None:
    with pytest.raises(InvalidValue):
        render([UNSET])  # type: ignore[list-item]
