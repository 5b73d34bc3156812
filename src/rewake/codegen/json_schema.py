"""Validators as JSON schemas: what a program without a client of ours writes and reads.

Floor 5, `codegen`. Arguments are sent in encoded form, results come as plain JSON (the format `json`), so
each validator has two schemas:

               sent                        received
    bigint     {"$integer": base64}        "5"
    bytes      {"$bytes": base64}          base64
    number     5.5                         5.5, "NaN", "Infinity", "-Infinity"

Numbers that JSON lacks can be sent as `{"$float": base64}` too; the schema of what is sent leaves it out, so
that clients made from it take plain numbers.

Source: JSON Schema 2020-12; wire 2.1, 2.5. Not here: operations (`openapi.py`).
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from rewake.codegen.function_spec import ValidatorJson
from rewake.codegen.python_types import camel
from rewake.codegen.typescript import table_of

REF = "#/components/schemas/{name}"

_BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
_BASE64_OF_8_BYTES = r"^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$"

_SHARED: dict[str, dict[str, Any]] = {
    "SentInt64": {
        "description": "A whole number of 64 bits: its 8 bytes, the lowest first, as base64.",
        "type": "object",
        "required": ["$integer"],
        "properties": {"$integer": {"type": "string", "pattern": _BASE64_OF_8_BYTES}},
        "additionalProperties": False,
    },
    "SentBytes": {
        "description": "Bytes as base64.",
        "type": "object",
        "required": ["$bytes"],
        "properties": {"$bytes": {"type": "string", "pattern": _BASE64}},
        "additionalProperties": False,
    },
    "Int64": {
        "description": "A whole number of 64 bits in decimal digits.",
        "type": "string",
        "pattern": "^-?[0-9]{1,19}$",
    },
    "Bytes": {"description": "Bytes as base64.", "type": "string", "pattern": _BASE64},
    "Float64": {
        "description": "A number; those that JSON lacks come as text.",
        "anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}],
    },
}
_SIMPLE: dict[str, dict[str, Any]] = {
    "any": {},
    "boolean": {"type": "boolean"},
    "map": {},
    "null": {"type": "null"},
    "set": {},
    "string": {"type": "string"},
}


class Direction(enum.Enum):
    """Which way a value goes."""

    SENT = "sent"
    RECEIVED = "received"


_NUMBERS: dict[Direction, dict[str, str]] = {
    Direction.SENT: {"bigint": "SentInt64", "bytes": "SentBytes", "commitTs": "SentInt64"},
    Direction.RECEIVED: {
        "bigint": "Int64",
        "bytes": "Bytes",
        "commitTs": "Int64",
        "number": "Float64",
    },
}


class SchemaWriter(msgspec.Struct):
    """Turns validators into schemas, and gathers what they refer to.

    `documents` maps the `shape` of a stored document to its table; received documents are schemas of their
    own, named after it.
    """

    documents: Mapping[str, str] = msgspec.field(default_factory=dict)
    components: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    """Grows as schemas are written."""
    _of_tables: dict[str, str] = msgspec.field(default_factory=dict)

    def schema_of(self, validator: ValidatorJson, direction: Direction) -> dict[str, Any]:
        """The schema of the values that `validator` accepts.

        Raises:
            ValueError: the validator is of a kind that semantics 2.1 does not know.
        """
        kind = validator["type"]
        if kind in _SIMPLE:
            return dict(_SIMPLE[kind])
        if shared := _NUMBERS[direction].get(kind):
            self.components[shared] = _SHARED[shared]
            return _ref(shared)
        if direction is Direction.RECEIVED and (table := table_of(validator, self.documents)):
            return self._document(table, validator)
        return self._spelled_out(validator, direction)

    def _spelled_out(self, validator: ValidatorJson, direction: Direction) -> dict[str, Any]:
        match validator["type"]:
            case "number":
                return {"type": "number"}
            case "id":
                table = validator["tableName"]
                return {"type": "string", "description": f"The id of a document of `{table}`."}
            case "literal":
                return {"const": _literal(validator["value"], direction)}
            case "array":
                return {"type": "array", "items": self.schema_of(validator["value"], direction)}
            case "record":
                values = validator["values"]["fieldType"]
                return {"type": "object", "additionalProperties": self.schema_of(values, direction)}
            case "union":
                members = [self.schema_of(member, direction) for member in validator["value"]]
                return {"anyOf": members} if members else {"not": {}}
            case "object":
                return self._object(validator, direction)
        raise ValueError(f"unknown validator {validator['type']!r}")

    def _object(self, validator: ValidatorJson, direction: Direction) -> dict[str, Any]:
        fields = sorted(validator["value"].items())
        required = [name for name, of in fields if not of["optional"]]
        return {
            "type": "object",
            "properties": {name: self.schema_of(of["fieldType"], direction) for name, of in fields},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def _document(self, table: str, validator: ValidatorJson) -> dict[str, Any]:
        if table not in self._of_tables:
            name, number = f"{camel(table)}Document", 2
            while name in self._of_tables.values():
                name, number = f"{camel(table)}Document{number}", number + 1
            self._of_tables[table] = name
            schema = self._spelled_out(validator, Direction.RECEIVED)
            self.components[name] = {"description": f"A document of the table `{table}`.", **schema}
        return _ref(self._of_tables[table])


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": REF.format(name=name)}


def _literal(value: Any, direction: Direction) -> Any:
    if direction is Direction.SENT or not isinstance(value, Mapping):
        return value
    return str(int.from_bytes(base64.b64decode(value["$integer"]), "little", signed=True))
