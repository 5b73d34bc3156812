"""Validators as Python types."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.codegen.python_types import PythonTypeWriter, camel
from rewake.codegen.typescript import document_shapes
from tests.codegen.rich_application import (
    NULL,
    NUMBER,
    SCHEMA,
    STORED,
    STRING,
    array,
    fields,
    literal,
    record,
    union,
)


@pytest.mark.parametrize(
    ("validator", "expected", "imports"),
    [
        (STRING, "str", set()),
        (NUMBER, "float", set()),
        ({"type": "bigint"}, "Int64", {"Int64"}),
        ({"type": "any"}, "Any", {"Any"}),
        ({"type": "id", "tableName": "x"}, "str", set()),
        (array(array(NULL)), "list[list[None]]", set()),
        (record(STRING, {"type": "bytes"}), "dict[str, bytes]", set()),
        (union(STRING, NULL, STRING), "str | None", set()),
        (union(), "Never", {"Never"}),
        (literal("a'b"), 'Literal["a\'b"]', {"Literal"}),
        (literal(True), "Literal[True]", {"Literal"}),
        (literal(1.0), "float", set()),
        (literal({"$integer": "AQAAAAAAAAA="}), "Int64", {"Int64"}),
    ],
)
def test_types(validator: Any, expected: str, imports: set[str]) -> None:
    writer = PythonTypeWriter()
    assert writer.type_of(validator, place="X") == expected
    assert writer.imports == imports
    assert writer.definitions == []


def test_objects_have_names_of_their_places() -> None:
    writer = PythonTypeWriter()
    inner = fields({"b": STRING})
    assert writer.type_of(array(fields({"a": inner}, c=NUMBER)), place="X") == "list[XItem]"
    assert writer.type_of(union(inner, fields({})), place="XItem") == "XItem2 | XItem3"
    assert writer.definitions == [
        "class XItemA(TypedDict):\n    b: str",
        "class XItem(TypedDict):\n    a: XItemA\n    c: NotRequired[float]",
        "class XItem2(TypedDict):\n    b: str",
        "class XItem3(TypedDict):\n    pass",
    ]
    assert writer.imports == {"TypedDict", "NotRequired"}


@pytest.mark.parametrize("key", ["from", "a-b", "", "__x", "list", "Any", "é-"])
def test_fields_that_no_class_body_can_hold(key: str) -> None:
    writer = PythonTypeWriter()
    writer.type_of(fields({key: STRING}), place="X")
    [definition] = writer.definitions
    names: dict[str, Any] = {}
    exec("from typing import TypedDict\n" + definition, names)
    assert names["X"].__annotations__.keys() == {key}


def test_a_document_of_a_table_is_defined_once_under_its_name() -> None:
    writer = PythonTypeWriter(documents=document_shapes(SCHEMA))
    stored = STORED["messages"]
    assert writer.type_of(array(stored), place="X") == "list[MessagesDocument]"
    assert writer.type_of(stored, place="Y") == "MessagesDocument"
    assert sum(text.startswith("class MessagesDocument(") for text in writer.definitions) == 1


def test_a_validator_of_no_known_kind() -> None:
    with pytest.raises(ValueError, match="unknown validator"):
        PythonTypeWriter().type_of({"type": "new"}, place="X")


@pytest.mark.parametrize(
    ("text", "name"), [("messages:list_recent", "MessagesListRecent"), ("a/b.c:d2", "ABCD2"), ("é", "Empty")]
)
def test_names_of_classes(text: str, name: str) -> None:
    assert camel(text) == name
