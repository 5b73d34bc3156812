"""Schemas from classes, from builders and from JSON."""

from __future__ import annotations

import inspect
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.schema import (
    Document,
    Id,
    Index,
    InvalidSchema,
    Schema,
    UnknownReference,
    UnsupportedType,
    define_schema,
    define_table,
    function_names,
    schema_from_json,
    v,
)
from rewake.schema.schemas import make_schema
from rewake.schema.tables import make_table
from tests.schema.support import VALIDATORS


class Base(Document):
    owner: Id[Person]
    by_owner = Index("owner")


class Pet(Base, table="pets"):
    friend: Id[Pet]
    home: Id[Literal["homes"]]
    picture: Id[Literal["_storage"]]


class Person(Document, table="people"):
    name: str


HOMES = define_schema({"homes": define_table({"street": v.string()})})


def make_class(name: str, table: str, annotations: dict[str, Any] | None = None) -> Any:
    return type(Document)(
        name, (Document,), {"__annotations__": annotations or {}, "__module__": __name__}, table=table
    )


def test_classes_and_an_explicit_schema_make_one() -> None:
    schema = Schema.from_documents([Base, Pet, Person], HOMES)
    assert sorted(schema.tables) == ["homes", "people", "pets"]
    assert str(schema.table("pets").validator) == (
        'v.object({friend: v.id("pets"), home: v.id("homes"), owner: v.id("people"), picture: '
        'v.id("_storage")})'
    )
    assert schema.table("pets").indexes["by_owner"].fields == ("owner",)


def test_an_explicit_schemas_validation_flag_wins() -> None:
    off = define_schema({}, schema_validation=False)
    assert not Schema.from_documents([Person], off).schema_validation
    assert Schema.from_documents([Person]).schema_validation
    assert not Schema.from_documents([Person], schema_validation=False).schema_validation


def test_an_unknown_reference_names_class_field_and_reference() -> None:
    with pytest.raises(UnknownReference) as failure:
        Schema.from_documents([Pet, Person])
    assert str(failure.value) == (
        "Pet.home: Id['homes'] refers to no document class and no table of this schema. "
        "Declared: Person, Pet, people, pets"
    )
    with pytest.raises(UnknownReference, match=r"Bad\.x: the annotation 'Nope' uses the name 'Nope'"):
        Schema.from_documents([make_class("Bad", "bad", {"x": "Nope"})])


def test_two_classes_for_one_table_are_refused_by_name() -> None:
    with pytest.raises(InvalidSchema) as failure:
        Schema.from_documents([Person, make_class("Other", "people")])
    assert str(failure.value) == (
        f'Table "people" is declared by two classes: {__name__}.Person and {__name__}.Other.'
    )
    with pytest.raises(InvalidSchema, match="and by the explicit schema"):
        Schema.from_documents([make_class("Home", "homes")], HOMES)
    with pytest.raises(InvalidSchema, match="Two document classes are called Person"):
        Schema.from_documents([Person, make_class("Person", "persons")])


def test_the_same_class_twice_is_one() -> None:
    assert list(Schema.from_documents([Person, Person]).tables) == ["people"]


def test_a_field_that_no_value_stands_for_is_refused_at_assembly() -> None:
    with pytest.raises(UnsupportedType, match=r"Bad\.x: tuple|Bad\.x: arrays have one type"):
        Schema.from_documents([make_class("Bad", "bad", {"x": "tuple[int, str]"})])


def test_doc_and_id_give_validators_and_unknown_tables_are_listed() -> None:
    schema = Schema.from_documents([Person])
    assert str(schema.doc("people")) == (
        'v.object({_creationTime: v.float64(), _id: v.id("people"), name: v.string()})'
    )
    assert schema.id("people") == v.id("people")
    with pytest.raises(InvalidSchema) as failure:
        schema.doc("nope")
    assert str(failure.value) == 'Table "nope" is not in this schema. Tables in this schema: people'


def test_annotations_of_functions_are_resolved_in_the_schema() -> None:
    def f(ctx: Any, pet: Id[Pet], home: Id[Literal["homes"]]) -> list[Person]: ...

    schema = Schema.from_documents([Pet, Person], HOMES)
    signature = inspect.signature(f)
    codec = schema.arguments_codec(list(signature.parameters.values())[1:], names=function_names(f))
    assert str(codec.validator) == 'v.object({home: v.id("homes"), pet: v.id("pets")})'
    returns = schema.codec_for(signature.return_annotation, names=function_names(f))
    assert returns.validator == v.array(schema.doc("people"))


def test_without_tables_any_table_may_come_to_exist() -> None:
    empty = Schema.from_documents([])
    assert empty.codec_for(Id["anything"], names={}).validator == v.id("anything")  # type:
    # ignore[name-defined]
    assert Schema().codec_for(Id["anything"], names={}).validator == v.id("anything")  # type:
    # ignore[name-defined]


def test_export_and_back() -> None:
    schema = Schema.from_documents([Pet, Person], HOMES)
    data = schema.to_json()
    assert [table["tableName"] for table in data["tables"]] == ["homes", "people", "pets"]
    assert data["schemaValidation"] is True
    assert schema_from_json(data).to_json() == data


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALIDATORS, max_size=3))
def test_every_exported_schema_reads_back(fields: dict[str, Any]) -> None:
    table = define_table(fields).index("i", ["x.y"]).search_index("s", search_field="t")
    table.vector_index("v", vector_field="w", dimensions=9, staged=True)
    schema = define_schema({"t": table}, schema_validation=False)
    data = schema.to_json()
    assert schema_from_json(data).to_json() == data


def test_read_back_defaults_are_those_of_the_official_export() -> None:
    schema = schema_from_json({"tables": [{"tableName": "t", "documentType": None}]})
    assert not schema.schema_validation
    assert schema.table("t").validator == v.any()


@pytest.mark.parametrize(
    "data", [{}, {"tables": 5}, {"tables": [{}]}, [], {"tables": [{"tableName": "t", "indexes": [{}]}]}]
)
def test_malformed_json_is_refused(data: Any) -> None:
    with pytest.raises(InvalidSchema):
        schema_from_json(data)


def test_the_number_of_tables_is_bounded() -> None:
    tables = [make_table(f"t{i}", v.any(), []) for i in range(10_001)]
    with pytest.raises(InvalidSchema, match=r"^Number of tables cannot exceed 10000\.$"):
        make_schema(tables, schema_validation=True)
