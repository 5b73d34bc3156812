from __future__ import annotations

import enum
import json
from typing import Any

import pytest
from convex.values import ConvexInt64, convex_to_json, json_to_convex
from hypothesis import given
from hypothesis import strategies as st

from rewake import limits
from rewake.values import (
    COMMIT_TS,
    UNSET,
    ArrayTooLong,
    Int64,
    InvalidFieldName,
    InvalidValue,
    Placeholders,
    TooManyFields,
    TooNested,
    ValueTooLarge,
    decode,
    decode_stored,
    encode,
    holds_commit_ts,
    normalize,
    resolve_commit_ts,
)
from rewake.values.types import INT64_MAX, INT64_MIN
from tests.values.strategies import (
    at_commit,
    bits_of_float,
    float_of_bits,
    floats,
    int64s,
    nested,
    nested_objects,
    pending_values,
    texts,
    values,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1, "1.0"),
        (0, "0.0"),
        (-7, "-7.0"),
        (0.0, "0.0"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (1e16, "1e+16"),
        (float("nan"), '{"$float":"AAAAAAAA+H8="}'),
        (-0.0, '{"$float":"AAAAAAAAAIA="}'),
        (float("inf"), '{"$float":"AAAAAAAA8H8="}'),
        (float("-inf"), '{"$float":"AAAAAAAA8P8="}'),
        (Int64(0), '{"$integer":"AAAAAAAAAAA="}'),
        (Int64(1), '{"$integer":"AQAAAAAAAAA="}'),
        (Int64(-1), '{"$integer":"//////////8="}'),
        (Int64(42), '{"$integer":"KgAAAAAAAAA="}'),
        (Int64(INT64_MIN), '{"$integer":"AAAAAAAAAIA="}'),
        (Int64(INT64_MAX), '{"$integer":"/////////38="}'),
        (COMMIT_TS, '{"$commitTs":null}'),
        (b"\x00\x01\x02", '{"$bytes":"AAEC"}'),
        (b"", '{"$bytes":""}'),
        ('a"b\\\n\0é😀', '"a\\"b\\\\\\n\\u0000é😀"'),
        ([], "[]"),
        ((1, "x"), '[1.0,"x"]'),
        ({}, "{}"),
        ({"b": 1, "a": [True], "": None, "B": UNSET}, '{"":null,"a":[true],"b":1.0}'),
        ({'q"': 1}, '{"q\\"":1.0}'),
    ],
)
def test_the_text_of_each_kind(value: object, text: str) -> None:
    assert encode(value) == text
    assert encode([value, {"k": value}]) == f'[{text},{{"k":{text}}}]'


@given(values())
def test_decoding_inverts_encoding(value: Any) -> None:
    text = encode(value)
    for read in (decode, decode_stored):
        again = read(text)
        assert encode(again) == text
    assert encode(decode(text.encode())) == text


@given(pending_values())
def test_decoding_with_placeholders_inverts_encoding(value: Any) -> None:
    text = encode(value)
    for source in (text, text.encode()):
        assert encode(decode(source, placeholders=Placeholders.COMMIT_TS)) == text


def holds(value: Any) -> bool:
    """Whether a walk through the value meets the placeholder."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is COMMIT_TS or any(map(holds, inner))


@given(pending_values())
def test_the_text_tells_whether_the_value_holds_the_placeholder(value: Any) -> None:
    assert holds_commit_ts(encode(value)) == holds(value)


@pytest.mark.parametrize(
    "value",
    ['{"$commitTs":null}', '"$commitTs":', ['$commitTs":'], {'{"': "$commitTs", "a": '{"$commitTs":'}],
)
def test_a_string_that_looks_like_the_placeholder_is_none(value: Any) -> None:
    assert not holds_commit_ts(encode(value))


@given(pending_values(), int64s)
def test_at_commit_the_text_has_the_timestamp_wherever_the_placeholder_was(value: Any, ts: int) -> None:
    assert resolve_commit_ts(encode(value), ts) == encode(at_commit(value, ts))


def test_what_looks_like_the_placeholder_is_left_alone_at_commit() -> None:
    value = {"text": '{"$commitTs":null}', "at": [COMMIT_TS]}
    assert decode(resolve_commit_ts(encode(value), 5)) == {"text": '{"$commitTs":null}', "at": [Int64(5)]}


@given(pending_values())
def test_within_its_mutation_stored_text_gives_the_placeholder_back(value: Any) -> None:
    assert encode(decode_stored(encode(value))) == encode(value)


@given(floats)
def test_every_bit_of_a_float_survives(number: float) -> None:
    text = encode(number)
    for read in (decode, decode_stored):
        again = read(text)
        assert type(again) is float
        assert bits_of_float(again) == bits_of_float(number)


@given(int64s)
def test_every_int64_survives_as_such(number: Int64) -> None:
    again = decode(encode(number))
    assert type(again) is Int64
    assert again == number


@given(pending_values())
def test_the_text_is_json_without_whitespace_with_sorted_keys_and_visible_floats(value: Any) -> None:
    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    text = encode(value)
    # Re-encoding with the standard library is a second opinion: ints or constants would show.
    parsed = json.loads(text, parse_int=refuse, parse_constant=refuse)
    assert json.dumps(parsed, ensure_ascii=False, sort_keys=True, separators=(",", ":")) == text


def from_official(value: Any) -> Any:
    """A value of the official Python client in our types."""
    if isinstance(value, ConvexInt64):
        return Int64(value.value)
    if isinstance(value, list):
        return [from_official(element) for element in value]
    if isinstance(value, dict):
        return {name: from_official(field) for name, field in value.items()}
    return value


@given(values())
def test_the_official_python_client_reads_the_same_value(value: Any) -> None:
    text = encode(value)
    official = json_to_convex(json.loads(text))
    assert encode(from_official(official)) == text
    assert encode(decode(json.dumps(convex_to_json(official)))) == text


@given(st.dictionaries(st.sampled_from("abcdef"), texts, max_size=6), st.randoms())
def test_the_order_of_fields_carries_no_meaning(fields: dict[str, str], random: Any) -> None:
    names = list(fields)
    random.shuffle(names)
    assert encode({name: fields[name] for name in names}) == encode(fields)


@given(pending_values())
def test_unusual_types_take_the_same_text(value: Any) -> None:
    class Text(str):
        __slots__ = ()

    assert encode({"v": value, "t": Text("t")}) == encode({"v": value, "t": "t"})
    assert encode(normalize(value)) == encode(value)


def test_str_enums_are_their_text_and_int_enums_their_number() -> None:
    class Kind(enum.StrEnum):
        A = "a"

    class Level(enum.IntEnum):
        ONE = 1

    assert encode([Kind.A, Level.ONE, {Kind.A: 1}]) == '["a",1.0,{"a":1.0}]'


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (UNSET, InvalidValue, "^undefined is not a valid Convex value"),
        ([UNSET], InvalidValue, r"present at path \[0\] in original object \[UNSET\]"),
        ({"a": {1, 2}}, InvalidValue, r"^\{1, 2\} is not a supported Convex type \(present at path \.a in"),
        (2**53 + 1, InvalidValue, "^Integer 9007199254740993 is outside"),
        ("\ud800", InvalidValue, "lone surrogate"),
        ({"a": ["\ud800"]}, InvalidValue, r"present at path \.a\[0\]"),
        ({"\ud800": 1}, InvalidFieldName, "invalid character"),
        ({"$a": 1}, InvalidFieldName, r"starts with '\$'"),
        ({1: 1}, InvalidValue, "^Object keys must be strings, found 1$"),
        ({None: 1}, InvalidValue, "^Object keys must be strings, found None$"),
        ({b"a": 1}, InvalidValue, "^Object keys must be strings, found b'a'$"),
        ({1: 1, "a": 2}, InvalidValue, "^Object keys must be strings, found 1$"),
        ([None] * 8193, ArrayTooLong, "8193 > maximum length 8192"),
        ({f"f{n}": 1 for n in range(1025)}, TooManyFields, "1025 > maximum number 1024"),
        (nested(65), TooNested, "nested 65 levels deep > maximum nesting 64"),
        (nested_objects(65), TooNested, "nested 65 levels deep > maximum nesting 64"),
        (nested(5000), TooNested, "nested 65 levels deep > maximum nesting 64"),
    ],
)
def test_what_is_no_value_is_refused(value: object, error: type[InvalidValue], message: str) -> None:
    with pytest.raises(error, match=message):
        encode(value)


def test_limits_are_met_exactly() -> None:
    encode([None] * 8192)
    encode({f"f{n}": 1 for n in range(1024)} | {f"u{n}": UNSET for n in range(100)})
    encode(nested(64))
    encode(nested_objects(64))
    encode({"x" * 1024: 1})


def test_a_value_may_have_32_mib() -> None:
    largest = "x" * (limits.VALUE_BYTES_MAX - 2)
    assert len(encode(largest)) == limits.VALUE_BYTES_MAX
    with pytest.raises(ValueTooLarge) as caught:
        encode(largest + "x")
    assert str(caught.value) == "Value is too large (33554433 bytes > maximum size 32 MiB)"
    assert caught.value.code == "ValueTooLargeError"


def test_a_signalling_nan_keeps_its_payload() -> None:
    assert encode(float_of_bits(0x7FF0_0000_0000_0001)) == '{"$float":"AQAAAAAA8H8="}'
