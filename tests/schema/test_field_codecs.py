"""Classes with fields as closed objects."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from rewake.schema import ValidationFailed, codec_for
from rewake.values import UNSET, Int64, InvalidValue, Unset


class Inner(msgspec.Struct):
    n: Int64


class Outer(msgspec.Struct):
    inner: Inner
    many: list[Inner] = []
    text: str | Unset = UNSET


class Child(Outer):
    more: int = 0


@dataclasses.dataclass
class Strict:
    a: int

    def __post_init__(self) -> None:
        if self.a > 5:
            raise TypeError("too much")


def test_instances_encode_field_by_field_under_their_hints() -> None:
    value: Any = codec_for(Outer).to_value(Outer(Inner(5), [Inner(Int64(6))]))
    assert value == {"inner": {"n": Int64(5)}, "many": [{"n": Int64(6)}]}
    assert type(value["inner"]["n"]) is Int64


def test_a_dict_encodes_under_the_same_hints() -> None:
    value: Any = codec_for(Outer).to_value({"inner": {"n": 5}, "text": UNSET})
    assert value == {"inner": {"n": Int64(5)}}
    assert type(value["inner"]["n"]) is Int64


def test_a_subclass_is_stored_as_the_class_that_was_declared() -> None:
    value = codec_for(Outer).to_value(Child(Inner(Int64(1)), more=5))
    assert value == {"inner": {"n": Int64(1)}, "many": []}


def test_what_is_no_instance_keeps_its_natural_value() -> None:
    assert codec_for(Outer).to_value(5) == 5.0
    assert codec_for(Outer).to_value({"inner": None, "strange": 1}) == {"inner": None, "strange": 1.0}
    with pytest.raises(InvalidValue):
        codec_for(Outer).to_value({1: "x"})


def test_absent_fields_take_the_class_defaults() -> None:
    assert codec_for(Outer).to_python({"inner": {"n": Int64(1)}}) == Outer(Inner(Int64(1)))


@pytest.mark.parametrize("value", [{"a": 9.0}])
def test_the_authors_refusal_is_a_failed_validation(value: Any) -> None:
    with pytest.raises(ValidationFailed) as failure:
        codec_for(Strict).to_python(value)
    assert str(failure.value) == (
        "Value does not match validator.\n\nValue: {a: 9.0}\nValidator: v.object({a: v.float64()})\n"
        "Constraint: too much"
    )
