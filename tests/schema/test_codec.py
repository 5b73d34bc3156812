"""What a codec does by itself; its making is tested with the types."""

from __future__ import annotations

from rewake.schema import TypeCodec, v
from rewake.schema.codec import Native, combined
from rewake.values import UNSET


def test_identity_needs_no_decoder() -> None:
    codec = TypeCodec(v.string(), encode=lambda thing: thing)
    assert codec.to_python("a") == "a"
    assert codec.to_value(UNSET) is None


def test_paths_go_through_attributes() -> None:
    leaf = TypeCodec(v.string(), encode=str)
    inner = TypeCodec(v.any(), encode=str, attributes={"x": ("ex", leaf)})
    outer = TypeCodec(v.any(), encode=str, attributes={"a": ("b", inner)})
    assert outer.stored_path("a") == "b"
    assert outer.stored_path("a.x") == "b.ex"
    assert outer.stored_path("a.y.z") == "b.y.z"
    assert outer.at("b.ex") is leaf
    assert outer.at("b") is inner
    assert outer.at("a") is None
    assert leaf.at("x") is None


def test_one_part_that_is_not_native_makes_the_whole_so() -> None:
    assert combined([]) is Native.STRICT
    assert combined([Native.STRICT, Native.WHOLE_NUMBERS]) is Native.WHOLE_NUMBERS
    assert combined([Native.STRICT, Native.NO, Native.WHOLE_NUMBERS]) is Native.NO
