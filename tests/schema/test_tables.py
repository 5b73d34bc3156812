"""One table: shape of its validator, checks of documents, export."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.schema import (
    Document,
    InvalidSchema,
    Schema,
    ValidationFailed,
    define_schema,
    define_table,
    field,
    gte,
    v,
)
from rewake.values import Int64, encode
from tests.schema.support import TABLES


class Note(Document, table="notes"):
    title: str
    count: Int64 = Int64(0)
    external: str = field(name="externalId", default="")


NOTES = Schema.from_documents([Note]).table("notes")
PLAIN = define_schema({"plain": define_table({"a": v.string(), "n": v.optional(v.float64())})}).table("plain")


def table(validator: Any) -> Any:
    return define_schema({"t": define_table(validator)}).table("t")


def test_system_fields_in_a_validator_are_ignored() -> None:
    made = table({"a": v.string(), "_id": v.string(), "_creationTime": v.string()})
    assert made.validator == v.object({"a": v.string()})
    union = table(v.union(v.object({"_id": v.any(), "a": v.null()}), v.union(v.object({"b": v.null()}))))
    assert union.validator == v.union(v.object({"a": v.null()}), v.union(v.object({"b": v.null()})))


def test_documents_are_checked_without_their_system_fields() -> None:
    PLAIN.check_document({"a": "x", "_id": "whatever", "_creationTime": "never"}, TABLES)
    with pytest.raises(ValidationFailed, match="extra field `b`"):
        PLAIN.check_document({"a": "x", "b": 1.0, "_id": ""}, TABLES)


def test_stored_documents_have_system_fields_in_every_member_of_a_union() -> None:
    made = table(v.union(v.object({"a": v.null()}), v.object({"b": v.null()})))
    assert str(made.document_validator) == (
        'v.union(v.object({_creationTime: v.float64(), _id: v.id("t"), a: v.null()}), '
        'v.object({_creationTime: v.float64(), _id: v.id("t"), b: v.null()}))'
    )
    assert table(v.any()).document_validator == v.any()


@pytest.mark.parametrize(
    "validator", [v.string(), v.union(v.object({}), v.null()), v.record(v.string(), v.any())]
)
def test_a_document_must_be_an_object(validator: Any) -> None:
    with pytest.raises(InvalidSchema) as failure:
        table(validator)
    assert str(failure.value) == (
        "The document validator in a schema must be an object, a union of objects, or `v.any()`. Found "
        f"{validator}. To learn more, see the schema documentation at "
        "https://docs.convex.dev/database/schemas."
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a b",
            'Invalid table name: "a b". Identifiers must start with a letter and can only contain letters, '
            "digits, and "
            "underscores.",
        ),
        ("_mine", "_mine is a reserved table name."),
    ],
)
def test_bad_table_names_have_the_official_words(name: str, message: str) -> None:
    with pytest.raises(InvalidSchema) as failure:
        define_schema({name: define_table({})})
    assert str(failure.value) == message


def test_implicit_indexes_are_found_by_name() -> None:
    made = define_schema({"t": define_table({"a": v.string()}).index("by_a", ["a"], staged=True)}).table("t")
    found = [made.index(name) for name in ("by_a", "by_id", "by_creation_time", "nope")]
    assert [index.key_fields if index else None for index in found] == [
        ("a", "_creationTime", "_id"),
        ("_id",),
        ("_creationTime", "_id"),
        None,
    ]


def test_export_sorts_indexes_and_separates_staged_ones() -> None:
    made = (
        define_table({"a": v.string(), "b": v.array(v.float64())})
        .index("z", ["a"])
        .index("y", ["b"], staged=True)
        .index("x", ["b", "a"])
        .search_index("s", search_field="a", filter_fields=["b"])
        .search_index("ss", search_field="a", staged=True)
        .vector_index("vv", vector_field="b", dimensions=2, staged=True)
    )
    assert define_schema({"t": made}).table("t").to_json() == {
        "tableName": "t",
        "indexes": [
            {"indexDescriptor": "x", "fields": ["b", "a"]},
            {"indexDescriptor": "z", "fields": ["a"]},
        ],
        "stagedDbIndexes": [{"indexDescriptor": "y", "fields": ["b"]}],
        "searchIndexes": [{"indexDescriptor": "s", "searchField": "a", "filterFields": ["b"]}],
        "stagedSearchIndexes": [{"indexDescriptor": "ss", "searchField": "a", "filterFields": []}],
        "vectorIndexes": [],
        "stagedVectorIndexes": [
            {"indexDescriptor": "vv", "vectorField": "b", "dimensions": 2, "filterFields": []}
        ],
        "documentType": made.validator.to_json(),
    }


def test_a_table_without_a_class_gives_dicts() -> None:
    assert PLAIN.decode_document(encode({"a": "x", "_id": "i"})) == {"a": "x", "_id": "i"}
    assert PLAIN.document_value({"a": "x", "n": 5}) == {"a": "x", "n": 5.0}
    assert PLAIN.document_class is None


def test_a_table_with_a_class_gives_instances() -> None:
    note = NOTES.decode_document(
        '{"_creationTime":1.0,"_id":"i","count":{"$integer":"AQAAAAAAAAA="},"externalId":"e","title":"t"}'
    )
    assert (type(note), note.id, note.count, note.external) == (Note, "i", 1, "e")
    assert NOTES.document_value(note) == {
        "_id": "i", "_creationTime": 1.0, "title": "t", "count": Int64(1), "externalId": "e",
    }  # fmt: skip
    assert NOTES.document_class is Note


def test_bounds_take_attributes_or_stored_names_and_convert_by_field() -> None:
    bounds = NOTES.bounds({"external": "e", "count": 5, "creation_time": gte(1)})
    assert [x.field for x in bounds] == ["externalId", "count", "_creationTime"]
    assert type(bounds[1].value) is Int64
    assert NOTES.bounds({"externalId": "e"})[0].field == "externalId"
    assert PLAIN.bounds({"a": 1, "creation_time": 5, "id": "x"})[1].field == "_creationTime"
    assert PLAIN.bounds({"id": "x"})[0].field == "_id"
    assert table({"id": v.string()}).bounds({"id": "x"})[0].field == "id"
    assert table(v.any()).bounds({"id": "x"})[0].field == "_id"


def test_a_field_is_one_that_a_stored_document_may_have() -> None:
    validator = v.object(
        {"a": v.object({"b": v.null()}), "any": v.any(), "r": v.record(v.string(), v.null())}
    )
    table = define_schema({"t": define_table(validator)}).tables["t"]
    known = ["_id", "_creationTime", "a", "a.b", "any.x.y", "r.x"]
    assert [path for path in known if not table.has_field(path)] == []
    assert [path for path in ("b", "a.c", "r.x.y", "_other") if table.has_field(path)] == []
