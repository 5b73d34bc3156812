"""A codec: the three faces of one type hint.

Floor 1, `schema`. `type_codec` makes codecs; tables, arguments and results use them:

    validator      what a value must be
    to_python      a value that the validator accepted -> what the author's code sees
    to_value       what the author's code gives -> a value, for the validator to judge

Only `to_python` may rely on a check before it. `to_value` takes anything, because a handler may return what
its annotation forbids; then the value is the object's natural one and the validator says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from rewake.schema.validator import Validator
from rewake.values import Unset, Value


class Purpose(Enum):
    """Which way values go, where that changes what a class with defaults promises."""

    INPUT = "callers send it: a field with a default may be left out"
    OUTPUT = "it is stored or returned: a field with a default is always there"


class Native(Enum):
    """Whether `msgspec.json` decodes canonical text of this type to the very same objects."""

    NO = "no; decode to a value first"
    STRICT = "yes"
    WHOLE_NUMBERS = "yes, if it may take `1.0` for an int"


class ListOf(msgspec.Struct, frozen=True):
    """An array of elements of one type."""

    codec: TypeCodec


class OrNull(msgspec.Struct, frozen=True):
    """Null, or something of a type."""

    codec: TypeCodec


class FieldOf(msgspec.Struct, frozen=True):
    """A field of a class: the attribute, the name under which it is stored, and its type."""

    attribute: str
    stored: str
    codec: TypeCodec
    is_optional: bool


class InstanceOf(msgspec.Struct, frozen=True):
    """An object whose fields are attributes of an instance."""

    kind: type
    fields: tuple[FieldOf, ...]


@dataclass(slots=True, eq=False)
class TypeCodec:
    """See the head of this module. Immutable once the type that it stands for is complete."""

    validator: Validator
    decode: Callable[[Any], Any] | None = None
    """None: the value itself is what the author sees."""
    encode: Callable[[Any], Any] = field(kw_only=True)
    """Gives UNSET for UNSET; everything else becomes a value."""
    native: Native = Native.NO
    attributes: Mapping[str, tuple[str, TypeCodec]] | None = None
    """For a class with fields: Python attribute -> (stored name, codec)."""
    made_of: ListOf | OrNull | InstanceOf | None = None
    """For a type whose objects can be written part by part (`text_writers`)."""

    def to_python(self, value: Value) -> Any:
        """What the author's code sees of a value that `validator` accepted.

        Raises:
            ValidationFailed: a class of the author's refused the value when it was constructed.
        """
        return value if self.decode is None else self.decode(value)

    def to_value(self, thing: object) -> Value:
        """The value of an author's object, not yet checked. UNSET as a whole is null (semantics 1.6).

        Raises:
            InvalidValue: the object stands for no value at all.
        """
        value: Value | Unset = self.encode(thing)
        return None if isinstance(value, Unset) else value

    def stored_path(self, path: str) -> str:
        """A dotted path of Python attributes under stored names; unknown steps stay as they are."""
        head, dot, rest = path.partition(".")
        if self.attributes is None or head not in self.attributes:
            return path
        stored, inner = self.attributes[head]
        return f"{stored}.{inner.stored_path(rest)}" if dot else stored

    def at(self, path: str) -> TypeCodec | None:
        """The codec of the field at a dotted path of stored names, where the type says."""
        head, dot, rest = path.partition(".")
        for stored, inner in (self.attributes or {}).values():
            if stored == head:
                return inner.at(rest) if dot else inner
        return None


def combined(natives: list[Native]) -> Native:
    """How a whole decodes, from how its parts do."""
    if Native.NO in natives:
        return Native.NO
    return Native.WHOLE_NUMBERS if Native.WHOLE_NUMBERS in natives else Native.STRICT
