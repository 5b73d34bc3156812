"""The messages by themselves; their use is tested with the validators."""

from __future__ import annotations

from rewake.errors import InvalidInput
from rewake.schema.mismatch import (
    does_not_match,
    has_extra_field,
    id_of_other_table,
    is_not_literal,
    lacks_field,
)


def test_a_constraint_is_the_last_line() -> None:
    error = does_not_match(1.0, path=(".a", "[0]"), validator="v.float64()", constraint="must be at least 2")
    assert str(error) == (
        "Value does not match validator.\nPath: .a[0]\nValue: 1.0\nValidator: v.float64()\n"
        "Constraint: must be at least 2"
    )
    assert error.path == ".a[0]"
    assert isinstance(error, InvalidInput)
    assert error.status == 400


def test_every_message_has_no_trailing_newline_and_a_path_of_its_own() -> None:
    errors = [
        does_not_match(None, path=(), validator="v.any()"),
        lacks_field({}, "x", path=(), validator="v.object({})"),
        has_extra_field({"x": None}, "x", path=(), validator="v.object({})"),
        id_of_other_table("i", found="a", expected="b", path=()),
        is_not_literal(None, literal="a", path=()),
    ]
    for error in errors:
        assert str(error) == str(error).rstrip("\n")
        assert error.path == ""


def test_long_values_are_still_one_line() -> None:
    error = does_not_match("a\nb", path=(), validator="v.null()")
    assert str(error).splitlines()[2] == 'Value: "a\\nb"'
