"""Unions: the member that a value or object belongs to."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from rewake.schema import codec_for, v
from rewake.schema.codec import Native


class Text(msgspec.Struct):
    kind: Literal["text"]
    body: str


class Image(msgspec.Struct):
    kind: Literal["image"]
    width: int


def test_untagged_structs_are_told_apart_by_their_fields() -> None:
    codec = codec_for(Text | Image | None)
    for thing in (Text("text", "b"), Image("image", 5), None):
        assert codec.to_python(codec.to_value(thing)) == thing


def test_nested_unions_are_one() -> None:
    assert codec_for(Literal["a", "b"] | None | str).validator == v.union(
        v.literal("a"), v.literal("b"), v.null(), v.string()
    )
    assert codec_for(list[int] | list[int] | None).validator.to_json()["value"][1] == {"type": "null"}


def test_a_union_of_one_is_its_member() -> None:
    assert codec_for(int | float).validator == v.float64()


def test_objects_that_no_member_fits_keep_their_natural_value() -> None:
    codec = codec_for(Text | list[str])
    assert codec.to_value({"kind": "text"}) == {"kind": "text"}
    assert codec.to_value(5) == 5.0


def test_nullable_scalars_stay_native_and_nullable_literals_do_not() -> None:
    natives: list[tuple[Any, Native]] = [
        (str | None, Native.STRICT),
        (int | None, Native.WHOLE_NUMBERS),
        (Literal["null"] | None, Native.NO),
        (str | int, Native.NO),
    ]
    for annotation, native in natives:
        assert codec_for(annotation).native is native


def test_decoding_what_the_check_would_have_refused_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        codec_for(int | Text).to_python("x")
