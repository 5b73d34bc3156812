"""Validators as TypeScript types.

Floor 5, `codegen`. Each validator of semantics 2.1 has the type that the official generator would infer for
it: numbers are `number`, bigints `bigint`, bytes `ArrayBuffer`, an optional field is `name?:`. Types are
spelled out (decision 0003), with two names for readers: `Id<"table">`, and `Doc<"table">` for a validator
that equals the stored document of a table.

Not here: line breaks (`layout.py`).
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rewake.codegen.function_spec import ValidatorJson
from rewake.codegen.layout import Node, Part, Union, Word, generic, literal_object

SYSTEM_TABLES = frozenset({"_scheduled_functions", "_storage"})
"""Tables that the official `SystemTableNames` knows."""

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")

_SIMPLE = {
    "any": "any",
    "bigint": "bigint",
    "boolean": "boolean",
    "bytes": "ArrayBuffer",
    "commitTs": "bigint",
    "map": "any",
    "null": "null",
    "number": "number",
    "set": "any",
    "string": "string",
}


class TypeWriter(msgspec.Struct):
    """Turns validators into types, and remembers which names the file must import.

    `tables` are the tables of the schema, or None when there is none and every name is a table. `documents`
    maps the `shape` of a stored document to its table; leave it empty where documents are to be spelled
    out.
    """

    tables: frozenset[str] | None = None
    documents: Mapping[str, str] = msgspec.field(default_factory=dict)
    imports: set[str] = msgspec.field(default_factory=set)
    """Grows as types are written: of `Doc`, `GenericId`, `Id`."""

    def type_of(self, validator: ValidatorJson) -> Node:
        """The type of the values that `validator` accepts.

        Raises:
            ValueError: the validator is of a kind that semantics 2.1 does not know.
        """
        kind = validator["type"]
        if kind in _SIMPLE:
            return Word(_SIMPLE[kind])
        if table := table_of(validator, self.documents):
            self.imports.add("Doc")
            return Word(f"Doc<{quote(table)}>")
        match kind:
            case "id":
                return self.id_of(validator["tableName"])
            case "literal":
                return Word(literal(validator["value"]))
            case "array":
                return generic("Array", [self.type_of(validator["value"])])
            case "object":
                return literal_object(self.fields_of(validator))
            case "record":
                keys, values = validator["keys"], validator["values"]["fieldType"]
                return generic("Record", [self.type_of(keys), self.type_of(values)])
            case "union":
                return union(self.type_of(member) for member in validator["value"])
        raise ValueError(f"unknown validator {kind!r}")

    def fields_of(self, validator: ValidatorJson, *, first: Sequence[str] = ()) -> list[Part]:
        """The fields of an object validator: those named `first`, then the others by name."""
        fields = validator["value"]
        names = [*first, *sorted(fields.keys() - set(first))]
        return [
            Part(
                f"{key(name)}{'?' if fields[name]['optional'] else ''}: ",
                self.type_of(fields[name]["fieldType"]),
            )
            for name in names
        ]

    def id_of(self, table: str) -> Node:
        """The id type of a table; one that the schema does not name has the official generic type."""
        is_known = self.tables is None or table in self.tables or table in SYSTEM_TABLES
        name = "Id" if is_known else "GenericId"
        self.imports.add(name)
        return Word(f"{name}<{quote(table)}>")


def union(nodes: Iterable[Node]) -> Node:
    """Alternatives, each once; none at all accept nothing."""
    distinct = tuple(dict.fromkeys(nodes))
    if not distinct:
        return Word("never")
    return distinct[0] if len(distinct) == 1 else Union(distinct)


def quote(text: str) -> str:
    """A string literal."""
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def key(name: str) -> str:
    """A property name, quoted only where it must be."""
    return name if _IDENTIFIER.fullmatch(name) else quote(name)


def literal(value: Any) -> str:
    """A literal type from the encoded value of a literal validator.

    Raises:
        ValueError: no literal type stands for the value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) <= 2**53 else repr(value)
    if isinstance(value, Mapping) and "$integer" in value:
        number = int.from_bytes(base64.b64decode(value["$integer"]), "little", signed=True)
        return f"{number}n"
    raise ValueError(f"no literal type for {value!r}")


def shape(validator: ValidatorJson) -> str:
    """A text that equal validators share, whatever the order of their fields."""
    return json.dumps(validator, sort_keys=True)


def table_of(validator: ValidatorJson, documents: Mapping[str, str]) -> str | None:
    """The table of which `validator` is the stored document; `documents` maps shapes to tables."""
    members = validator["value"] if validator["type"] == "union" else (validator,)
    # A look before the shape is written: in large projects most objects are no documents.
    if not documents or not any(one["type"] == "object" and "_id" in one["value"] for one in members):
        return None
    return documents.get(shape(validator))


def document_validators(schema: Mapping[str, Any] | None) -> dict[str, ValidatorJson]:
    """For each table the validator of its stored documents, system fields included (semantics 2.1)."""
    if schema is None:
        return {}
    return {
        table["tableName"]: _stored(table["tableName"], table.get("documentType") or {"type": "any"})
        for table in schema["tables"]
    }


def document_shapes(schema: Mapping[str, Any] | None) -> dict[str, str]:
    """From the shape of a table's stored documents to its name; a table of `any` has none."""
    stored = document_validators(schema)
    return {shape(validator): table for table, validator in stored.items() if validator["type"] != "any"}


def field_paths(validator: ValidatorJson, prefix: str = "") -> list[str]:
    """The paths of fields in a document, as literal types; `any` and records may have every path."""
    match validator["type"]:
        case "object":
            paths = []
            for name, of in sorted(validator["value"].items()):
                paths.append(quote(prefix + name))
                paths += field_paths(of["fieldType"], f"{prefix}{name}.")
            return paths
        case "union":
            return _distinct(path for member in validator["value"] for path in field_paths(member, prefix))
        case "any" | "record" | "set" | "map":
            return [f"`{prefix}${{string}}`"] if prefix else ["string"]
    return []


def _stored(table: str, validator: ValidatorJson) -> ValidatorJson:
    if validator["type"] == "union":
        return {"type": "union", "value": [_stored(table, member) for member in validator["value"]]}
    if validator["type"] != "object":
        return validator
    system = {
        "_creationTime": {"fieldType": {"type": "number"}, "optional": False},
        "_id": {"fieldType": {"type": "id", "tableName": table}, "optional": False},
    }
    return {"type": "object", "value": {**validator["value"], **system}}


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
