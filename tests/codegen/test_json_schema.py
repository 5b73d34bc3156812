"""Validators as JSON schemas."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from rewake.codegen.json_schema import Direction, SchemaWriter
from rewake.codegen.typescript import document_shapes
from rewake.values import Int64, encode, encode_clean
from tests.codegen.rich_application import (
    ANY,
    NULL,
    NUMBER,
    SCHEMA,
    STORED,
    STRING,
    array,
    fields,
    ident,
    literal,
    record,
    union,
)

INT64 = {"type": "bigint"}
BYTES = {"type": "bytes"}


def accepts(validator: Any, value: Any, direction: Direction) -> bool:
    """Whether the schema takes a value that is JSON already."""
    writer = SchemaWriter()
    schema = writer.schema_of(validator, direction)
    whole = {**schema, "components": {"schemas": writer.components}}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


@pytest.mark.parametrize(
    ("validator", "value", "wrong"),
    [
        (STRING, "x", 5),
        (NUMBER, 5.5, "5"),
        (INT64, Int64(-5), "x"),
        (INT64, Int64(2**63 - 1), "1.5"),
        (BYTES, b"", "ä"),
        (BYTES, b"abcd", "x"),
        ({"type": "boolean"}, True, 1),
        (NULL, None, 0),
        (array(STRING), ["a"], [1]),
        (record(STRING, INT64), {"a": Int64(1)}, {"a": 1}),
        (fields({"a": STRING}, b=NUMBER), {"a": "x"}, {"b": 1}),
        (fields({"a": STRING}), {"a": "x"}, {"a": "x", "c": 1}),
        (union(STRING, NULL), None, 1),
        (literal("a"), "a", "b"),
        (literal({"$integer": "AgAAAAAAAAA="}), Int64(2), 2),
        (ident("users"), "k57", 5),
    ],
)
def test_what_the_wire_carries_is_accepted_and_nothing_else(validator: Any, value: Any, wrong: Any) -> None:
    sent = json.loads(encode(value))
    received = json.loads(encode_clean(value))
    assert accepts(validator, sent, Direction.SENT)
    assert accepts(validator, received, Direction.RECEIVED)
    assert not accepts(validator, wrong, Direction.SENT)
    assert not accepts(validator, wrong, Direction.RECEIVED)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_come_as_text(value: str) -> None:
    assert accepts(NUMBER, value, Direction.RECEIVED)
    assert not accepts(NUMBER, value, Direction.SENT)


def test_any_takes_anything_and_an_empty_union_nothing() -> None:
    assert accepts(ANY, {"x": [1]}, Direction.SENT)
    assert not accepts(union(), None, Direction.RECEIVED)


def test_a_received_document_has_a_schema_under_the_name_of_its_table() -> None:
    writer = SchemaWriter(documents=document_shapes(SCHEMA))
    stored = STORED["users"]
    assert writer.schema_of(stored, Direction.RECEIVED) == {"$ref": "#/components/schemas/UsersDocument"}
    assert writer.schema_of(array(stored), Direction.RECEIVED)["items"] == {
        "$ref": "#/components/schemas/UsersDocument"
    }
    assert writer.components["UsersDocument"]["required"] == ["_creationTime", "_id", "name"]
    assert "$ref" not in writer.schema_of(stored, Direction.SENT)


def test_a_validator_of_no_known_kind() -> None:
    with pytest.raises(ValueError, match="unknown validator 'new'"):
        SchemaWriter().schema_of({"type": "new"}, Direction.SENT)
