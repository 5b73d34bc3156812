from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from rewake.values import (
    COMMIT_TS,
    UNSET,
    Int64,
    InvalidValue,
    Value,
    encode,
    encode_clean,
    encode_export,
    stored_as_clean,
    stored_as_export,
)
from tests.values.strategies import float_of_bits, values

EVERYTHING = {
    "bytes": b"\x00\x01\x02",
    "int": Int64(-42),
    "list": [1, 0.5, True, None, "é\n"],
    "nan": float_of_bits(0xFFF8_0000_0000_0001),
    "neg": float("-inf"),
    "pos": float("inf"),
    "zero": -0.0,
    "gone": UNSET,
}


def test_the_clean_format_loses_kinds_and_stays_json() -> None:
    assert encode_clean(EVERYTHING) == (
        '{"bytes":"AAEC","int":"-42","list":[1.0,0.5,true,null,"é\\n"],'
        '"nan":"NaN","neg":"-Infinity","pos":"Infinity","zero":-0.0}'
    )


def test_the_export_format_writes_int64_as_integers_and_floats_visibly() -> None:
    assert encode_export(EVERYTHING) == (
        '{"bytes":{"$bytes":"AAEC"},"int":-42,"list":[1.0,0.5,true,null,"é\\n"],'
        '"nan":{"$float":"AQAAAAAA+P8="},"neg":{"$float":"AAAAAAAA8P8="},'
        '"pos":{"$float":"AAAAAAAA8H8="},"zero":-0.0}'
    )


@given(values())
def test_every_value_has_a_text_in_every_format(value: Any) -> None:
    for write in (encode_clean, encode_export, encode):
        json.loads(write(value), parse_constant=pytest.fail)


@pytest.mark.parametrize("write", [encode_clean, encode_export])
def test_what_is_no_value_has_no_text(write: Any) -> None:
    with pytest.raises(InvalidValue):
        write({"a": {1}})


@pytest.mark.parametrize("write", [encode_clean, encode_export])
def test_an_unresolved_commit_timestamp_never_leaves_in_these_formats(write: Any) -> None:
    for value in (COMMIT_TS, [COMMIT_TS], {"at": COMMIT_TS}):
        with pytest.raises(InvalidValue, match="cannot leave its mutation"):
            write(value)


@given(values())
def test_stored_texts_are_written_as_their_values_are(value: Value) -> None:
    stored = encode(value)
    assert stored_as_clean(stored) == encode_clean(value)
    assert stored_as_export(stored) == encode_export(value)
