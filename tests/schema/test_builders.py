"""`v.*`: the errors of putting a validator together, and reading exported ones."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.schema import Document, InvalidValidator, VAny, as_object_validator, v, validator_from_json
from rewake.values import Int64

UNDEFINED = (
    "This is often caused by circular imports. "
    "See https://docs.convex.dev/error#undefined-validator for details."
)


class Person(Document, table="people"):
    name: str


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: v.id(5), "v.id(tableName) requires a string"),
        (lambda: v.id(int), "v.id(tableName) requires a string"),
        (lambda: v.object({"a": "string"}), "v.object() entries must be validators"),
        (lambda: v.object({"a": None}), f'A validator is undefined for field "a" in v.object(). {UNDEFINED}'),
        (lambda: v.array(None), f"A validator is undefined in v.array(). {UNDEFINED}"),
        (lambda: v.array("a"), "v.array() element must be a validator"),
        (lambda: v.union(v.null(), 5), "All members of v.union() must be validators"),
        (
            lambda: v.union(v.null(), None),
            f'A validator is undefined for field "member at index 1" in v.union(). {UNDEFINED}',
        ),
        (lambda: v.record(v.string(), 5), "Key and value of v.record() must be validators"),
        (
            lambda: v.record(None, v.any()),
            f'A validator is undefined for field "key" in v.record(). {UNDEFINED}',
        ),
        (lambda: v.record(v.optional(v.string()), v.any()), "Record validator cannot have optional keys"),
        (lambda: v.record(v.string(), v.optional(v.any())), "Record validator cannot have optional values"),
        (lambda: v.record(v.literal("a"), v.any()), "Records cannot have string literal keys"),
        (
            lambda: v.record(v.union(v.string(), v.literal("a")), v.any()),
            "Records cannot have string literal keys",
        ),
        (
            lambda: v.record(v.union(v.string(), v.union(v.float64())), v.any()),
            "Records can only have string keys. Your validator contains a record with key typed as "
            "`v.union(v.float64())`, which is not a subtype of `v.string()`",
        ),
        (lambda: v.literal(None), "v.literal(value) must be a string, number, or boolean"),
        (lambda: v.literal(b""), "v.literal(value) must be a string, number, or boolean"),
        (lambda: v.literal(float("nan")), "Infinite or NaN values are not supported in literal validators."),
        (
            lambda: v.object({"a b": v.any()}),
            "Invalid validator for key `a b`: Identifier a b has invalid character ' ': "
            "Identifiers can only contain alphanumeric characters or underscores",
        ),
        (lambda: v.object({1: v.any()}), "Invalid validator for key `1`: Field names must be strings"),
    ],
)
def test_a_wrong_construction_has_the_official_words(build: Any, message: str) -> None:
    with pytest.raises(InvalidValidator) as failure:
        build()
    assert str(failure.value) == message


def test_old_names_are_the_same_validators() -> None:
    assert v.number() == v.float64()
    assert v.bigint() == v.int64()
    assert v.nullable(v.string()) == v.union(v.string(), v.null())


def test_kinds_are_the_official_ones() -> None:
    made = [
        v.id("t"), v.float64(), v.int64(), v.commit_ts(), v.boolean(), v.string(), v.bytes(), v.null(),
        v.any(), v.object({}), v.array(v.any()), v.record(v.string(), v.any()), v.union(), v.literal("a"),
    ]  # fmt: skip
    assert [validator.kind for validator in made] == [
        "id", "float64", "int64", "commitTs", "boolean", "string", "bytes", "null", "any",
        "object", "array", "record", "union", "literal",
    ]  # fmt: skip


def test_an_id_takes_a_document_class() -> None:
    assert v.id(Person) == v.id("people")


def test_a_mapping_is_promoted_to_an_object() -> None:
    assert as_object_validator({"a": v.string()}) == v.object({"a": v.string()})
    assert as_object_validator(v.any()) == v.any()


def test_literals_are_normal_values() -> None:
    assert type(v.literal(1).value) is float
    assert type(v.literal(Int64(1)).value) is Int64


def test_record_keys_may_be_unions_of_strings_and_ids() -> None:
    assert v.record(v.union(v.id("a"), v.union(v.string())), v.any()).accepts({"x": 1.0}, None)


@pytest.mark.parametrize("name", ["set", "map", "any"])
def test_retired_types_read_as_any(name: str) -> None:
    assert isinstance(validator_from_json({"type": name}), VAny)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "nonsense"},
        {"type": "array"},
        {"type": "object", "value": []},
        {"type": "literal"},
        [],
        None,
    ],
)
def test_malformed_json_is_refused(data: Any) -> None:
    with pytest.raises(InvalidValidator):
        validator_from_json(data)
