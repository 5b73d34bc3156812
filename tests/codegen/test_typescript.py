"""Validators as TypeScript types."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.codegen.layout import render
from rewake.codegen.typescript import (
    TypeWriter,
    document_shapes,
    document_validators,
    field_paths,
    key,
    literal,
    quote,
    shape,
    table_of,
)
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
    record,
    union,
)
from tests.codegen.rich_application import literal as literal_validator


def type_text(validator: Any, **writer: Any) -> str:
    return render(TypeWriter(**writer).type_of(validator))


@pytest.mark.parametrize(
    ("validator", "expected"),
    [
        (NUMBER, "number"),
        ({"type": "bigint"}, "bigint"),
        ({"type": "commitTs"}, "bigint"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "bytes"}, "ArrayBuffer"),
        (STRING, "string"),
        (NULL, "null"),
        (ANY, "any"),
        ({"type": "set"}, "any"),
        ({"type": "map"}, "any"),
        (array(union(STRING, NULL)), "Array<string | null>"),
        (record(ident("users"), NUMBER), 'Record<Id<"users">, number>'),
        (fields({"b": NUMBER}, a=STRING), "{ a?: string; b: number }"),
        (fields(), "{}"),
        (union(), "never"),
        (union(STRING), "string"),
        (union(NUMBER, NUMBER, STRING), "number | string"),
    ],
)
def test_each_validator_has_its_type(validator: Any, expected: str) -> None:
    assert type_text(validator) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", '"text"'),
        ('quote " and \\', '"quote \\" and \\\\"'),
        ("line\u2028break", '"line\\u2028break"'),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (1e300, "1e+300"),
        (7, "7"),
        (True, "true"),
        (False, "false"),
        ({"$integer": "//////////8="}, "-1n"),
    ],
)
def test_a_literal_is_its_own_type(value: Any, expected: str) -> None:
    assert literal(value) == expected
    assert type_text(literal_validator(value)) == expected


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), {"$bytes": "AA=="}])
def test_a_value_without_a_literal_type_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no literal type"):
        literal(value)


def test_an_unknown_validator_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown validator 'tuple'"):
        type_text({"type": "tuple"})


def test_ids_of_tables_outside_the_schema_have_the_generic_type() -> None:
    writer = TypeWriter(tables=frozenset({"users"}))
    assert render(writer.id_of("users")) == 'Id<"users">'
    assert render(writer.id_of("_storage")) == 'Id<"_storage">'
    assert render(writer.id_of("elsewhere")) == 'GenericId<"elsewhere">'
    assert writer.imports == {"Id", "GenericId"}


def test_a_stored_document_is_named_after_its_table_wherever_it_stands() -> None:
    documents = document_shapes(SCHEMA)
    assert type_text(STORED["messages"], documents=documents) == 'Doc<"messages">'
    nested = array(fields({"message": STORED["messages"], "events": array(STORED["events"])}))
    assert type_text(nested, documents=documents) == (
        'Array<{ events: Array<Doc<"events">>; message: Doc<"messages"> }>'
    )


def test_a_document_with_one_field_more_is_spelled_out() -> None:
    larger = fields({"_id": ident("users"), "_creationTime": NUMBER, "name": STRING, "extra": STRING})
    assert "Doc<" not in type_text(larger, documents=document_shapes(SCHEMA))


def test_the_order_of_fields_does_not_matter_to_a_shape() -> None:
    assert shape(fields({"a": STRING, "b": NUMBER})) == shape(fields({"b": NUMBER, "a": STRING}))


def test_a_table_of_any_document_names_nothing() -> None:
    assert "anything" not in document_shapes(SCHEMA).values()
    assert STORED["anything"] == ANY
    assert document_validators(None) == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("body", "body"), ("_id", "_id"), ("with space", '"with space"'), ("a-b", '"a-b"'), ("0", '"0"')],
)
def test_a_property_is_quoted_only_where_it_must_be(name: str, expected: str) -> None:
    assert key(name) == expected


def test_text_that_is_not_ascii_stays_readable() -> None:
    assert quote("Grüße") == '"Grüße"'


def test_field_paths_go_through_objects_and_unions_and_stop_at_arrays() -> None:
    validator = fields(
        {"a": union(fields({"x": NUMBER}), fields({"x": STRING, "y": STRING}), NULL)},
        b=array(fields({"hidden": NUMBER})),
        c=ANY,
        d=record(STRING, NUMBER),
    )
    assert field_paths(validator) == [
        '"a"',
        '"a.x"',
        '"a.y"',
        '"b"',
        '"c"',
        "`c.${string}`",
        '"d"',
        "`d.${string}`",
    ]
    assert field_paths(ANY) == ["string"]


def test_only_whole_documents_have_a_table() -> None:
    shapes = document_shapes(SCHEMA)
    assert table_of(STORED["users"], shapes) == "users"
    assert table_of(STORED["events"], shapes) == "events"
    assert table_of(fields({"name": STRING}), shapes) is None
    assert table_of(union(STORED["users"], NULL), shapes) is None
    assert table_of(STORED["users"], {}) is None
