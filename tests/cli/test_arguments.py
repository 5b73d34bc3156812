"""Arguments of `rewake run`: one JSON object, or pairs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.cli.arguments import parse_arguments
from rewake.cli.failure import WrongUsage

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_no_words_are_an_empty_object() -> None:
    assert parse_arguments([]) == {}


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_one_json_object_is_taken_as_it_is(value: dict[str, object]) -> None:
    assert parse_arguments([json.dumps(value)]) == value


@given(json_values)
def test_the_value_of_a_pair_is_json_where_it_can_be(value: object) -> None:
    assert parse_arguments([f"a={json.dumps(value)}"]) == {"a": value}


@pytest.mark.parametrize("text", ["hi", "hi there", "", "a=b", "{broken", "NaN", "Infinity", "1.2.3", "'x'"])
def test_the_value_of_a_pair_is_text_otherwise(text: str) -> None:
    assert parse_arguments([f"body={text}"]) == {"body": text}


def test_pairs_stand_beside_each_other() -> None:
    assert parse_arguments(["limit=5", "body=hi", 'tags=["a"]', 'code="5"']) == {
        "limit": 5,
        "body": "hi",
        "tags": ["a"],
        "code": "5",
    }


def test_a_mistake_is_shown_at_its_place() -> None:
    with pytest.raises(WrongUsage) as caught:
        parse_arguments(['{"body": "x" "a"}'])
    assert "line 1, column 14" in caught.value.message
    text, caret = caught.value.detail.split("\n")
    assert text[caret.index("^") :].startswith('"a"')
    assert "single quotes" in caught.value.hint


def test_a_mistake_in_a_long_line_is_cut_out() -> None:
    with pytest.raises(WrongUsage) as caught:
        parse_arguments(['{"a": "' + "x" * 5000 + '", oops}'])
    text, caret = caught.value.detail.split("\n")
    assert len(text) < 150
    assert text[caret.index("^") :].startswith("oops")


def test_a_mistake_in_a_later_line_shows_that_line() -> None:
    with pytest.raises(WrongUsage) as caught:
        parse_arguments(['{\n  "a": 1,\n  b: 2\n}'])
    assert "line 3" in caught.value.message
    assert caught.value.detail == "  b: 2\n  ^"


@pytest.mark.parametrize(
    "words",
    [["[1]"], ["[1]", "a=1"], ["{", "}"], ["word"], ["=1"], ['{"a": NaN}'], ["{" * 100_000], ["a=1", "a=2"]],
)
def test_what_cannot_be_understood_is_refused(words: list[str]) -> None:
    with pytest.raises(WrongUsage):
        parse_arguments(words)


def test_deep_nesting_is_refused_and_crashes_nothing() -> None:
    with pytest.raises(WrongUsage):
        parse_arguments(['{"a":' * 100_000])
