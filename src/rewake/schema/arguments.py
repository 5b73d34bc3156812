"""Arguments: from the signature of a function to what callers must send.

Floor 1, `schema`, on `type_codec`. Callers send one object; every parameter after `ctx` is a field of it,
passed by keyword. A default makes the field optional, and `T | Unset` tells the function that it was absent.

    def send(ctx, channel: Id[Channel], body: str, urgent: bool = False)
        -> v.object({body: v.string(), channel: v.id("channels"), urgent: v.optional(v.boolean())})

Not here: what a function is and when its arguments are checked (`functions`, `execution`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any

import msgspec

from rewake.schema.annotations import NO_SCOPE, Scope, evaluate
from rewake.schema.builders import as_object_validator
from rewake.schema.codec import Purpose, TypeCodec
from rewake.schema.errors import InvalidValidator, UnsupportedType
from rewake.schema.plain_values import plain_value
from rewake.schema.type_codec import CodecBuilder
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VObject,
)
from rewake.values import UNSET, InvalidName, Value, check_identifier


class Argument(msgspec.Struct, frozen=True):
    """One argument: the parameter that gets it, the field that callers send, and its type."""

    parameter: str
    field: str
    codec: TypeCodec
    unset_when_absent: bool


class ArgumentsCodec(msgspec.Struct, frozen=True):
    """What a function's callers send, and how it becomes keyword arguments."""

    validator: Validator
    """An object validator, or any where the function takes `**anything`."""
    arguments: tuple[Argument, ...] | None
    """None: every field is passed as it is."""

    def bind(self, value: dict[str, Value]) -> dict[str, Any]:
        """Python arguments from an object that `validator` accepted; absent ones are left to their defaults.

        Raises:
            ValidationFailed: a class of the author's refused a value when it was constructed.
        """
        if self.arguments is None:
            return dict(value)
        bound: dict[str, Any] = {}
        for argument in self.arguments:
            if argument.field in value:
                bound[argument.parameter] = argument.codec.to_python(value[argument.field])
            elif argument.unset_when_absent:
                bound[argument.parameter] = UNSET
        return bound

    def to_value(self, arguments: Mapping[str, object]) -> dict[str, Value]:
        """The object that a caller would send, from Python arguments; for calls within the server.

        Names that are no parameters stay, for the validator to name.
        """
        known = {argument.parameter: argument for argument in self.arguments or ()}
        value: dict[str, Value] = {}
        for name, thing in arguments.items():
            if thing is not UNSET:
                argument = known.get(name)
                if argument is None:
                    value[name] = plain_value(thing)
                else:
                    value[argument.field] = argument.codec.to_value(thing)
        return value


def arguments_codec(
    parameters: Sequence[Parameter],
    *,
    names: Mapping[str, Any],
    scope: Scope = NO_SCOPE,
    rename: Callable[[str], str] = str,
    where: str = "function",
) -> ArgumentsCodec:
    """The codec of a function's parameters (without `ctx`).

    Strings in annotations are looked up in `names`, the function's globals. `rename` gives the field that
    callers send for a parameter (camelCase, say).

    Raises:
        UnsupportedType: a parameter cannot be sent by name, or its type stands for no value.
        UnknownReference: a name in an annotation, or the table of an id, is not known.
    """
    if len(parameters) == 1 and parameters[0].kind is Parameter.VAR_KEYWORD:
        if parameters[0].annotation not in (Parameter.empty, Any, "Any"):
            raise UnsupportedType(
                f"{where}: **{parameters[0].name} takes any arguments and cannot be annotated; name the "
                "arguments, or "
                "take one dict"
            )
        return ArgumentsCodec(VAny(), None)
    builder = CodecBuilder(scope=scope, purpose=Purpose.INPUT)
    arguments: list[Argument] = []
    fields: dict[str, Validator] = {}
    for parameter in parameters:
        at = f'{where}, argument "{parameter.name}"'
        _check_parameter(parameter, where=at)
        annotation = Any if parameter.annotation is Parameter.empty else parameter.annotation
        known = {**scope.documents, **names}
        kind = evaluate(annotation, known, where=at)
        codec, may_be_unset = builder.field(kind, names=known, where=at)
        # Official hooks look for some arguments by name, whatever the author calls them.
        fixed: str | None = getattr(kind, "argument_name", None)
        field = _field_name(fixed or rename(parameter.name), where=at)
        if field in fields:
            raise UnsupportedType(f'{at}: another argument is called "{field}" as well')
        has_default = parameter.default is not Parameter.empty
        is_optional = has_default or may_be_unset
        fields[field] = codec.validator.optional() if is_optional else codec.validator.required()
        arguments.append(Argument(parameter.name, field, codec, may_be_unset and not has_default))
    return ArgumentsCodec(VObject(fields), tuple(arguments))


def _check_parameter(parameter: Parameter, *, where: str) -> None:
    if parameter.kind is Parameter.POSITIONAL_ONLY:
        raise UnsupportedType(f"{where}: arguments are passed by name; remove the `/`")
    if parameter.kind is Parameter.VAR_POSITIONAL:
        raise UnsupportedType(
            f"{where}: arguments are passed by name; take a list instead of *{parameter.name}"
        )
    if parameter.kind is Parameter.VAR_KEYWORD:
        raise UnsupportedType(f"{where}: **{parameter.name} cannot stand beside named arguments")


def _field_name(name: str, *, where: str) -> str:
    try:
        check_identifier(name)
    except InvalidName as error:
        raise UnsupportedType(f"{where}: {error}") from None
    return name


def explicit_arguments(arguments: Validator | Mapping[str, Validator]) -> ArgumentsCodec:
    """The codec where an author wrote the validator out; fields are passed as values.

    Raises:
        InvalidValidator: it is neither an object validator nor any.
    """
    validator = as_object_validator(arguments)
    if not isinstance(validator, VObject | VAny):
        raise InvalidValidator("Args validator must be an object or any")
    return ArgumentsCodec(validator, None)


def function_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Where the annotations of a function look names up: its module, then what it closes over."""
    plain = inspect.unwrap(function)
    cells = zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True)
    closure = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    return {**plain.__globals__, **closure}


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        # A cell is empty until its variable is assigned; the name is then unknown, which is what will be
        # said.
        return False
