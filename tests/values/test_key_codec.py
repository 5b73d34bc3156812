from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rewake.values import (
    COMMIT_TS,
    UNSET,
    Int64,
    InvalidKey,
    InvalidValue,
    compare,
    decode_key,
    encode,
    encode_id,
    encode_key,
    key_of_id,
    key_offsets,
    key_successor,
)
from rewake.values.key_codec import ids_at_end
from rewake.values.types import INT64_MAX, INT64_MIN
from tests.values.strategies import keys, narrow_keys, resolved
from tests.values.test_order import ASCENDING

any_keys = st.one_of(keys(), narrow_keys)


def canonical(fields: list[Any]) -> list[str]:
    """The fields as texts that are equal exactly when the fields have one place in the order."""
    return ["undefined" if field is UNSET else encode(resolved(field)) for field in fields]


def compare_fields(a: list[Any], b: list[Any]) -> int:
    """Order two keys field by field, a key before its own extensions."""
    for left, right in zip(a, b, strict=False):
        result = compare(left, right)
        if result:
            return result
    return (len(a) > len(b)) - (len(a) < len(b))


@pytest.mark.parametrize(
    ("field", "encoded"),
    [
        (UNSET, "01"),
        (None, "03"),
        (Int64(INT64_MIN), "04 8000000000000000"),
        (Int64(-(2**32) - 1), "04 fffffffeffffffff"),
        (Int64(-(2**32)), "05 00000000"),
        (Int64(-65537), "05 fffeffff"),
        (Int64(-65536), "06 0000"),
        (Int64(-257), "06 feff"),
        (Int64(-256), "07 00"),
        (Int64(-1), "07 ff"),
        (Int64(0), "08"),
        (Int64(1), "09 01"),
        (Int64(255), "09 ff"),
        (Int64(256), "0a 0100"),
        (Int64(65536), "0b 00010000"),
        (Int64(2**32), "0c 0000000100000000"),
        (Int64(INT64_MAX), "0c 7fffffffffffffff"),
        (COMMIT_TS, "0c 7fffffffffffffff"),
        (1.0, "0d bff0000000000000"),
        (1, "0d bff0000000000000"),
        (0, "0d 8000000000000000"),
        (0.0, "0d 8000000000000000"),
        (-0.0, "0d 7fffffffffffffff"),
        (-1.0, "0d 400fffffffffffff"),
        (float("nan"), "0d fff8000000000000"),
        (False, "0e"),
        (True, "0f"),
        ("", "10 00"),
        ("a\0é", "10 61 00ff c3a9 00"),
        (b"\x00\xff", "11 00ff ff 00"),
        ([], "12 00"),
        ((1, None), "12 0d bff0000000000000 03 00"),
        ([["a"]], "12 12 106100 00 00"),
        ({}, "15 00"),
        ({"b": True, "a": UNSET, "": [None]}, "15 1000 12 03 00 106200 0f 00"),
        ([COMMIT_TS], "12 0c 7fffffffffffffff 00"),
        ({"a": COMMIT_TS}, "15 106100 0c 7fffffffffffffff 00"),
    ],
)
def test_the_bytes_of_each_kind(field: Any, encoded: str) -> None:
    assert encode_key([field]) == bytes.fromhex(encoded)


@given(any_keys)
def test_decoding_inverts_encoding(fields: list[Any]) -> None:
    assert canonical(decode_key(encode_key(fields))) == canonical(fields)


@given(any_keys, any_keys)
def test_the_order_of_keys_is_the_order_of_their_fields(a: list[Any], b: list[Any]) -> None:
    left, right = encode_key(a), encode_key(b)
    assert (left > right) - (left < right) == compare_fields(a, b)


def test_the_order_of_keys_agrees_on_every_kind() -> None:
    encoded = [encode_key([field]) for field in ASCENDING]
    assert encoded == sorted(encoded)


@given(any_keys, any_keys)
def test_a_key_is_the_concatenation_of_its_fields(a: list[Any], b: list[Any]) -> None:
    assert encode_key(a) + encode_key(b) == encode_key(a + b)


@given(any_keys, any_keys)
@example(["a"], ["a\0"])
@example(["a"], ["a\0b", None])
@example([b""], [b"\0"])
@example([["a"]], [["a\0"]])
def test_the_interval_of_a_prefix_holds_exactly_the_keys_with_these_first_fields(
    prefix: list[Any], fields: list[Any]
) -> None:
    low = encode_key(prefix)
    high = key_successor(low)
    key = encode_key(fields)
    is_inside = low <= key and (high is None or key < high)
    assert is_inside == (canonical(fields)[: len(prefix)] == canonical(prefix))


@given(narrow_keys, narrow_keys)
def test_a_prefix_contains_its_own_extensions(prefix: list[Any], rest: list[Any]) -> None:
    low = encode_key(prefix)
    high = key_successor(low)
    assert low <= encode_key(prefix + rest)
    assert high is None or encode_key(prefix + rest) < high


def test_the_empty_prefix_has_no_end() -> None:
    assert key_successor(b"") is None


@given(any_keys)
def test_offsets_are_where_fields_end(fields: list[Any]) -> None:
    key = encode_key(fields)
    offsets = key_offsets(key)
    assert offsets == [len(encode_key(fields[: count + 1])) for count in range(len(fields))]


@given(any_keys)
def test_offsets_of_a_bound_are_those_of_its_prefix(fields: list[Any]) -> None:
    key = encode_key(fields)
    bound = key_successor(key)
    if bound is not None:
        assert key_offsets(bound) == key_offsets(key)


@given(any_keys, st.data())
def test_offsets_stop_before_a_tail_that_is_cut_off(fields: list[Any], data: st.DataObject) -> None:
    key = encode_key(fields)
    cut = data.draw(st.integers(0, len(key)))
    if key[cut - 1 : cut + 1] == b"\0\xff":
        return  # Between the bytes of an escape, where nobody may cut.
    assert key_offsets(key[:cut]) == [offset for offset in key_offsets(key) if offset <= cut]


@given(any_keys, st.integers(0, 40))
def test_offsets_end_with_the_first_that_is_enough(fields: list[Any], enough: int) -> None:
    key = encode_key(fields)
    starts = [0, *key_offsets(key)]
    assert key_offsets(key, enough) == [end for start, end in pairwise(starts) if start < enough]


@given(st.one_of(st.binary(max_size=30), st.lists(st.sampled_from(range(0x17)), max_size=12).map(bytes)))
def test_any_bytes_are_a_key_or_refused(content: bytes) -> None:
    offsets = key_offsets(content)
    try:
        fields = decode_key(content)
    except InvalidKey:
        return
    assert (offsets[-1] if offsets else 0) == len(content)
    assert len(fields) == len(offsets)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("00", "unknown tag 0x00 at byte 0"),
        ("02", "unknown tag 0x02 at byte 0"),
        ("03 fe", "unknown tag 0xfe at byte 1"),
        ("0d 0000", "cut off at byte 3"),
        ("0c 00", "cut off at byte 2"),
        ("10 61", "cut off at byte 2"),
        ("11 00ff", "cut off at byte 3"),
        ("12", "cut off at byte 1"),
        ("12 03", "cut off at byte 2"),
        ("12 01 00", "tag 0x01 may not stand at byte 1"),
        ("15 03 03 00", "tag 0x03 may not stand at byte 1"),
        ("15 106100 00", "unknown tag 0x00 at byte 4"),
        ("15 106100 01 00", "tag 0x01 may not stand at byte 4"),
        ("10 ff 00", "a string at byte 0 is not UTF-8"),
        ("12" * 65 + "00" * 65, "nested too deep at byte 65"),
        ("04 0000000000000000", "an integer at byte 0 does not fit into 64 bits"),
        ("0c ffffffffffffffff", "an integer at byte 0 does not fit into 64 bits"),
    ],
)
def test_damaged_keys_are_refused_with_the_place(key: str, message: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        decode_key(bytes.fromhex(key))
    assert str(caught.value) == f"Invalid key: {message}"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({1}, "is not a supported Convex type"),
        ([UNSET], "undefined is not a valid Convex value"),
        ("\ud800", "lone surrogate"),
        (2**53 + 1, "outside the range of a Float64"),
        ({"$a": 1}, "starts with"),
    ],
)
def test_what_is_no_value_has_no_key(field: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        encode_key([None, field])


def test_kin_of_values_have_the_keys_of_what_they_mean() -> None:
    class Text(str):
        __slots__ = ()

    fields: list[Any] = [UNSET, Text("a"), bytearray(b"b"), Int64(5)]
    assert encode_key(fields) == encode_key([UNSET, "a", b"b", Int64(5)])


def test_the_key_of_an_id_is_that_of_its_text() -> None:
    class Odd(str):
        def encode(self, *_: Any) -> bytes:
            return b"odd"

    assert key_of_id("0123") == key_of_id(Odd("0123")) == encode_key(["0123"])


def test_ids_are_read_from_the_ends_of_keys() -> None:
    ids = [encode_id(10_001, bytes([n]) * 16) for n in range(3)]
    keys = [encode_key([n, "x\0", id]) for n, id in enumerate(ids)]
    assert ids_at_end(keys, len(key_of_id(ids[0]))) == ids
