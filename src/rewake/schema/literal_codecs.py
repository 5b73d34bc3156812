"""Codecs of `Literal[...]` and of enums: a few values, each with its own Python object.

Floor 1, `schema`, on `codec`; asked by `type_codec`. `Literal[1]` is the Float64 1.0 and comes back as the
int 1; an enum's members are stored as their values and come back as members.
"""

from __future__ import annotations

import enum
from typing import Any

from rewake.errors import InvalidInput
from rewake.schema.builders import v
from rewake.schema.codec import Native, TypeCodec
from rewake.schema.errors import UnsupportedType
from rewake.schema.plain_values import plain_value
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VNull,
    VUnion,
)


def literal_codec(members: tuple[Any, ...], *, where: str) -> TypeCodec:
    """The codec of these literals or enum members.

    Raises:
        UnsupportedType: one of them is not a string, number, boolean or null.
    """
    objects: dict[tuple[type, Any], Any] = {}
    validators: list[Validator] = []
    changes = False
    for member in members:
        try:
            value = plain_value(member)
            validators.append(VNull() if value is None else v.literal(value))
        except InvalidInput:
            raise UnsupportedType(
                f"{where}: {member!r} cannot be a literal; use strings, numbers, booleans or None"
            ) from None
        # The type is part of the key because Python's True, 1 and 1.0 are one dict key.
        objects[type(value), value] = member
        changes = changes or type(member) is not type(value)

    def decode(value: Any) -> Any:
        return objects[type(value), value]

    plain = all(type(member) is str for member in members)
    return TypeCodec(
        validators[0] if len(validators) == 1 else VUnion(tuple(validators)),
        decode if changes else None,
        encode=plain_value,
        native=Native.STRICT if plain or _is_enum_of_strings(members) else Native.NO,
    )


def _is_enum_of_strings(members: tuple[Any, ...]) -> bool:
    return all(isinstance(member, enum.Enum) and type(member.value) is str for member in members)
