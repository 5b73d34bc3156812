"""Codecs of unions: finding the member that a value, or an object, belongs to.

Floor 1, `schema`, on `codec`; asked by `type_codec`. A value goes to the first member whose validator accepts
its shape. Ids are told apart by the check, not here: to Python they are all strings. So two classes that
differ only in the table of an id are not told apart; give them a `Literal` field that says which.
"""

from __future__ import annotations

from typing import Any

from rewake.schema.codec import Native, OrNull, TypeCodec, combined
from rewake.schema.plain_values import plain_value
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VCommitTs,
    VInt64,
    VLiteral,
    VNull,
    VUnion,
)
from rewake.values import UNSET, Int64, InvalidValue


def union_codec(codecs: list[TypeCodec]) -> TypeCodec:
    """The codec of a union; of one member, that member's own."""
    if len(codecs) == 1:
        return codecs[0]
    members = _flattened([codec.validator for codec in codecs])
    rest = [codec for codec in codecs if not isinstance(codec.validator, VNull)]
    if len(rest) == 1 and len(codecs) == 2:
        return _nullable(VUnion(members), rest[0])
    validators = [codec.validator for codec in codecs]

    def decode(value: Any) -> Any:
        for codec in codecs:
            if codec.validator.accepts(value, None):
                return codec.to_python(value)
        raise AssertionError("a value that no member of its union accepts")

    has_int64 = any(isinstance(x, VInt64 | VCommitTs) for x in validators)
    has_float64 = any(x.kind == "float64" for x in validators)

    def encode(thing: object) -> Any:
        if thing is UNSET:
            return UNSET
        if type(thing) is int:
            return Int64(thing) if has_int64 and not has_float64 else plain_value(thing)
        # Only a member that the object fits makes a value that the member accepts; others may refuse it
        # outright.
        for codec in codecs:
            try:
                value = codec.encode(thing)
            except InvalidValue:
                continue
            if codec.validator.accepts(value, None):
                return value
        return plain_value(thing)

    changes = any(codec.decode is not None for codec in codecs)
    return TypeCodec(VUnion(members), decode if changes else None, encode=encode)


def _nullable(validator: Validator, inner: TypeCodec) -> TypeCodec:
    """`T | None`, by far the commonest union, without a search."""
    decode_inner, encode_inner = inner.decode, inner.encode

    def decode(value: Any) -> Any:
        assert decode_inner is not None
        return None if value is None else decode_inner(value)

    def encode(thing: object) -> Any:
        return None if thing is None else encode_inner(thing)

    # msgspec, asked to take `1.0` for an int, also takes the literal "null" for None.
    literal = isinstance(inner.validator, VLiteral | VUnion)
    return TypeCodec(
        validator,
        None if decode_inner is None else decode,
        encode=encode,
        native=Native.NO if literal else combined([inner.native]),
        attributes=inner.attributes,
        made_of=OrNull(inner),
    )


def _flattened(validators: list[Validator]) -> tuple[Validator, ...]:
    """Members of nested unions beside the others, as `Literal["a", "b"] | None` is meant."""
    members: list[Validator] = []
    for validator in validators:
        nested = isinstance(validator, VUnion) and not validator.constraints
        for member in validator.members if nested and isinstance(validator, VUnion) else (validator,):
            if not any(member == other for other in members):
                members.append(member)
    return tuple(members)
