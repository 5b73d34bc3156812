"""Index declarations: every violation of semantics 2.4 in its exact words."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.schema import (
    Document,
    Id,
    Index,
    IndexDefinition,
    InvalidSchema,
    Schema,
    SearchIndex,
    VectorIndex,
    define_schema,
    define_table,
    field,
    gte,
    v,
)
from rewake.schema.indexes import IMPLICIT_INDEXES, check_indexes
from rewake.values import Int64

RESERVED = (
    "the name is reserved. Indexes may not start with an underscore or be named "
    '"by_id" or "by_creation_time".'
)


class Address(Document):
    """Not a table; only its field names matter here."""

    zip_code: str = field(name="zipCode")


class Note(Document, table="notes"):
    owner_name: str = field(name="ownerName")
    count: Int64
    address: Address
    reference: Id[Note]
    vector: list[float]
    by_owner = Index("owner_name", "count")
    by_zip = Index("address.zip_code", staged=True)
    search_owner = SearchIndex("owner_name", filter_fields=["count"])
    similar = VectorIndex("vector", dimensions=3, filter_fields=["owner_name"])


def message_of(build: Any) -> str:
    with pytest.raises(InvalidSchema) as failure:
        build()
    return str(failure.value)


def table() -> Any:
    nested = v.object({"b": v.union(v.object({"c": v.string()}), v.null())})
    return define_table(
        {
            "a": v.string(),
            "n": v.optional(nested),
            "r": v.record(v.string(), v.float64()),
            "x": v.any(),
            "vec": v.array(v.float64()),
            "strings": v.array(v.string()),
        }
    )


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda t: t.index("by_id", ["a"]), f'In table "t" cannot name an index "by_id" because {RESERVED}'),
        (lambda t: t.index("_x", ["a"]), f'In table "t" cannot name an index "_x" because {RESERVED}'),
        (
            lambda t: t.search_index("by_creation_time", search_field="a"),
            f'In table "t" cannot name an index "by_creation_time" because {RESERVED}',
        ),
        (
            lambda t: t.index("a b", ["a"]),
            'Invalid index name: "a b". Identifiers must be 64 characters or less, start with a letter, '
            "and only "
            "contain letters, digits, underscores.",
        ),
        (lambda t: t.index("i", []), 'In table "t" index "i" must have at least one field.'),
        (
            lambda t: t.index("i", ["a", "a"]),
            'Duplicate field "a". Index fields must be unique within an index.',
        ),
        (
            lambda t: t.index("i", ["_id"]),
            "`_id` is not a valid index field. To load documents by ID, use `db.get(id)`.",
        ),
        (
            lambda t: t.index("i", ["a", "_creationTime"]),
            "`_creationTime` is automatically added to the end of each index. It should not be added "
            "explicitly in the "
            "index definition. See https://docs.convex.dev/using/indexes for more details.",
        ),
        (lambda t: t.index("i", ["_x"]), "Reserved fields (starting with `_`) are not allowed in indexes."),
        (
            lambda t: t.index("i", ["a"]).index("j", ["a"]),
            'In table "t" index "i" and index "j" have the same fields. Indexes must be unique within a '
            "table.",
        ),
        (
            lambda t: t.search_index("i", search_field="a", filter_fields=["x", "r"]).search_index(
                "j", search_field="a", filter_fields=["r", "x"]
            ),
            'In table "t" index "i" and index "j" have the same fields. Indexes must be unique within a '
            "table.",
        ),
        (
            lambda t: t.index("i", ["a"]).search_index("i", search_field="a"),
            'Table "t" has two or more definitions of index "i".',
        ),
        (lambda t: t.index("i", ["a..b"]), 'In index "i": Invalid index field: "a..b"'),
        (lambda t: t.search_index("i", search_field="a b"), 'In index "i": Invalid index field: "a b"'),
        (
            lambda t: t.vector_index("i", vector_field="vec", dimensions=2, filter_fields=["?"]),
            'In index "i": Invalid index field: "?"',
        ),
        (
            lambda t: t.index("i", ["n.b.d"]),
            'In table "t" the index "i" is invalid because it references the field "n.b.d" that does not '
            "exist.",
        ),
        (
            lambda t: t.index("i", ["a.b"]),
            'In table "t" the index "i" is invalid because it references the field "a.b" that does not '
            "exist.",
        ),
        (
            lambda t: t.vector_index("i", vector_field="strings", dimensions=2),
            'In table "t" the vector index "i" is invalid because it references the field "strings" that '
            "is neither an "
            "array of float64 or optional array of float64.",
        ),
        (
            lambda t: t.vector_index("i", vector_field="vec", dimensions=1),
            "Dimensions 1 must be between 2 and 4096.",
        ),
        (lambda t: t.index("i", [f"x.f{i}" for i in range(17)]), "Indexes may have up to 16 fields."),
        (
            lambda t: t.search_index("i", search_field="a", filter_fields=[f"x.f{i}" for i in range(17)]),
            "Search indexes may have up to 16 filter fields.",
        ),
    ],
)
def test_a_violation_has_the_official_words(declare: Any, message: str) -> None:
    assert message_of(lambda: define_schema({"t": declare(table())})) == message


def test_fields_are_found_through_optional_union_record_and_any() -> None:
    good = table().index("i", ["n.b.c"]).index("j", ["r.anything"]).index("k", ["x.y.z"])
    good.vector_index("l", vector_field="vec", dimensions=2).vector_index("m", vector_field="x", dimensions=2)
    assert set(define_schema({"t": good}).table("t").indexes) == {"i", "j", "k"}


def test_without_schema_validation_fields_need_not_exist() -> None:
    schema = define_schema({"t": table().index("i", ["nowhere"])}, schema_validation=False)
    assert schema.table("t").indexes["i"].fields == ("nowhere",)


def test_a_table_has_at_most_64_indexes() -> None:
    many = [IndexDefinition(f"i{i}", (f"f{i}",)) for i in range(65)]
    check_indexes("t", many[:64])
    assert message_of(lambda: check_indexes("t", many)) == 'Table "t" cannot have more than 64 indexes.'


def test_an_index_on_a_class_knows_its_table_and_stored_names() -> None:
    assert (Note.by_owner.table, Note.by_owner.name) == ("notes", "by_owner")
    assert Note.by_owner.definition == IndexDefinition("by_owner", ("ownerName", "count"))
    assert Note.by_zip.definition == IndexDefinition("by_zip", ("address.zipCode",), staged=True)
    assert Note.search_owner.definition.search_field == "ownerName"
    assert Note.search_owner.definition.filter_fields == ("count",)
    assert Note.similar.definition.to_json() == {
        "indexDescriptor": "similar", "vectorField": "vector", "dimensions": 3, "filterFields": ["ownerName"],
    }  # fmt: skip
    assert repr(Note.by_owner) == "<Index notes.by_owner>"
    assert repr(Index("a")) == "<Index ?.?>"


def test_bounds_use_stored_names_and_the_fields_types() -> None:
    bounds = Note.by_owner.bounds(owner_name="x", count=5, creation_time=gte(1))
    assert [(x.field, x.operator, x.value) for x in bounds] == [
        ("ownerName", "eq", "x"),
        ("count", "eq", Int64(5)),
        ("_creationTime", "gte", 1.0),
    ]
    assert type(bounds[1].value) is Int64
    assert Note.by_zip.bounds({"address.zip_code": "1"}, id="i")[0].field == "address.zipCode"
    assert Note.by_zip.bounds(id="i")[0].field == "_id"


def test_an_index_outside_a_class_takes_names_as_they_are() -> None:
    assert Index("a").bounds({"a.b": 1})[0].field == "a.b"
    assert Index("a").definition.fields == ("a",)


def test_key_fields_end_with_the_implicit_ones() -> None:
    assert IndexDefinition("i", ("a",)).key_fields == ("a", "_creationTime", "_id")
    assert IMPLICIT_INDEXES["by_creation_time"].key_fields == ("_creationTime", "_id")
    assert IMPLICIT_INDEXES["by_id"].key_fields == ("_id",)


def test_an_explicit_system_field_in_a_class_index_has_the_official_words() -> None:
    class Bad(Document, table="bad"):
        a: str
        by_time = Index("a", "creation_time")

    assert "`_creationTime` is automatically added" in message_of(lambda: Schema.from_documents([Bad]))
