"""Codecs of classes with fields: closed objects on one side, instances on the other.

Floor 1, `schema`, on `codec` and `class_fields`; asked by `type_codec`. This is where most of the time of
encoding results goes, so the loops below run over tuples prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from rewake.schema.class_fields import ClassField, ClassShape
from rewake.schema.codec import FieldOf, InstanceOf, Native, TypeCodec, combined
from rewake.schema.errors import UnsupportedType
from rewake.schema.mismatch import does_not_match
from rewake.schema.plain_values import AS_THEY_ARE, plain_value
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VObject,
)
from rewake.values import UNSET, InvalidName, check_identifier


class FieldCodec(msgspec.Struct, frozen=True):
    """One field of a class with its codec."""

    field: ClassField
    codec: TypeCodec
    is_optional: bool
    """It may be absent from the value."""


def object_codec(kind: type, shape: ClassShape, fields: list[FieldCodec]) -> TypeCodec:
    """The codec of a class.

    Raises:
        UnsupportedType: a field's stored name cannot be the name of a declared field.
    """
    validator = VObject({x.field.stored: _field_validator(kind, x) for x in fields})
    natives = [x.codec.native for x in fields]
    return TypeCodec(
        validator,
        _decoder(shape, fields, validator),
        encode=_mapping_encoder(fields) if shape.is_mapping else _instance_encoder(kind, fields),
        native=combined(natives) if shape.is_struct else Native.NO,
        attributes=_attributes(kind, fields),
        made_of=None if shape.is_mapping else InstanceOf(kind, tuple(map(_part, fields))),
    )


def _part(field: FieldCodec) -> FieldOf:
    return FieldOf(field.field.name, field.field.stored, field.codec, field.is_optional)


def _field_validator(kind: type, field: FieldCodec) -> Validator:
    try:
        check_identifier(field.field.stored)
    except InvalidName as error:
        raise UnsupportedType(f"{kind.__name__}.{field.field.name}: {error}") from None
    inner = field.codec.validator
    return inner.optional() if field.is_optional else inner.required()


def _attributes(kind: type, fields: list[FieldCodec]) -> dict[str, tuple[str, TypeCodec]]:
    found = {x.field.name: (x.field.stored, x.codec) for x in fields}
    if getattr(kind, "__table__", None) is not None:
        found |= {"id": found["_id"], "creation_time": found["_creationTime"]}
    return found


def _decoder(
    shape: ClassShape, fields: list[FieldCodec], validator: Validator
) -> Callable[[Any], Any] | None:
    if shape.is_mapping and all(x.codec.decode is None for x in fields):
        return None
    construct = shape.construct
    steps = tuple((x.field.stored, x.field.name, x.codec.decode) for x in fields if x.field.constructed)

    def refused(value: Any, error: Exception) -> Exception:
        return does_not_match(value, path=(), validator=validator.render(), constraint=str(error))

    def decode_mapping(value: dict[str, Any]) -> Any:
        # pydantic does its own conversion of whatever lies inside.
        try:
            return construct(value)
        except ValueError as error:
            raise refused(value, error) from error

    def decode(value: dict[str, Any]) -> Any:
        found = {}
        for stored, name, inner in steps:
            if stored in value:
                found[name] = value[stored] if inner is None else inner(value[stored])
        try:
            return construct(**found)
        except (ValueError, TypeError) as error:
            # Raised by the author's `__post_init__`: a demand on the value like any constraint.
            raise refused(value, error) from error

    return decode_mapping if shape.from_mapping else decode


def _instance_encoder(kind: type, fields: list[FieldCodec]) -> Callable[[object], Any]:
    """Written as source, a third of the time of a loop: results of queries are mostly instances."""
    encode_mapping = _mapping_encoder(fields)

    def other(thing: object) -> Any:
        return encode_mapping(thing) if isinstance(thing, Mapping) else plain_value(thing)

    namespace: dict[str, Any] = {"kind": kind, "other": other, "UNSET": UNSET, "AS_THEY_ARE": AS_THEY_ARE}
    lines = [
        "def encode(thing):",
        "    if not isinstance(thing, kind): return other(thing)",
        "    value = {}",
    ]
    for i, x in enumerate(fields):
        assert x.field.name.isidentifier(), "a field that is no attribute"
        namespace[f"k{i}"], namespace[f"e{i}"] = x.field.stored, x.codec.encode
        plain = "x if type(x) in AS_THEY_ARE else " if x.codec.encode is plain_value else ""
        lines += [
            f"    x = thing.{x.field.name}",
            f"    if x is not UNSET: value[k{i}] = {plain}e{i}(x)",
        ]
    exec(compile("\n".join([*lines, "    return value"]), "<rewake encoder>", "exec"), namespace)
    encode: Callable[[object], Any] = namespace["encode"]
    return encode


def _mapping_encoder(fields: list[FieldCodec]) -> Callable[[object], Any]:
    """A dict under stored names, as tables without a class and TypedDicts have it."""
    encoders = {x.field.stored: x.codec.encode for x in fields}

    def encode(thing: object) -> Any:
        if not isinstance(thing, Mapping):
            return plain_value(thing)
        value = {}
        for name, part in thing.items():
            if part is not UNSET:
                stored = plain_value(name)
                if not isinstance(stored, str):
                    # The refusal of names that are no strings belongs to `normalize`.
                    return plain_value(thing)
                inner = encoders.get(stored)
                value[stored] = plain_value(part) if inner is None else inner(part)
        return value

    return encode
