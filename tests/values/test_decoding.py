from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
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
    decode_export,
    decode_stored,
    decode_stored_document,
    encode,
    encode_export,
    render,
)
from tests.values.strategies import values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        (" [ 1 , 2 ] ", [1.0, 2.0]),
        ('{"a":1,"a":2}', {"a": 2.0}),
        ("9007199254740993", 9007199254740992.0),
        ("18446744073709551616", 18446744073709551616.0),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
        ("9" * 5000, math.inf),
        ("1e400", math.inf),
        ("-1e400", -math.inf),
        ("[1e400,7,true]", [math.inf, 7.0, True]),
        ("2.4703282292062328e-324", 5e-324),
        ("0.1e-400", 0.0),
        ('"\\ud83d\\ude00"', "😀"),
        ('{"$integer":"KgAAAAAAAAA="}', Int64(42)),
        ('{"$bytes":"AAEC"}', b"\x00\x01\x02"),
        ('{"a":{"$bytes":""}}', {"a": b""}),
        ('[{"a":{"$integer":"AQAAAAAAAAA="}}]', [{"a": Int64(1)}]),
        ('"$5"', "$5"),
        ("{}", {}),
    ],
)
def test_text_from_outside_is_read_as_javascript_would(text: str, value: object) -> None:
    for source in (text, text.encode()):
        result = decode(source)
        assert result == value
        assert type(result) is type(value)


@pytest.mark.parametrize("text", ["-0", " -0", "[-0]", '{"a":-0}', "[1,-0 ]", "-0.0", "[-0e5]", "-1e-400"])
def test_negative_zero_stays_negative(text: str) -> None:
    for source in (text, text.encode()):
        value: Any = decode(source)
        while not isinstance(value, float):
            value = list(value.values())[-1] if isinstance(value, dict) else value[-1]
        assert (value, math.copysign(1.0, value)) == (0.0, -1.0)


def test_a_text_that_looks_like_negative_zero_stays_a_text() -> None:
    assert decode('["x,-0,", 5]') == ["x,-0,", 5.0]
    assert decode('["2024-01-05T-0", "a-0b-"]') == ["2024-01-05T-0", "a-0b-"]


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=3),
        ),
        max_leaves=8,
    ).filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value))
)
def test_decoding_agrees_with_the_standard_library(value: Any) -> None:
    text = json.dumps(value)

    def to_float(digits: str) -> float:
        return float(digits)

    expected = json.loads(text, parse_int=to_float)
    assert repr(decode(text)) == repr(expected)
    assert repr(decode(text.encode())) == repr(expected)


@given(st.one_of(st.text(max_size=20), st.text(alphabet='[]{}",:-0.1e$ntru\\d8', max_size=20)))
@example('{"$set":[]}')
@example('{"$float":1}')
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = decode(text)
    except InvalidValue:
        return
    encode(value)


@given(st.binary(max_size=20))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        value = decode(content)
    except InvalidValue:
        return
    encode(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[1,]",
        "01",
        "+1",
        "1.",
        ".5",
        "nul",
        "'a'",
        '"\n"',
        "\ufeff1",
        "1 2",
        '{"a":1,}',
        "{1:2}",
    ],
)
def test_broken_json_is_refused(text: str) -> None:
    for source in (text, text.encode()):
        with pytest.raises(InvalidValue, match=r"^Invalid JSON: "):
            decode(source)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_does_not_have_are_refused(literal: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        decode(f"[{literal}]")
    assert str(caught.value) == f"Invalid JSON: {literal} is not a JSON number"


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '["\\ud800"]',
        '{"\\ud800":1}',
        '"\ud800"',
        '[1e400,"\\ud800"]',
        b'"\xff"',
        b"\xff",
    ],
)
def test_text_that_is_not_unicode_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidValue):
        decode(text)


@pytest.mark.parametrize("levels", [65, 300, 1000, 2000, 200_000])
def test_deep_text_is_refused_and_exhausts_nothing(levels: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        text = opening * levels + ("1" if opening != "[" else "") + closing * levels
        with pytest.raises(TooNested) as caught:
            decode(text)
        assert str(caught.value) == "Value is too nested (nested 65 levels deep > maximum nesting 64)"


def test_containers_may_nest_64_deep_and_special_forms_do_not_count() -> None:
    decode("[" * 64 + "]" * 64)
    decode("[" * 64 + '{"$integer":"KgAAAAAAAAA="}' + "]" * 64)
    with pytest.raises(TooNested):
        decode("[" * 64 + '{"a":1}' + "]" * 64)


def test_limits_of_arrays_and_objects_hold() -> None:
    assert len(decode("[" + "1," * 8191 + "1]")) == 8192  # type: ignore[arg-type]
    with pytest.raises(ArrayTooLong, match="8193 > maximum length 8192"):
        decode("[" + "1," * 8192 + "1]")
    decode(json.dumps({f"f{n}": 1 for n in range(1024)}))
    with pytest.raises(TooManyFields, match="1025 > maximum number 1024"):
        decode(json.dumps({f"f{n}": 1 for n in range(1025)}))


def test_a_value_may_have_32_mib() -> None:
    largest = '"' + "x" * (limits.VALUE_BYTES_MAX - 2) + '"'
    decode(largest)
    with pytest.raises(ValueTooLarge):
        decode('["' + largest[1:-1] + '"]')
    small_text_of_a_large_value = "[" + ",".join(["[" + ",".join(["1"] * 1000) + "]"] * 4000) + "]"
    assert len(small_text_of_a_large_value) < limits.VALUE_BYTES_MAX
    with pytest.raises(ValueTooLarge, match=r"34\.34 MiB > maximum size 32 MiB"):
        decode(small_text_of_a_large_value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"$float":"AAAAAAAA8D8="}', "Float64 1.0 should be encoded as a number"),
        ('{"$float":"AAAAAAAAAAA="}', "Float64 0.0 should be encoded as a number"),
        ('{"$float":1}', "Value of $float must be a base64 string"),
        ('{"$float":"AAAA"}', "Value of $float must have 8 bytes, received 3"),
        ('{"$integer":"AAAA"}', "Value of $integer must have 8 bytes, received 3"),
        ('{"$integer":"AAAAAAAAAAAA"}', "Value of $integer must have 8 bytes, received 9"),
        ('{"$integer":42}', "Value of $integer must be a base64 string"),
        ('{"$bytes":"A"}', "Value of $bytes is not valid base64"),
        ('{"$bytes":"AA EC"}', "Value of $bytes is not valid base64"),
        ('{"$bytes":"é"}', "Value of $bytes is not valid base64"),
        ('{"$bytes":null}', "Value of $bytes must be a base64 string"),
        ('{"$bytes":["AAEC"]}', "Value of $bytes must be a base64 string"),
        ('{"$set":[]}', "Received a Set which is no longer supported as a Convex type."),
        ('{"$map":[]}', "Received a Map which is no longer supported as a Convex type."),
        ('{"$undefined":null}', "Field name $undefined starts with '$', which is reserved."),
        ('{"$commitTs":null}', "Field name $commitTs starts with '$', which is reserved."),
        ('{"$other":1}', "Field name $other starts with '$', which is reserved."),
        ('{"$integer":"KgAAAAAAAAA=","a":1}', "Field name $integer starts with '$', which is reserved."),
    ],
)
def test_bad_special_forms_are_refused_with_their_sentence(text: str, message: str) -> None:
    for source in (text, f"[{text}]", f'{{"a":{text}}}'):
        with pytest.raises(InvalidValue) as caught:
            decode(source)
        assert str(caught.value) == message


def test_bad_field_names_are_refused() -> None:
    with pytest.raises(InvalidFieldName, match="invalid character 'ä'"):
        decode('{"ä":1}')


@pytest.mark.parametrize("value", ["$integer", ["$float"], {"a": "$bytes", "b": {"c": ["$set", Int64(1)]}}])
def test_strings_that_begin_with_a_dollar_are_just_strings(value: Any) -> None:
    assert decode_stored(encode(value)) == decode(encode(value)) == value


@given(values())
def test_stored_text_is_read_as_strictly_read_text_is(value: Any) -> None:
    text = encode(value)
    assert repr(decode_stored(text)) == repr(decode(text))


_COMMIT_TS, _UNDEFINED, _FIELDS = (
    Placeholders.COMMIT_TS,
    Placeholders.UNDEFINED,
    Placeholders.UNDEFINED_FIELDS,
)
_ALL = _COMMIT_TS | _UNDEFINED | _FIELDS


@pytest.mark.parametrize(
    ("text", "placeholders", "value"),
    [
        ('{"$commitTs":null}', _COMMIT_TS, COMMIT_TS),
        ('[{"$commitTs":null},{"a":{"$commitTs":null}}]', _COMMIT_TS, [COMMIT_TS, {"a": COMMIT_TS}]),
        ('{"\\u0024commitTs" : null}', _COMMIT_TS, COMMIT_TS),
        ('{"a":{"$commitTs":null},"b":-0}', _COMMIT_TS, {"a": COMMIT_TS, "b": -0.0}),
        ('{"$undefined":null}', _UNDEFINED, UNSET),
        ('{"a":{"$undefined":null},"b":1}', _FIELDS, {"a": UNSET, "b": 1.0}),
        (
            '{"a":{"$undefined":null},"b":{"$commitTs":null}}',
            _FIELDS | _COMMIT_TS,
            {"a": UNSET, "b": COMMIT_TS},
        ),
        ('{"a":{"$undefined":null}}', _ALL, {"a": UNSET}),
        ('{"$undefined":null}', _ALL, UNSET),
        ('"$undefined"', _ALL, "$undefined"),
        ('{"a":"$commitTs"}', _ALL, {"a": "$commitTs"}),
    ],
)
def test_placeholders_are_read_where_the_caller_allows_them(
    text: str, placeholders: Placeholders, value: object
) -> None:
    for source in (text, text.encode()):
        assert decode(source, placeholders=placeholders) == value


@pytest.mark.parametrize(
    ("text", "placeholders", "message"),
    [
        (
            '{"$commitTs":null}',
            _UNDEFINED | _FIELDS,
            "Field name $commitTs starts with '$', which is reserved.",
        ),
        ('{"$commitTs":null,"a":1}', _ALL, "Field name $commitTs starts with '$', which is reserved."),
        ('{"$commitTs":1}', _ALL, "Value of $commitTs must be null"),
        ('[{"$commitTs":{"$undefined":null}}]', _ALL, "Value of $commitTs must be null"),
        ('{"$commitTs":{"$undefined":null}}', _ALL, "Value of $commitTs must be null"),
        (
            '{"$undefined":null}',
            _COMMIT_TS | _FIELDS,
            "Field name $undefined starts with '$', which is reserved.",
        ),
        (
            '{"a":{"$undefined":null}}',
            _UNDEFINED,
            "Field name $undefined starts with '$', which is reserved.",
        ),
        ('[{"$undefined":null}]', _ALL, "Field name $undefined starts with '$', which is reserved."),
        ('{"a":[{"$undefined":null}]}', _ALL, "Field name $undefined starts with '$', which is reserved."),
        (
            '{"a":{"b":{"$undefined":null}}}',
            _ALL,
            "Field name $undefined starts with '$', which is reserved.",
        ),
        ('{"$undefined":1}', _ALL, "Field name $undefined starts with '$', which is reserved."),
        (
            '{"$undefined":{"$undefined":null}}',
            _ALL,
            "Field name $undefined starts with '$', which is reserved.",
        ),
        ('{"$bytes":{"$undefined":null}}', _ALL, "Value of $bytes must be a base64 string"),
        ('{"$a":{"$undefined":null}}', _ALL, "Field name $a starts with '$', which is reserved."),
    ],
)
def test_placeholders_anywhere_else_are_refused(text: str, placeholders: Placeholders, message: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        decode(text, placeholders=placeholders)
    assert str(caught.value) == message


def test_fields_that_a_patch_removes_have_no_size() -> None:
    names = "".join(f',"f{n}":{{"$undefined":null}}' for n in range(1000))
    text = '{"a":"' + "x" * (limits.VALUE_BYTES_MAX - 6) + '"' + names + "}"
    assert decode(text, placeholders=_FIELDS)["f999"] is UNSET


@given(values())
def test_values_without_placeholders_are_read_the_same_wherever_placeholders_may_be(value: Any) -> None:
    text = encode(value)
    assert encode(decode(text, placeholders=_ALL)) == text


def test_a_stored_document_is_an_object() -> None:
    assert decode_stored_document('{"a":{"$integer":"AQAAAAAAAAA="}}') == {"a": Int64(1)}
    with pytest.raises(AssertionError):
        decode_stored_document("[]")


def test_export_text_has_int64_for_numbers_without_a_dot() -> None:
    value = decode_export('{"a":[1,1.0,-0,-0.0,9223372036854775807,1e2],"b":{"$float":"AAAAAAAA8H8="}}')
    assert isinstance(value, dict)
    assert render(value["a"]) == render([Int64(1), 1.0, Int64(0), -0.0, Int64(2**63 - 1), 100.0])
    assert value["b"] == float("inf")
    assert decode_export(encode_export(value)) == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("9223372036854775808", "does not fit into a 64-bit signed integer"),
        ('{"a":', "Invalid JSON"),
        ("[" * 5000 + "]" * 5000, "too nested"),
        ("9" * 10_000, "Invalid JSON|does not fit"),
        ('["' + "x" * (2**25) + '"]', "too large"),
        ('{"$a":1}', "starts with '\\$'"),
    ],
)
def test_export_text_that_is_no_value_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        decode_export(text)
