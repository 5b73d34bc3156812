"""Schemas as the model sees them: plain tuples and dicts, with what they accept (2.2) and how they are spelt.

A validator is a tuple that begins with its kind:

    ("any",) ("null",) ("int64",) ... ("literal", value) ("id", table) ("array", V) ("record", V)
    ("object", {name: (V, is_optional)}) ("union", [V, ...])

`schema_of` gives the house's form of a schema, `source_of` the line that an author writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rewake.schema import Schema, Validator, define_schema, define_table, v
from rewake.values import Int64
from tests.model.order import KINDS, SYSTEM_FIELDS, Doc, Value, same

Kind = tuple[Any, ...]
ANY: Kind = ("any",)

TableOf = Callable[[str], str | None]
"""The table that a text is an id of, None where it is none."""


@dataclass(frozen=True)
class IndexShape:
    """A declared index: its fields, without those that follow implicitly."""

    path: tuple[str, ...]
    is_staged: bool = False


@dataclass(frozen=True)
class TableShape:
    """How a schema declares a table."""

    document: Kind = ANY
    indexes: Mapping[str, IndexShape] = field(default_factory=dict)


@dataclass(frozen=True)
class SchemaShape:
    """What is pushed."""

    tables: Mapping[str, TableShape] = field(default_factory=dict)
    validates: bool = True

    def accepts(self, table: str, document: Doc, table_of: TableOf) -> bool:
        """Whether a document may be stored, its system fields left aside."""
        shape = self.tables.get(table)
        fields = {name: value for name, value in document.items() if name not in SYSTEM_FIELDS}
        return shape is None or not self.validates or fits(shape.document, fields, table_of)


def fits(kind: Kind, value: Value, table_of: TableOf) -> bool:
    """Whether a validator accepts a value."""
    name = kind[0]
    if name == "any":
        return True
    if name == "literal":
        return same(kind[1], value)
    if name == "id":
        return isinstance(value, str) and table_of(value) == kind[1]
    if name == "array":
        return isinstance(value, list) and all(fits(kind[1], item, table_of) for item in value)
    if name == "record":
        return isinstance(value, dict) and all(fits(kind[1], item, table_of) for item in value.values())
    if name == "union":
        return any(fits(member, value, table_of) for member in kind[1])
    if name == "object":
        return (
            isinstance(value, dict)
            and value.keys() <= kind[1].keys()
            and all(
                fits(member, value[field], table_of) if field in value else is_optional
                for field, (member, is_optional) in kind[1].items()
            )
        )
    return KINDS[name](value)


def schema_of(schema: SchemaShape) -> Schema:
    """The house's form of a schema."""
    tables = {}
    for name, shape in schema.tables.items():
        table = define_table(validator_of(shape.document))
        for index, declared in shape.indexes.items():
            table = table.index(index, declared.path, staged=declared.is_staged)
        tables[name] = table
    return define_schema(tables, schema_validation=schema.validates)


def validator_of(kind: Kind) -> Validator:
    """The house's form of a validator."""
    name = kind[0]
    if name in ("literal", "id"):
        return getattr(v, name)(kind[1])  # type: ignore[no-any-return]
    if name == "array":
        return v.array(validator_of(kind[1]))
    if name == "record":
        return v.record(v.string(), validator_of(kind[1]))
    if name == "union":
        return v.union(*map(validator_of, kind[1]))
    if name == "object":
        return v.object(
            {
                field: v.optional(validator_of(member)) if is_optional else validator_of(member)
                for field, (member, is_optional) in kind[1].items()
            }
        )
    return getattr(v, name)()  # type: ignore[no-any-return]


def source_of(kind: Kind) -> str:
    """A validator as an author writes it."""
    name = kind[0]
    if name in ("literal", "id"):
        return f"v.{name}({kind[1]!r})"
    if name == "array":
        return f"v.array({source_of(kind[1])})"
    if name == "record":
        return f"v.record(v.string(), {source_of(kind[1])})"
    if name == "union":
        return f"v.union({', '.join(map(source_of, kind[1]))})"
    if name == "object":
        fields = (
            f"{field!r}: v.optional({source_of(member)})"
            if is_optional
            else f"{field!r}: {source_of(member)}"
            for field, (member, is_optional) in kind[1].items()
        )
        return f"v.object({{{', '.join(fields)}}})"
    return f"v.{name}()"


def source_of_schema(schema: SchemaShape) -> str:
    """A schema as an author writes it."""
    tables = []
    for name, shape in schema.tables.items():
        line = f"    {name!r}: define_table({source_of(shape.document)})"
        for index, declared in shape.indexes.items():
            staged = ", staged=True" if declared.is_staged else ""
            line += f".index({index!r}, {list(declared.path)!r}{staged})"
        tables.append(line + ",\n")
    flag = "" if schema.validates else ", schema_validation=False"
    return f"define_schema({{\n{''.join(tables)}}}{flag})" if tables else f"define_schema({{}}{flag})"


LITERALS: tuple[Value, ...] = ("a", "", True, False, 1.0, -0.0, 0.0, Int64(0), Int64(1))
