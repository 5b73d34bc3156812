"""Semantics 2.1 to 2.4: validators, what they say, schemas, and declaring indexes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from rewake import (
    UNSET,
    Document,
    Id,
    Index,
    Int64,
    MutationCtx,
    QueryCtx,
    Unset,
    define_schema,
    define_table,
    mutation,
    query,
    v,
)
from rewake.database import SchemaEnforcementError, SchemaMismatch, StagedVerdict
from rewake.execution import FunctionCall
from rewake.schema import (
    NOTHING_READ,
    InvalidSchema,
    Schema,
    TableBuilder,
    Validator,
    schema_from_json,
    validator_from_json,
)
from rewake.schema.documents import DocumentMeta
from rewake.testing import Backend
from tests.semantics.telling import failure, told

HERE = "semantics/test_2_schema"

# 2.1

EVERY_KIND: list[tuple[Validator, dict[str, Any], list[Any], list[Any]]] = [
    (v.null(), {"type": "null"}, [None], [False, 0.0, ""]),
    (v.number(), {"type": "number"}, [1.0, math.nan, -math.inf], [Int64(1), True, "1"]),
    (v.float64(), {"type": "number"}, [1.5], [None]),
    (v.int64(), {"type": "bigint"}, [Int64(1)], [1.0, True]),
    (v.bigint(), {"type": "bigint"}, [Int64(-1)], ["1"]),
    (v.boolean(), {"type": "boolean"}, [True, False], [0.0, 1.0, None]),
    (v.string(), {"type": "string"}, ["", "x"], [b"x", None]),
    (v.bytes(), {"type": "bytes"}, [b"", b"x"], ["x"]),
    (v.any(), {"type": "any"}, [None, 1.0, [{}]], []),
    (v.literal("a"), {"type": "literal", "value": "a"}, ["a"], ["b", None]),
    (v.literal(1), {"type": "literal", "value": 1.0}, [1.0], [Int64(1), True]),
    (
        v.literal(Int64(1)),
        {"type": "literal", "value": {"$integer": "AQAAAAAAAAA="}},
        [Int64(1)],
        [1.0, True],
    ),
    (v.literal(True), {"type": "literal", "value": True}, [True], [1.0]),
    (v.array(v.string()), {"type": "array", "value": {"type": "string"}}, [[], ["a"]], [["a", 1.0], {}]),
    (
        v.object({"a": v.string(), "b": v.optional(v.null())}),
        {
            "type": "object",
            "value": {
                "a": {"fieldType": {"type": "string"}, "optional": False},
                "b": {"fieldType": {"type": "null"}, "optional": True},
            },
        },
        [{"a": "x"}, {"a": "x", "b": None}],
        [{}, {"a": "x", "b": 1.0}, {"a": "x", "c": 1.0}, {"a": None}],
    ),
    (
        v.record(v.string(), v.float64()),
        {
            "type": "record",
            "keys": {"type": "string"},
            "values": {"fieldType": {"type": "number"}, "optional": False},
        },
        [{}, {"a b": 1.0}],
        [{"a": "x"}, []],
    ),
    (
        v.union(v.string(), v.null()),
        {"type": "union", "value": [{"type": "string"}, {"type": "null"}]},
        ["x", None],
        [1.0],
    ),
    (v.union(), {"type": "union", "value": []}, [], [None, 1.0]),
    (
        v.nullable(v.string()),
        {"type": "union", "value": [{"type": "string"}, {"type": "null"}]},
        ["x", None],
        [1.0],
    ),
]


@pytest.mark.parametrize(("validator", "exported", "good", "bad"), EVERY_KIND, ids=lambda x: str(x)[:30])
def test_2_1_every_constructor_accepts_and_exports(
    validator: Validator, exported: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    assert validator.to_json() == exported
    assert validator_from_json(exported).to_json() == exported
    assert [value for value in good if not validator.accepts(value, None)] == []
    assert [value for value in bad if validator.accepts(value, None)] == []


def test_2_1_set_and_map_of_old_exports_are_any() -> None:
    assert [validator_from_json({"type": kind}) for kind in ("set", "map")] == [v.any(), v.any()]


def test_2_1_object_validators_are_picked_from_and_extended() -> None:
    whole = v.object({"a": v.string(), "b": v.float64()})
    assert str(whole.pick("a")) == "v.object({a: v.string()})"
    assert str(whole.omit("a")) == "v.object({b: v.float64()})"
    assert str(whole.partial()) == "v.object({a: v.optional(v.string()), b: v.optional(v.float64())})"
    assert str(whole.extend({"a": v.null()})) == "v.object({a: v.null(), b: v.float64()})"


def test_2_1_a_schema_has_the_validators_of_its_documents_and_ids() -> None:
    schema = define_schema(
        {
            "notes": define_table({"body": v.string()}),
            "either": define_table(v.union(v.object({"a": v.null()}), v.object({"b": v.null()}))),
            "loose": define_table(v.any()),
        }
    )
    assert (
        str(schema.doc("notes"))
        == 'v.object({_creationTime: v.float64(), _id: v.id("notes"), body: v.string()})'
    )
    assert str(schema.doc("either")) == (
        'v.union(v.object({_creationTime: v.float64(), _id: v.id("either"), a: v.null()}), '
        'v.object({_creationTime: v.float64(), _id: v.id("either"), b: v.null()}))'
    )
    assert schema.doc("loose") == v.any()
    assert str(schema.id("notes")) == 'v.id("notes")'
    with told('Table "x" is not in this schema. Tables in this schema: notes, either, loose'):
        schema.doc("x")


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: v.id(None), "v.id(tableName) requires a string"),
        (lambda: v.object({"a": "string"}), "v.object() entries must be validators"),  # type: ignore[dict-item]
        (lambda: v.literal(None), "v.literal(value) must be a string, number, or boolean"),  # type: ignore[arg-type]
        (lambda: v.record(v.optional(v.string()), v.any()), "Record validator cannot have optional keys"),
        (lambda: v.record(v.string(), v.optional(v.any())), "Record validator cannot have optional values"),
        (lambda: v.record("a", v.any()), "Key and value of v.record() must be validators"),  # type: ignore[arg-type]
        (lambda: v.union(v.null(), "a"), "All members of v.union() must be validators"),  # type: ignore[arg-type]
        (
            lambda: v.object({"a": None}),  # type: ignore[dict-item]
            'A validator is undefined for field "a" in v.object(). This is often caused by circular imports. '
            "See https://docs.convex.dev/error#undefined-validator for details.",
        ),
        (
            lambda: v.literal(math.inf),
            "Infinite or NaN values are not supported in literal validators.",
        ),
        (
            lambda: v.record(v.float64(), v.any()),
            "Records can only have string keys. Your validator contains a record with key typed as "
            "`v.float64()`, which is not a subtype of `v.string()`",
        ),
        (lambda: v.record(v.literal("a"), v.any()), "Records cannot have string literal keys"),
        (
            lambda: v.object({"1a": v.any()}),
            "Invalid validator for key `1a`: Invalid first character '1' in 1a: "
            "Identifiers must start with an alphabetic character or underscore",
        ),
    ],
)
def test_2_1_a_validator_that_cannot_be_is_refused_in_these_words(build: Any, text: str) -> None:
    with told(text):
        build()


# 2.2


class Person(Document, table="people"):
    name: str
    nickname: str | Unset = UNSET
    friend: Id[Person] | None = None


class Place(Document, table="places"):
    name: str


@query
def take_list(ctx: QueryCtx, rows: list[dict[str, float]]) -> None: ...


@query
def take_person(ctx: QueryCtx, person: Id[Person], other: float | Unset = UNSET) -> None: ...


@query
def give(ctx: QueryCtx, value: Any) -> list[str]:
    return value  # type: ignore[no-any-return]


@mutation
def add_place(ctx: MutationCtx) -> Id[Place]:
    return ctx.db.insert(Place(name="x"))


@query
def untyped(ctx, **anything):  # type: ignore[no-untyped-def]
    return anything


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend.from_functions(take_list, take_person, give, add_place, documents=[Person, Place]) as made:
        yield made


def check(validator: Validator, value: Any, text: str) -> None:
    with told(text):
        validator.check(value)


def test_2_2_the_first_difference_is_told_depth_first() -> None:
    validator = v.object({"b": v.array(v.object({"n": v.float64()})), "a": v.optional(v.string())})
    check(
        validator,
        {"b": [{"n": 1.0}, {"n": Int64(2)}], "a": "x", "z": 1.0},
        "Value does not match validator.\nPath: .b[1].n\nValue: 2\nValidator: v.float64()",
    )
    check(
        validator,
        {"b": [{"n": "x"}], "a": 1.0},
        "Value does not match validator.\nPath: .a\nValue: 1.0\nValidator: v.string()",
    )


def test_2_2_at_the_root_the_path_is_an_empty_line() -> None:
    check(v.string(), None, "Value does not match validator.\n\nValue: null\nValidator: v.string()")


def test_2_2_a_missing_field_comes_before_an_extra_one() -> None:
    validator = v.object({"a": v.object({"n": v.null()})})
    check(
        validator,
        {"a": {"x": True}},
        "Object is missing the required field `n`. Consider wrapping the field validator in "
        "`v.optional(...)` "
        "if this is expected.\nPath: .a\nObject: {x: true}\nValidator: v.object({n: v.null()})",
    )
    check(
        validator,
        {"a": {"n": None, "x": True}},
        "Object contains extra field `x` that is not in the validator.\nPath: .a\n"
        "Object: {n: null, x: true}\nValidator: v.object({n: v.null()})",
    )


def test_2_2_null_is_not_absent() -> None:
    check(
        v.object({"a": v.optional(v.string())}),
        {"a": None},
        "Value does not match validator.\nPath: .a\nValue: null\nValidator: v.string()",
    )


def test_2_2_a_record_names_its_keys_and_values() -> None:
    check(
        v.record(v.string(), v.string()),
        {"k": [1.0]},
        "Value does not match validator.\nPath: .values()\nValue: [1.0]\nValidator: v.string()",
    )
    keys = v.record(v.id("people"), v.string())
    difference = keys.explain({"k": "x"}, Tables())
    assert difference is not None
    assert difference.message == (
        'Value does not match validator.\nPath: .keys()\nValue: "k"\nValidator: v.id("people")'
    )


class Tables:
    read_ids = NOTHING_READ

    def table_name(self, number: int) -> str | None:
        return None


def test_2_2_a_union_tells_of_itself_unless_it_has_one_member() -> None:
    check(
        v.union(v.string(), v.object({"a": v.int64()})),
        {"a": 1.0},
        "Value does not match validator.\n\nValue: {a: 1.0}\n"
        "Validator: v.union(v.string(), v.object({a: v.int64()}))",
    )
    check(
        v.union(v.object({"a": v.int64()})),
        {"a": 1.0},
        "Value does not match validator.\nPath: .a\nValue: 1.0\nValidator: v.int64()",
    )


def test_2_2_a_literal_has_a_line_of_its_own() -> None:
    check(v.literal("a"), "b", '`"b"` does not match literal validator `v.literal("a")`.')
    check(
        v.object({"k": v.literal(1)}),
        {"k": Int64(1)},
        "`1` does not match literal validator `v.literal(1.0)`.Path: .k",
    )


def test_2_2_an_id_of_another_table_is_named(backend: Backend) -> None:
    place = backend.mutation(add_place)
    assert failure(backend, f"{HERE}:take_person", person=place) == (
        f'ArgumentValidationError: Found ID "{place}" from table `places`, which does not match the table '
        f"name "
        'in validator `v.id("people")`.Path: .person\n'
    )
    system = backend.query(lambda ctx: [row["_id"] for row in ctx.db.system.query("_tables").take(1)])[0]
    assert failure(backend, f"{HERE}:take_person", person=system) == (
        f'ArgumentValidationError: Found ID "{system}" from a system table, which does not match the table '
        f"name "
        'in validator `v.id("people")`.Path: .person\n'
    )
    assert failure(backend, f"{HERE}:take_person", person="no id") == (
        'ArgumentValidationError: Value does not match validator.\nPath: .person\nValue: "no id"\n'
        'Validator: v.id("people")\n'
    )


def test_2_2_arguments_and_results_have_their_prefixes(backend: Backend) -> None:
    assert failure(backend, f"{HERE}:take_list", rows=[{"a": "x"}]) == (
        'ArgumentValidationError: Value does not match validator.\nPath: .rows[0].values()\nValue: "x"\n'
        "Validator: v.float64()\n"
    )
    assert failure(backend, f"{HERE}:give", value=["a", 1]) == (
        "ReturnsValidationError: Value does not match validator.\nPath: [1]\nValue: 1.0\nValidator: "
        "v.string()"
    )


def test_2_2_a_write_names_its_table(backend: Backend) -> None:
    with told(
        'Failed to insert or update a document in table "people" because it does not match the schema: '
        "Object is missing the required field `name`. Consider wrapping the field validator in "
        "`v.optional(...)` if this is expected.\n\nObject: {friend: null}\n"
        'Validator: v.object({friend: v.union(v.id("people"), v.null()), name: v.string(), '
        "nickname: v.optional(v.string())})"
    ):
        backend.run(lambda ctx: ctx.db.insert("people", {"friend": None}))


def test_2_2_a_push_names_the_document() -> None:
    with Backend.from_modules(schema=define_schema({"notes": define_table(v.any())})) as backend:
        note = backend.run(lambda ctx: ctx.db.insert("notes", {"body": 1}))
        with pytest.raises(SchemaMismatch) as caught:
            backend.push_schema(define_schema({"notes": define_table({"body": v.string()})}))
        assert caught.value.message == (
            f'Document with ID "{note}" in table "notes" does not match the schema: '
            "Value does not match validator.\nPath: .body\nValue: 1.0\nValidator: v.string()"
        )


def call_with_text(backend: Backend, args: str) -> str:
    """What a client reads who sends `args` as they are."""
    result, _ = backend.loop.run(
        backend.deployment.query(FunctionCall(f"{HERE}:take_list", args), backend.identity, request_id="")
    )
    return result.message  # type: ignore[union-attr]


def test_2_2_arguments_are_one_object(backend: Backend) -> None:
    assert call_with_text(backend, '"x"') == (
        'Expected to receive an object as the function\'s argument. Instead received: "x"\n'
    )
    assert call_with_text(backend, "[{},1]") == (
        "Expected to receive a single object as the function's argument. Instead received 2 arguments: [{}, "
        "1.0]\n"
    )


def test_2_2_without_a_validator_any_object_is_taken() -> None:
    with Backend.from_functions(untyped) as backend:
        assert backend.query(f"{HERE}:untyped", a=1, b={"c": None}) == {"a": 1, "b": {"c": None}}


def test_2_2_values_and_validators_are_written_as_in_source() -> None:
    validator = v.object(
        {"b": v.optional(v.number()), "a": v.bigint(), "c": v.union(v.literal("x"), v.null())}
    )
    check(
        v.array(validator),
        [{"a": None}],
        "Value does not match validator.\nPath: [0].a\nValue: null\nValidator: v.int64()",
    )
    assert validator.render() == (
        'v.object({a: v.int64(), b: v.optional(v.float64()), c: v.union(v.literal("x"), v.null())})'
    )
    check(
        v.null(),
        {"s": 'a"\n', "i": Int64(1), "f": 1.0, "list": [True, None]},
        'Value does not match validator.\n\nValue: {f: 1.0, i: 1, list: [true, null], s: "a\\"\\n"}\n'
        "Validator: v.null()",
    )


# 2.3


@pytest.mark.parametrize(
    "validator", [v.string(), v.union(v.object({}), v.null()), v.record(v.string(), v.any())]
)
def test_2_3_documents_are_objects(validator: Validator) -> None:
    with told(
        "The document validator in a schema must be an object, a union of objects, or `v.any()`. Found "
        f"{validator.render()}. To learn more, see the schema documentation at "
        "https://docs.convex.dev/database/schemas."
    ):
        define_schema({"notes": define_table(validator)})


def test_2_3_system_fields_in_a_table_validator_are_passed_over() -> None:
    schema = define_schema(
        {"notes": define_table({"body": v.string(), "_id": v.null(), "_creationTime": v.null()})}
    )
    with Backend.from_modules(schema=schema) as backend:
        backend.run(lambda ctx: ctx.db.insert("notes", {"body": "x"}))


def test_2_3_without_schema_validation_indexes_remain() -> None:
    table = define_table({"body": v.string()}).index("by_body", ["body"])
    schema = define_schema({"notes": table}, schema_validation=False)
    with Backend.from_modules(schema=schema) as backend:
        backend.run(lambda ctx: ctx.db.insert("notes", {"body": 1}))
        found = backend.query(lambda ctx: ctx.db.query("notes").with_index("by_body", body=1).collect())
        assert [row["body"] for row in found] == [1.0]


def test_2_3_without_a_schema_tables_are_free() -> None:
    with Backend.from_modules() as backend:
        backend.run(lambda ctx: ctx.db.insert("whatever", {"x": [1]}))
        assert backend.query(lambda ctx: len(ctx.db.query("whatever").collect())) == 1


def test_2_3_a_schema_is_exported_and_read_back() -> None:
    table = (
        define_table({"body": v.string(), "at": v.float64(), "e": v.array(v.float64())})
        .index("by_at", ["at"])
        .index("by_body", ["body"], staged=True)
        .search_index("search_body", search_field="body", filter_fields=["at"])
        .vector_index("by_e", vector_field="e", dimensions=3)
    )
    exported = define_schema({"notes": table}).to_json()
    [exported_table] = exported["tables"]
    assert exported["schemaValidation"] is True
    assert exported_table["tableName"] == "notes"
    assert exported_table["indexes"] == [{"indexDescriptor": "by_at", "fields": ["at"]}]
    assert exported_table["stagedDbIndexes"] == [{"indexDescriptor": "by_body", "fields": ["body"]}]
    assert exported_table["searchIndexes"] == [
        {"indexDescriptor": "search_body", "searchField": "body", "filterFields": ["at"]}
    ]
    assert exported_table["vectorIndexes"] == [
        {"indexDescriptor": "by_e", "vectorField": "e", "dimensions": 3, "filterFields": []}
    ]
    assert schema_from_json(exported).to_json() == exported
    del exported["schemaValidation"]
    assert schema_from_json(exported).schema_validation is False


# 2.4


def notes(*indexes: tuple[str, list[str]]) -> TableBuilder:
    table = define_table({"a": v.string(), "b": v.optional(v.object({"c": v.null()}))})
    for name, fields in indexes:
        table.index(name, fields)
    return table


def declared(*indexes: tuple[str, list[str]]) -> Schema:
    return define_schema({"notes": notes(*indexes)})


RESERVED = (
    'In table "notes" cannot name an index "{}" because the name is reserved. Indexes may not start with an '
    'underscore or be named "by_id" or "by_creation_time".'
)


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        (
            [("by_id", ["a"])],
            'In table "notes" cannot name an index "by_id" because the name is reserved. Indexes may not '
            "start "
            'with an underscore or be named "by_id" or "by_creation_time".',
        ),
        ([("by_creation_time", ["a"])], RESERVED.format("by_creation_time")),
        ([("_a", ["a"])], RESERVED.format("_a")),
        (
            [("a-b", ["a"])],
            'Invalid index name: "a-b". Identifiers must be 64 characters or less, start with a letter, and '
            "only "
            "contain letters, digits, underscores.",
        ),
        ([("i", [])], 'In table "notes" index "i" must have at least one field.'),
        ([("i", ["a", "a"])], 'Duplicate field "a". Index fields must be unique within an index.'),
        ([("i", [f"f{n}" for n in range(17)])], "Indexes may have up to 16 fields."),
        (
            [("i", ["_id"])],
            "`_id` is not a valid index field. To load documents by ID, use `db.get(id)`.",
        ),
        (
            [("i", ["_creationTime"])],
            "`_creationTime` is automatically added to the end of each index. It should not be added "
            "explicitly in "
            "the index definition. See https://docs.convex.dev/using/indexes for more details.",
        ),
        ([("i", ["_a"])], "Reserved fields (starting with `_`) are not allowed in indexes."),
        (
            [("i", ["a"]), ("j", ["a"])],
            'In table "notes" index "i" and index "j" have the same fields. Indexes must be unique within a '
            "table.",
        ),
        ([("i", ["a"]), ("i", ["b"])], 'Table "notes" has two or more definitions of index "i".'),
        ([("i", ["a-b"])], 'In index "i": Invalid index field: "a-b"'),
        (
            [("i", ["b.d"])],
            'In table "notes" the index "i" is invalid because it references the field "b.d" that does not '
            "exist.",
        ),
    ],
)
def test_2_4_an_index_that_cannot_be_is_refused_in_these_words(
    indexes: list[tuple[str, list[str]]], text: str
) -> None:
    with told(text):
        declared(*indexes)


def test_2_4_a_table_has_at_most_64_indexes() -> None:
    fields = {f"f{n}": v.any() for n in range(65)}
    table = define_table(fields)
    for n in range(65):
        table.index(f"i{n}", [f"f{n}"])
    with told('Table "notes" cannot have more than 64 indexes.'):
        define_schema({"notes": table})


def test_2_4_search_and_vector_indexes_have_their_limits() -> None:
    def table() -> TableBuilder:
        return define_table({"a": v.string(), "e": v.array(v.string())})

    with told("Search indexes may have up to 16 filter fields."):
        filters = [f"f{n}" for n in range(17)]
        define_schema({"notes": table().search_index("s", search_field="a", filter_fields=filters)})
    with told("Dimensions 4097 must be between 2 and 4096."):
        define_schema({"notes": table().vector_index("i", vector_field="e", dimensions=4097)})
    with told(
        'In table "notes" the vector index "i" is invalid because it references the field "e" that is '
        "neither an "
        "array of float64 or optional array of float64."
    ):
        define_schema({"notes": table().vector_index("i", vector_field="e", dimensions=2)})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "1a",
            'Invalid table name: "1a". Identifiers must start with a letter and can only contain letters, '
            "digits, "
            "and underscores.",
        ),
        ("_a", "_a is a reserved table name."),
    ],
)
def test_2_4_a_table_that_cannot_be_called_so_is_refused(name: str, text: str) -> None:
    with told(text):
        define_schema({name: define_table({})})


def test_2_4_every_index_ends_with_creation_time_and_id() -> None:
    class Note(Document, table="notes"):
        a: str
        by_a = Index("a")

    assert Note.by_a.definition.key_fields == ("a", "_creationTime", "_id")
    with Backend.from_modules(documents=[Note]) as backend:
        for _ in range(3):
            backend.run(lambda ctx: ctx.db.insert(Note(a="x")))
        rows = backend.query(lambda ctx: ctx.db.query(Note).with_index(Note.by_a, a="x").collect())
        assert rows == sorted(rows, key=lambda row: row.creation_time)


def test_2_4_every_table_has_two_indexes_without_declaring_them() -> None:
    with Backend.from_modules() as backend:
        ids = [backend.run(lambda ctx: ctx.db.insert("notes", {})) for _ in range(5)]

        def ids_by(ctx: QueryCtx, index: str) -> list[str]:
            return [row["_id"] for row in ctx.db.query("notes").with_index(index)]

        assert backend.query(lambda ctx: ids_by(ctx, "by_creation_time")) == ids
        assert backend.query(lambda ctx: ids_by(ctx, "by_id")) == sorted(ids)


def test_2_4_a_staged_index_is_not_queryable_until_it_is_enabled() -> None:
    def schema(*, staged: bool) -> Schema:
        return define_schema({"notes": define_table({"a": v.string()}).index("by_a", ["a"], staged=staged)})

    with Backend.from_modules(schema=schema(staged=True)) as backend:
        backend.run(lambda ctx: ctx.db.insert("notes", {"a": "x"}))
        with told("Index notes.by_a is currently staged and not available to query until it is enabled."):
            backend.query(lambda ctx: ctx.db.query("notes").with_index("by_a", a="x").collect())
        backend.push_schema(schema(staged=False))
        assert backend.query(lambda ctx: len(ctx.db.query("notes").with_index("by_a", a="x").collect())) == 1


# Staged validators.


class StagedNext(Document):
    body: str
    author: Id[StagedNow]
    by: str | Unset = UNSET


class StagedNow(Document, table="staged_now", staged=StagedNext):
    body: str | None
    by_body = Index("body")


def test_2_3_a_table_declares_what_its_documents_are_to_become() -> None:
    made = Schema.from_documents([StagedNow])
    (exported,) = made.to_json()["tables"]
    assert exported["documentType"]["value"].keys() == {"body"}
    assert exported["stagedDocumentType"]["value"] == {
        "author": {"fieldType": {"type": "id", "tableName": "staged_now"}, "optional": False},
        "body": {"fieldType": {"type": "string"}, "optional": False},
        "by": {"fieldType": {"type": "string"}, "optional": True},
    }
    assert schema_from_json(made.to_json()).to_json() == made.to_json()
    (plain,) = define_schema({"t": define_table({})}).to_json()["tables"]
    assert "stagedDocumentType" not in plain


def test_2_3_a_staged_validator_is_whole_or_says_what_changes() -> None:
    def staged(table: TableBuilder) -> Any:
        return define_schema({"t": table}).to_json()["tables"][0]["stagedDocumentType"]

    fields = {"a": v.string(), "b": v.string()}
    changed = define_table(fields).staged({"b": UNSET, "c": v.null()})
    assert staged(changed) == v.object({"a": v.string(), "c": v.null()}).to_json()
    assert staged(define_table(v.any()).staged({"a": v.null()})) == v.object({"a": v.null()}).to_json()
    union = v.union(v.object({"a": v.null()}), v.object({"b": v.null()}))
    assert staged(define_table(fields).staged(union)) == union.to_json()


def test_2_3_a_staged_validator_that_cannot_be_is_refused_in_these_words() -> None:
    with told("Table cannot have more than one staged validator."):
        define_table({}).staged({}).staged({})
    with told(
        "Specifying top-level field changes is only supported for simple table definitions. For a table "
        "defined with a union or record validator, you must stage a fully defined object or union validator."
    ):
        define_table(v.union(v.object({}), v.object({"a": v.null()}))).staged({"a": v.null()})
    with told(
        "The document validator in a schema must be an object, a union of objects, or `v.any()`. Found "
        "v.string(). To learn more, see the schema documentation at https://docs.convex.dev/database/schemas."
    ):
        define_schema({"t": define_table({}).staged(v.string())})
    for wrong in (str, StagedNow):
        with pytest.raises(InvalidSchema, match="a class of fields without a table"):
            DocumentMeta("Wrong", (Document,), {}, table="wrong", staged=wrong)


def test_2_3_a_staged_validator_refuses_nothing_and_is_not_checked_again() -> None:
    old, new = {"body": v.any()}, {"body": v.string()}
    with Backend.from_modules(schema=define_schema({"notes": define_table(old).staged(new)})) as backend:

        def verdict() -> StagedVerdict:
            backend.loop.run(backend.deployment.tend_schema())
            return backend.loop.run(backend.deployment.staged_verdicts())["notes"]

        note = backend.run(lambda ctx: ctx.db.insert("notes", {"body": 1}))
        assert (verdict().state, verdict().document) == ("invalid", note)
        backend.run(lambda ctx: ctx.db.patch(note, {"body": "b"}))
        assert verdict().state == "valid"
        backend.push_schema(define_schema({"notes": define_table(new)}))
        with pytest.raises(SchemaEnforcementError):
            backend.run(lambda ctx: ctx.db.insert("notes", {"body": 1}))
