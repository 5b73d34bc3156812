"""`v`: validators written out, for what type hints cannot say and for tables without a class.

Floor 1, `schema`, on `validators`. The names and the errors are those of the official library, with Python
names only where Python demands it (`v.commit_ts`), so a schema can be carried over line by line:

    v.object({"body": v.string(), "tags": v.optional(v.array(v.string()))})

Also here: reading an exported validator back (`validator_from_json`), and `CommitTs`, the one annotation that
is a type with a validator of its own. Not here: validators from type hints
(`type_codec`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from rewake.errors import InvalidInput
from rewake.schema.errors import InvalidValidator
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VArray,
    VBoolean,
    VBytes,
    VCommitTs,
    VFloat64,
    VId,
    VInt64,
    VLiteral,
    VNull,
    VObject,
    VRecord,
    VString,
    VUnion,
)
from rewake.values import Int64, check_identifier, decode, normalize

_UNDEFINED = (
    "A validator is undefined{which} in {where}. This is often caused by circular imports. "
    "See https://docs.convex.dev/error#undefined-validator for details."
)


def _undefined(where: str, which: str = "") -> InvalidValidator:
    return InvalidValidator(_UNDEFINED.format(where=where, which=which))


def object_fields(fields: Mapping[str, Any], *, where: str = "v.object()") -> dict[str, Validator]:
    """Check a mapping of names to validators, as `v.object`, arguments and tables take it."""
    checked: dict[str, Validator] = {}
    for name, validator in fields.items():
        if validator is None:
            raise _undefined(where, f' for field "{name}"')
        if not isinstance(validator, Validator):
            raise InvalidValidator(f"{where} entries must be validators")
        try:
            if not isinstance(name, str):
                raise InvalidInput("Field names must be strings")
            check_identifier(name)
        except InvalidInput as error:
            raise InvalidValidator(f"Invalid validator for key `{name}`: {error}") from None
        checked[name] = validator
    return checked


def as_object_validator(fields: Validator | Mapping[str, Any]) -> Validator:
    """A validator as it is; a plain mapping of fields as an object validator."""
    return fields if isinstance(fields, Validator) else VObject(object_fields(fields))


def _check_record_key(key: Validator) -> None:
    members = key.members if isinstance(key, VUnion) else (key,)
    for member in members:
        if isinstance(member, VLiteral) and isinstance(member.value, str):
            raise InvalidValidator("Records cannot have string literal keys")
        if isinstance(member, VUnion):
            _check_record_key(member)
        elif not isinstance(member, VString | VId):
            raise InvalidValidator(
                "Records can only have string keys. Your validator contains a record with key typed as "
                f"`{key.render()}`, which is not a subtype of `v.string()`"
            )


class Builders:
    """The namespace `v`."""

    def id(self, table: object) -> VId:
        """An id of `table`, which is a table's name or a document class."""
        name = table if isinstance(table, str) else getattr(table, "__table__", None)
        if not isinstance(name, str):
            raise InvalidValidator("v.id(tableName) requires a string")
        return VId(name)

    def null(self) -> VNull:
        """None."""
        return VNull()

    def float64(self) -> VFloat64:
        """A JavaScript number."""
        return VFloat64()

    number = float64

    def int64(self) -> VInt64:
        """A JavaScript bigint, `Int64` in Python."""
        return VInt64()

    bigint = int64

    def commit_ts(self) -> VCommitTs:
        """The timestamp of the commit that wrote the field."""
        return VCommitTs()

    def boolean(self) -> VBoolean:
        """True or False."""
        return VBoolean()

    def string(self) -> VString:
        """Any string."""
        return VString()

    def bytes(self) -> VBytes:
        """Any bytes."""
        return VBytes()

    def any(self) -> VAny:
        """Every value."""
        return VAny()

    def literal(self, value: str | bool | int | float | Int64) -> VLiteral:
        """Exactly this value, of exactly this type; a plain int is a Float64."""
        if not isinstance(value, str | bool | int | float):
            raise InvalidValidator("v.literal(value) must be a string, number, or boolean")
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidValidator("Infinite or NaN values are not supported in literal validators.")
        normal = normalize(value)
        assert isinstance(normal, str | bool | float | Int64)
        return VLiteral(normal)

    def array(self, element: Validator) -> VArray:
        """An array of such elements."""
        if element is None:
            raise _undefined("v.array()")
        if not isinstance(element, Validator):
            raise InvalidValidator("v.array() element must be a validator")
        return VArray(element)

    def object(self, fields: Mapping[str, Validator]) -> VObject:
        """An object of exactly these fields."""
        return VObject(object_fields(fields))

    def record(self, key: Validator, value: Validator) -> VRecord:
        """An object with any number of fields, whose names match `key` and whose values match `value`."""
        for name, validator in (("key", key), ("value", value)):
            if validator is None:
                raise _undefined("v.record()", f' for field "{name}"')
            if not isinstance(validator, Validator):
                raise InvalidValidator("Key and value of v.record() must be validators")
        if key.is_optional:
            raise InvalidValidator("Record validator cannot have optional keys")
        if value.is_optional:
            raise InvalidValidator("Record validator cannot have optional values")
        _check_record_key(key)
        return VRecord(key, value)

    def union(self, *members: Validator) -> VUnion:
        """A value that one of the members accepts."""
        for i, member in enumerate(members):
            if member is None:
                raise _undefined("v.union()", f' for field "member at index {i}"')
            if not isinstance(member, Validator):
                raise InvalidValidator("All members of v.union() must be validators")
        return VUnion(members)

    def optional(self, validator: Validator) -> Validator:
        """The field of an object may be absent."""
        return validator.optional()

    def nullable(self, validator: Validator) -> VUnion:
        """The value or None."""
        return self.union(validator, VNull())


v = Builders()

CommitTs: TypeAlias = Annotated[Int64, VCommitTs()]
"""A field that holds the timestamp of the commit that wrote it: give it `ctx.db.vars.commit_ts`.

An Int64 to everybody but the mutation itself, nanoseconds since the epoch, greater with every commit.
"""

_BY_TYPE: dict[str, type[Validator]] = {
    "null": VNull,
    "number": VFloat64,
    "bigint": VInt64,
    "commitTs": VCommitTs,
    "boolean": VBoolean,
    "string": VString,
    "bytes": VBytes,
    # Old deployments exported `set` and `map`, which never stored anything that they could check.
    "any": VAny,
    "set": VAny,
    "map": VAny,
}


def validator_from_json(data: Mapping[str, Any]) -> Validator:
    """Read an exported validator (semantics 2.1) back.

    Raises:
        InvalidValidator: it is none.
    """
    try:
        kind = data["type"]
        if kind in _BY_TYPE:
            return _BY_TYPE[kind]()
        match kind:
            case "id":
                return v.id(data["tableName"])
            case "literal":
                value: Any = decode(json.dumps(data["value"]))
                return v.literal(value)
            case "array":
                return v.array(validator_from_json(data["value"]))
            case "object":
                return v.object({name: _field_from_json(x) for name, x in data["value"].items()})
            case "record":
                return v.record(validator_from_json(data["keys"]), _field_from_json(data["values"]))
            case "union":
                return v.union(*map(validator_from_json, data["value"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidValidator(f"Malformed validator JSON: {error!r}") from error
    raise InvalidValidator(f"Unknown validator type {kind!r}")


def _field_from_json(data: Mapping[str, Any]) -> Validator:
    inner = validator_from_json(data["fieldType"])
    return inner.optional() if data.get("optional", False) else inner
