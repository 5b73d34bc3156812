"""Four dialects of classes with fields, one list."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NotRequired, Required, TypedDict

import msgspec
import pydantic
import pytest
import typing_extensions

from rewake.schema import Document, UnsupportedType
from rewake.schema.annotations import NO_SCOPE
from rewake.schema.class_fields import ClassField, is_pydantic_model, shape_of


class Struct(msgspec.Struct):
    shared: ClassVar[int] = 5
    a: int
    b: str = msgspec.field(name="bee", default="")
    c: list[int] = []


class KeywordOnly(msgspec.Struct, kw_only=True):
    a: int = 1
    b: int


@dataclasses.dataclass
class Data:
    shared: ClassVar[int] = 5
    a: int
    b: list[int] = dataclasses.field(default_factory=list)
    c: int = dataclasses.field(init=False)


class Base(TypedDict):
    a: int


class Options(Base, total=False):
    b: int
    c: Required[int]


class Other(TypedDict):
    a: NotRequired[int]


class Model(pydantic.BaseModel):
    a: int
    b: str = pydantic.Field(default="", alias="bee", max_length=3)


class Row(Document, table="rows"):
    a: int


class RowBase(Document):
    a: int


class Backported(typing_extensions.TypedDict):
    a: int
    b: typing_extensions.NotRequired[str]


def fields_of(kind: type) -> dict[str, ClassField]:
    shape = shape_of(kind, NO_SCOPE)
    assert shape is not None
    return {field.name: field for field in shape.fields}


def flags_of(kind: type) -> list[tuple[str, str, bool]]:
    return [(x.name, x.stored, x.has_default) for x in fields_of(kind).values()]


def test_structs() -> None:
    assert flags_of(Struct) == [("a", "a", False), ("b", "bee", True), ("c", "c", True)]
    assert flags_of(KeywordOnly) == [("b", "b", False), ("a", "a", True)] or flags_of(KeywordOnly) == [
        ("a", "a", True),
        ("b", "b", False),
    ]


def test_dataclasses() -> None:
    assert flags_of(Data) == [("a", "a", False), ("b", "b", True), ("c", "c", True)]
    assert not fields_of(Data)["c"].constructed


def test_typed_dicts() -> None:
    assert {name: x.may_be_missing for name, x in fields_of(Options).items()} == {
        "a": False,
        "b": True,
        "c": False,
    }
    assert fields_of(Options)["c"].annotation is int
    assert fields_of(Other)["a"] == ClassField("a", "a", int, True, may_be_missing=True)


def test_pydantic_models() -> None:
    assert flags_of(Model) == [("a", "a", False), ("b", "bee", True)]
    assert "MaxLen" in repr(fields_of(Model)["b"].annotation)
    assert is_pydantic_model(Model)
    assert not is_pydantic_model(Struct)


def test_system_fields_belong_to_documents_with_a_table() -> None:
    assert set(fields_of(Row)) == {"_id", "_creationTime", "a"}
    assert set(fields_of(RowBase)) == {"a"}


@pytest.mark.parametrize("kind", [int, str, object, Exception])
def test_other_classes_have_no_fields(kind: Any) -> None:
    assert shape_of(kind, NO_SCOPE) is None


def test_structs_that_are_no_plain_objects_are_refused() -> None:
    class Tagged(msgspec.Struct, tag="x"):
        a: int

    with pytest.raises(UnsupportedType, match="tagged structs"):
        shape_of(Tagged, NO_SCOPE)


def test_a_typed_dict_of_typing_extensions_is_one_too() -> None:
    # pydantic refuses those of `typing` before Python 3.12.
    assert [(x.name, x.may_be_missing) for x in fields_of(Backported).values()] == [("a", False), ("b", True)]
