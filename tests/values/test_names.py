from __future__ import annotations

import pytest
from hypothesis import given

from rewake.values import (
    UNSET,
    InvalidFieldName,
    InvalidName,
    InvalidValue,
    check_field_name,
    check_identifier,
    check_table_name,
    get_path,
    parse_field_path,
)
from rewake.values.names import FieldNames
from tests.values.strategies import field_names, identifiers


@pytest.mark.parametrize("name", ["a", "_a", "a_", "A1", "__proto__", "_1", "a" * 64])
def test_identifiers_are_accepted(name: str) -> None:
    check_identifier(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Identifier cannot be empty"),
        (
            "1a",
            "Invalid first character '1' in 1a: "
            "Identifiers must start with an alphabetic character or underscore",
        ),
        (
            "äb",
            "Invalid first character 'ä' in äb: "
            "Identifiers must start with an alphabetic character or underscore",
        ),
        (
            "a-b",
            "Identifier a-b has invalid character '-': "
            "Identifiers can only contain alphanumeric characters or underscores",
        ),
        (
            "a\n",
            "Identifier a\n has invalid character '\n': "
            "Identifiers can only contain alphanumeric characters or underscores",
        ),
        ("a" * 65, "Identifier is too long (65 > maximum 64)"),
        ("_" * 65, "Identifier is too long (65 > maximum 64)"),
        ("_", "Identifier _ cannot have exclusively underscores"),
        ("___", "Identifier ___ cannot have exclusively underscores"),
    ],
)
def test_other_strings_are_refused_as_identifiers_with_the_exact_sentence(name: str, message: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_identifier(name)
    assert str(caught.value) == message


@given(identifiers)
def test_an_identifier_with_a_letter_first_names_a_table(name: str) -> None:
    check_identifier(name)
    check_table_name(name)


@pytest.mark.parametrize("name", ["", "a-b", "1a", "_", "a" * 65])
def test_what_is_no_identifier_names_no_table(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_table_name(name)
    assert str(caught.value) == (
        f'Invalid table name: "{name}". Identifiers must start with a letter and '
        "can only contain letters, digits, and underscores."
    )


def test_a_leading_underscore_is_kept_for_system_tables() -> None:
    with pytest.raises(InvalidName) as caught:
        check_table_name("_storage")
    assert str(caught.value) == "_storage is a reserved table name."


@given(field_names)
def test_printable_ascii_makes_a_field_name(name: str) -> None:
    check_field_name(name)


@pytest.mark.parametrize("name", ["", "_id", "a b", "~", '"', "a$", "x" * 1024])
def test_odd_field_names_are_accepted(name: str) -> None:
    check_field_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("$a", "Field name $a starts with '$', which is reserved."),
        (
            "a\x7f",
            "Field name a\x7f has invalid character '\x7f': "
            "Field names can only contain non-control ASCII characters",
        ),
        (
            "é\n",
            "Field name é\n has invalid character 'é': "
            "Field names can only contain non-control ASCII characters",
        ),
        (
            "a\n",
            "Field name a\n has invalid character '\n': "
            "Field names can only contain non-control ASCII characters",
        ),
        ("x" * 1025, "Field name is too long (1025 > maximum 1024)"),
    ],
)
def test_other_field_names_are_refused_with_the_exact_sentence(name: str, message: str) -> None:
    with pytest.raises(InvalidFieldName) as caught:
        check_field_name(name)
    assert str(caught.value) == message
    assert isinstance(caught.value, InvalidName)
    assert isinstance(caught.value, InvalidValue)


def test_field_names_are_remembered_up_to_a_bound_and_then_afresh() -> None:
    names = FieldNames()
    assert names['a"b'] == '"a\\"b":'
    for number in range(10_000):
        assert names[f"field{number}"] == f'"field{number}":'
        assert len(names) <= 4096
    assert names["x" * 1000] == '"' + "x" * 1000 + '":'
    assert "x" * 1000 not in names


def test_a_field_path_is_split_at_its_dots() -> None:
    assert parse_field_path("a") == ("a",)
    assert parse_field_path("a._b.c1") == ("a", "_b", "c1")


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a b", "a.$b"])
def test_a_field_path_has_identifiers_only(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_field_path(text)


def test_a_path_walks_objects_and_never_arrays() -> None:
    document = {"a": {"b": {"c": 1.0}, "n": None}, "l": [{"c": 1.0}]}
    assert get_path(document, ("a", "b", "c")) == 1.0
    assert get_path(document, ("a", "n")) is None
    assert get_path(document, ("a", "n", "c")) is UNSET
    assert get_path(document, ("a", "x")) is UNSET
    assert get_path(document, ("l", "c")) is UNSET
    assert get_path(document, ("l", "0")) is UNSET
    assert get_path(document, ()) is document
    assert get_path("text", ("a",)) is UNSET
