"""From a type hint to its codec.

Floor 1, `schema`, on `annotations`, `class_fields`, `field_codecs`; `documents`, `arguments` and `schemas`
ask here.

    str bool float bytes None Any        themselves
    int                                  v.float64() and whole; Int64 is the bigint
    CommitTs, CommitTsPlaceholder        v.commit_ts(), and so is `Int64 | CommitTsPlaceholder`
    list tuple dict Sequence Mapping     arrays and records
    Literal Enum                         unions of literals
    X | Y                                unions; `float | int` is one number
    Id[...]                              v.id(table)
    msgspec struct, dataclass, TypedDict, pydantic model, document class     closed objects
    Annotated                            constraints, or an explicit validator (`Annotated[T, v.any()]`)

One `CodecBuilder` lives for one question. It remembers the classes that it is in the middle of: a class that
meets itself again becomes `any` on the outside and is checked in full inside (`VRecursive`).
"""

from __future__ import annotations

import collections.abc
import enum
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ForwardRef, Literal, NewType, TypeVar, Union, get_args, get_origin

from rewake.schema.annotations import NO_SCOPE, Scope, class_names, evaluate, module_names
from rewake.schema.builders import v
from rewake.schema.class_fields import SYSTEM_FIELDS, ClassField, shape_of
from rewake.schema.codec import ListOf, Native, Purpose, TypeCodec, combined
from rewake.schema.constraints import WHOLE_NUMBER, Constraint, constraints_of
from rewake.schema.errors import InvalidValidator, UnsupportedType
from rewake.schema.field_codecs import FieldCodec, object_codec
from rewake.schema.ids import IdOf
from rewake.schema.literal_codecs import literal_codec
from rewake.schema.plain_values import plain_value
from rewake.schema.refusals import advice_for
from rewake.schema.union_codecs import union_codec
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VBoolean,
    VBytes,
    VCommitTs,
    VFloat64,
    VInt64,
    VNull,
    VRecursive,
    VString,
    VUnion,
)
from rewake.values import UNSET, CommitTsPlaceholder, Int64, Unset

_ARRAYS = {
    list: list,
    tuple: tuple,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
}
_RECORDS = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})
_UNIONS = frozenset({Union, types.UnionType})


def _encode_int64(thing: object) -> Any:
    # An `Int64` annotation is the author's word that a plain int here is a bigint.
    return Int64(thing) if type(thing) is int else plain_value(thing)


def _scalar(validator: Validator, native: Native = Native.STRICT) -> TypeCodec:
    return TypeCodec(validator, encode=plain_value, native=native)


_SCALARS: dict[Any, Callable[[], TypeCodec]] = {
    str: lambda: _scalar(VString()),
    bool: lambda: _scalar(VBoolean()),
    float: lambda: _scalar(VFloat64()),
    bytes: lambda: _scalar(VBytes(), Native.NO),
    type(None): lambda: _scalar(VNull()),
    None: lambda: _scalar(VNull()),
    Any: lambda: _scalar(VAny()),
    object: lambda: _scalar(VAny()),
    # `_is_whole` holds for every float that reaches int().
    int: lambda: TypeCodec(
        VFloat64(constraints=(WHOLE_NUMBER,)), int, encode=plain_value, native=Native.WHOLE_NUMBERS
    ),
    Int64: lambda: TypeCodec(VInt64(), encode=_encode_int64),
    CommitTsPlaceholder: lambda: TypeCodec(VCommitTs(), encode=_encode_int64),
}


class CodecBuilder:
    """Builds the codecs of one question; see the head of this module."""

    def __init__(self, *, scope: Scope, purpose: Purpose) -> None:
        self._scope = scope
        self._purpose = purpose
        self._done: dict[object, TypeCodec] = {}
        self._open: dict[object, list[TypeCodec]] = {}
        """Types being built -> [] until the codec is known; then that codec, for whoever waited."""

    def build(self, annotation: Any, *, names: Mapping[str, Any], where: str) -> TypeCodec:
        """The codec of an annotation whose strings have been evaluated in `names`.

        Raises:
            UnsupportedType: no value stands for the type. `where` says in the message which hint it was.
        """
        if isinstance(annotation, Validator):
            return _explicit(annotation, _SCALARS[Any]())
        if isinstance(annotation, ForwardRef | str):
            return self._forward(annotation, names=names, where=where)
        if getattr(annotation, "__hash__", None) is not None and annotation in _SCALARS:
            return _SCALARS[annotation]()
        if isinstance(annotation, TypeVar):
            return self.build(annotation.__bound__ or Any, names=names, where=where)
        if isinstance(annotation, NewType):
            return self.build(annotation.__supertype__, names=names, where=where)
        if type(annotation).__name__ == "TypeAliasType":
            value = annotation.__value__
            return self._once(annotation, lambda: self.build(value, names=names, where=where))
        origin = get_origin(annotation)
        if origin is Annotated:
            return self._annotated(annotation, names=names, where=where)
        if origin is Literal:
            return literal_codec(get_args(annotation), where=where)
        if origin in _UNIONS:
            return self._union(get_args(annotation), names=names, where=where)
        kind = origin or annotation
        if kind in _ARRAYS:
            return self._array(_ARRAYS[kind], get_args(annotation), names=names, where=where)
        if kind in _RECORDS:
            return self._record(get_args(annotation), names=names, where=where)
        if isinstance(kind, type):
            return self._class(annotation, kind, where=where)
        raise UnsupportedType(f"{where}: {annotation!r} is no type of value")

    def field(self, annotation: Any, *, names: Mapping[str, Any], where: str) -> tuple[TypeCodec, bool]:
        """The codec of a field or argument, and whether `| Unset` says that it may be absent."""
        members = list(get_args(annotation)) if get_origin(annotation) in _UNIONS else [annotation]
        if Unset not in members:
            return self.build(annotation, names=names, where=where), False
        rest = tuple(member for member in members if member is not Unset)
        if not rest:
            raise UnsupportedType(f"{where}: Unset alone is no type; write `T | Unset = UNSET`")
        return self._union(rest, names=names, where=where), True

    def _forward(self, reference: ForwardRef | str, *, names: Mapping[str, Any], where: str) -> TypeCodec:
        text = reference.__forward_arg__ if isinstance(reference, ForwardRef) else reference
        found = evaluate(text, {**self._scope.documents, **names}, where=where)
        return self._once(("forward", text), lambda: self.build(found, names=names, where=where))

    def _once(self, key: object, build: Callable[[], TypeCodec]) -> TypeCodec:
        """Build a named type once; where it meets itself, give a codec that asks for it later."""
        if key in self._done:
            return self._done[key]
        if key in self._open:
            return _recursive(self._open[key])
        waiting = self._open[key] = []
        made = build()
        waiting.append(made)
        del self._open[key]
        self._done[key] = made
        return made

    def _annotated(self, annotation: Any, *, names: Mapping[str, Any], where: str) -> TypeCodec:
        base, *marks = get_args(annotation)
        constraints: list[Constraint] = []
        explicit: Validator | None = None
        for mark in marks:
            if isinstance(mark, IdOf):
                table = self._scope.table_of(mark.reference, where=where, names=names)
                explicit = v.id(table)
            elif isinstance(mark, Validator):
                explicit = mark
            else:
                constraints.extend(constraints_of(mark))
        codec = self.build(base, names=names, where=where)
        if explicit is not None:
            codec = _explicit(explicit, codec)
        if constraints:
            codec.validator = _constrained(codec.validator, constraints, where=where)
            codec.made_of = None  # Its parts know nothing of them.
        return codec

    def _union(self, members: tuple[Any, ...], *, names: Mapping[str, Any], where: str) -> TypeCodec:
        if Unset in members:
            raise UnsupportedType(
                f"{where}: only a field or an argument can be Unset, since absent values do not exist "
                "elsewhere; "
                "write `| None` for a value that may be null"
            )
        if float in members:
            members = tuple(member for member in members if member is not int)
        if CommitTsPlaceholder in members:
            members = tuple(member for member in members if member is not Int64)
        return union_codec([self.build(member, names=names, where=where) for member in members])

    def _array(
        self, make: type, arguments: tuple[Any, ...], *, names: Mapping[str, Any], where: str
    ) -> TypeCodec:
        if make is tuple and arguments:
            if len(arguments) != 2 or arguments[1] is not Ellipsis:
                raise UnsupportedType(
                    f"{where}: arrays have one type of element; write tuple[T, ...], or a TypedDict or "
                    "dataclass for "
                    "a fixed group of fields"
                )
            arguments = arguments[:1]
        element = self.build(arguments[0] if arguments else Any, names=names, where=where)
        inner = element.decode

        def decode(value: list[Any]) -> Any:
            return make(value) if inner is None else make([inner(x) for x in value])

        encode_element = element.encode

        def encode(thing: object) -> Any:
            if isinstance(thing, list | tuple):
                return [encode_element(x) for x in thing]
            return plain_value(thing)

        identity = inner is None and make is list
        native = Native.NO if make is tuple else element.native
        return TypeCodec(
            v.array(element.validator),
            None if identity else decode,
            encode=encode,
            native=native,
            made_of=ListOf(element),
        )

    def _record(self, arguments: tuple[Any, ...], *, names: Mapping[str, Any], where: str) -> TypeCodec:
        key_type, value_type = arguments or (str, Any)
        key = self.build(key_type, names=names, where=where)
        value = self.build(value_type, names=names, where=where)
        try:
            validator = v.record(key.validator, value.validator)
        except InvalidValidator as error:
            advice = "dict keys must be str or Id[...]; write a TypedDict for a fixed set of keys"
            raise UnsupportedType(f"{where}: {error}. {advice}") from None
        inner, encode_inner = value.decode, value.encode

        def decode(record: dict[str, Any]) -> dict[str, Any]:
            assert inner is not None
            return {name: inner(x) for name, x in record.items()}

        def encode(thing: object) -> Any:
            if not isinstance(thing, Mapping):
                return plain_value(thing)
            return {plain_value(name): encode_inner(x) for name, x in thing.items() if x is not UNSET}

        native = combined([key.native, value.native])
        return TypeCodec(validator, None if inner is None else decode, encode=encode, native=native)

    def _class(self, annotation: Any, kind: type, *, where: str) -> TypeCodec:
        if issubclass(kind, enum.Enum):
            if issubclass(kind, enum.Flag):
                raise UnsupportedType(
                    f"{where}: {kind.__name__} is a Flag; store its int, or a list of names"
                )
            return literal_codec(tuple(kind), where=where)
        shape = shape_of(kind, self._scope)
        if shape is None:
            advice = advice_for(kind) or f"{kind.__name__} is no type of value"
            raise UnsupportedType(f"{where}: {advice}")
        variables = dict(zip(getattr(kind, "__parameters__", ()), get_args(annotation), strict=False))

        def build() -> TypeCodec:
            names = class_names(kind, self._scope)
            fields = [self._class_field(kind, field, variables, names) for field in shape.fields]
            return object_codec(kind, shape, fields)

        return self._once(annotation, build)

    def _class_field(
        self, kind: type, field: ClassField, variables: Mapping[Any, Any], names: Mapping[str, Any]
    ) -> FieldCodec:
        where = f"{kind.__name__}.{field.name}"
        codec, may_be_unset = self.field(_applied(field.annotation, variables), names=names, where=where)
        if field.stored == "_id" and getattr(kind, "__table__", None) is not None:
            codec = _explicit(v.id(kind.__table__), codec)  # type: ignore[attr-defined]
        optional = may_be_unset or field.may_be_missing
        if _is_system_field(kind, field):
            # What callers send need not have been stored; what is returned as a document was.
            optional = self._purpose is Purpose.INPUT
        elif may_be_unset and not field.has_default and not field.may_be_missing:
            raise UnsupportedType(f"{where}: a field that may be Unset needs the default UNSET")
        elif field.has_default and self._purpose is Purpose.INPUT:
            optional = True
        if not field.constructed and self._purpose is Purpose.INPUT:
            optional = True
        return FieldCodec(field, codec, optional)


def _is_system_field(kind: type, field: ClassField) -> bool:
    return hasattr(kind, "__table__") and field.name in SYSTEM_FIELDS


def _applied(annotation: Any, variables: Mapping[Any, Any]) -> Any:
    """An annotation of a generic class with its type variables filled in."""
    if annotation in variables if isinstance(annotation, TypeVar) else False:
        return variables[annotation]
    parameters = getattr(annotation, "__parameters__", ())
    if variables and parameters and not isinstance(annotation, type):
        return annotation[tuple(variables.get(parameter, parameter) for parameter in parameters)]
    return annotation


def _explicit(validator: Validator, codec: TypeCodec) -> TypeCodec:
    """A codec that converts as the hint says and checks as the author's validator does."""
    native = Native.NO if isinstance(validator, VInt64 | VCommitTs | VBytes) else codec.native
    return TypeCodec(validator, codec.decode, encode=codec.encode, native=native, attributes=codec.attributes)


def _recursive(waiting: list[TypeCodec]) -> TypeCodec:
    # The list is empty until the type is complete, so each of these looks into it only when it is called.
    def decode(value: Any) -> Any:
        return waiting[0].to_python(value)

    def encode(thing: object) -> Any:
        return waiting[0].encode(thing)

    return TypeCodec(VRecursive(lambda: waiting[0].validator), decode, encode=encode)


def _constrained(validator: Validator, constraints: list[Constraint], *, where: str) -> Validator:
    """Put each constraint where it has a meaning: on the members of a union, not on its null."""
    for constraint in constraints:
        narrowed = _with_constraint(validator, constraint)
        if narrowed is None:
            raise UnsupportedType(
                f"{where}: the constraint `{constraint.text}` has no meaning for {validator.render()}"
            )
        validator = narrowed
    return validator


def _with_constraint(validator: Validator, constraint: Constraint) -> Validator | None:
    if isinstance(validator, VUnion):
        members = [_with_constraint(member, constraint) for member in validator.members]
        if not any(members):
            return None
        pairs = zip(members, validator.members, strict=True)
        return VUnion(
            tuple(new or old for new, old in pairs),
            is_optional=validator.is_optional,
            constraints=validator.constraints,
        )
    return validator.constrained(constraint) if validator.kind in constraint.kinds else None


def codec_for(
    annotation: Any,
    *,
    module: str | None = None,
    names: Mapping[str, Any] | None = None,
    scope: Scope = NO_SCOPE,
    purpose: Purpose = Purpose.OUTPUT,
    where: str = "annotation",
) -> TypeCodec:
    """The codec of one annotation.

    Strings in it are looked up in `names`, or in the imported module `module`, and then among the documents
    of `scope`. `where` names the hint in messages (`messages:send, argument "body"`).

    Raises:
        UnsupportedType: no value stands for the type.
        UnknownReference: a name in it, or the table of an id, is not known.
    """
    known = names if names is not None else module_names(module)
    found = annotation
    if not isinstance(annotation, Validator):
        found = evaluate(annotation, {**scope.documents, **known}, where=where)
    return CodecBuilder(scope=scope, purpose=purpose).build(found, names=known, where=where)
