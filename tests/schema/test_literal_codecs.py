"""Literals and enums."""

from __future__ import annotations

import enum

import pytest

from rewake.schema import UnsupportedType, v
from rewake.schema.codec import Native
from rewake.schema.literal_codecs import literal_codec


class Mixed(enum.Enum):
    YES = True
    ONE = 1
    NAME = "name"
    NOTHING = None


def test_members_of_one_python_hash_are_told_apart() -> None:
    codec = literal_codec(tuple(Mixed), where="x")
    # In Python True == 1, so the enum itself has one member for both; a Literal has two.
    assert codec.to_python("name") is Mixed.NAME
    assert codec.to_python(None) is Mixed.NOTHING
    both = literal_codec((True, 1, 1.5), where="x")
    assert both.to_python(True) is True
    assert (both.to_python(1.0), type(both.to_python(1.0))) == (1, int)
    assert both.to_python(1.5) == 1.5
    assert both.validator == v.union(v.literal(True), v.literal(1), v.literal(1.5))


def test_only_strings_are_native() -> None:
    assert literal_codec(("a", "b"), where="x").native is Native.STRICT
    assert literal_codec(("a", 1), where="x").native is Native.NO


@pytest.mark.parametrize("member", [b"x", float("nan"), 2**53 + 1, (1,)])
def test_other_values_are_refused(member: object) -> None:
    with pytest.raises(UnsupportedType, match=r"x: .* cannot be a literal"):
        literal_codec((member,), where="x")
