"""Argument readers: from the text of a call straight to keyword arguments, in one pass.

Floor 1, `schema`, on `arguments`; `execution` asks for one for each function. The way through values goes
over the arguments four times: to a tree, past the checks of the value model, past the validator, to what the
author's code sees. Most functions take a few strings, numbers and ids. For those a reader is generated in
which each argument is looked at once:

    send(ctx, channel: Id[Channel], body: str)
        -> x = loads(text); a0 = x["channel"]; type(a0) is str and id_belongs(a0, ...) or raise NotPlain; ...

What does not fit, and whatever else it does not know, raises `NotPlain`, and the caller goes the way through
values, which says what is wrong; a property test holds the two ways to the same arguments.

Not here: that way itself (`values/decoding.py`, `validator`, `arguments`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from rewake.limits import SAFE_INTEGER_MAX, VALUE_BYTES_MAX
from rewake.schema.arguments import Argument, ArgumentsCodec
from rewake.schema.checking import id_belongs
from rewake.schema.constraints import WHOLE_NUMBER
from rewake.schema.mismatch import TableNames, ValidationFailed
from rewake.schema.text_writers import NotPlain
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VBoolean,
    VFloat64,
    VId,
    VLiteral,
    VNull,
    VObject,
    VString,
    VUnion,
)
from rewake.values import UNSET

ReadArguments = Callable[[str, TableNames], dict[str, Any]]

_ARGUMENTS_MAX = 64
_TEXT_MAX = VALUE_BYTES_MAX // 8
"""No value is so much larger than its text: sizes are counted on the other way."""
_LEAVES = frozenset({str, float, bool, type(None)})


def argument_reader(codec: ArgumentsCodec) -> ReadArguments | None:
    """What reads the arguments of a function; None where some of them may be other than strings, numbers,
    booleans, null and ids, or where they are passed on as they are.

    The reader raises NotPlain, whatever is wrong.
    """
    arguments, validator = codec.arguments, codec.validator
    if arguments is None or not isinstance(validator, VObject) or len(arguments) > _ARGUMENTS_MAX:
        return None
    if not all(_is_leaf(argument.codec.validator) for argument in arguments):
        return None
    source = _Source()
    for number, argument in enumerate(arguments):
        source.read(argument, f"a{number}", is_optional=validator.fields[argument.field].is_optional)
    return source.compile()


def _is_leaf(validator: Validator) -> bool:
    """Whether nothing but leaves of JSON can match."""
    if isinstance(validator, VUnion):
        return all(_is_leaf(member) for member in validator.members)
    return isinstance(validator, VString | VFloat64 | VBoolean | VNull | VId | VLiteral)


class _Source:
    """Collects the lines of one reader."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "LEAVES": _LEAVES,
            "NotPlain": NotPlain,
            "SAFE": SAFE_INTEGER_MAX,
            "TEXT_MAX": _TEXT_MAX,
            "UNSET": UNSET,
            "ValidationFailed": ValidationFailed,
            "id_belongs": id_belongs,
            "loads": orjson.loads,
        }
        self._required: list[str] = []
        self._optional: list[str] = []
        self._bound: list[str] = []

    def compile(self) -> ReadArguments:
        """The reader."""
        lines = [
            "def read(text, tables):",
            " if len(text) > TEXT_MAX: raise NotPlain",
            " try:",
            "  fields = loads(text)",
            "  if type(fields) is not dict: raise NotPlain",
            *(f"  {line}" for line in self._required),
            f"  bound, count = {{{', '.join(self._bound)}}}, {len(self._bound)}",
            *(f"  {line}" for line in self._optional),
            " except (KeyError, ValueError, ValidationFailed):",
            "  raise NotPlain from None",
            " if len(fields) != count: raise NotPlain",
            " return bound",
        ]
        exec(compile("\n".join(lines), "<rewake reader>", "exec"), self._names)
        read: ReadArguments = self._names["read"]
        return read

    def read(self, argument: Argument, a: str, *, is_optional: bool) -> None:
        """Add the lines of one argument, for which the variable `a` is free."""
        lines = [f"{a} = fields[{argument.field!r}]", *self._checked(argument, a)]
        if not is_optional:
            self._required += lines
            self._bound.append(f"{argument.parameter!r}: {a}")
            return
        lines.append(f"bound[{argument.parameter!r}] = {a}; count += 1")
        self._optional.append(f"if {argument.field!r} in fields:")
        self._optional += [f" {line}" for line in lines]
        if argument.unset_when_absent:
            self._optional.append(f"else: bound[{argument.parameter!r}] = UNSET")

    def _checked(self, argument: Argument, a: str) -> list[str]:
        """Lines that make of `a`, as JSON has it, what the author's code sees, or raise."""
        validator, decode = argument.codec.validator, argument.codec.decode
        if decode is None and not validator.constraints:
            if isinstance(validator, VString | VBoolean | VNull):
                return [f"if type({a}) is not {self._constant(_TYPES[type(validator)])}: raise NotPlain"]
            if isinstance(validator, VId):
                belongs = f"id_belongs({a}, {self._constant(validator.table_name)}, tables)"
                return [f"if type({a}) is not str or not {belongs}: raise NotPlain"]
        # Zero may have been written as `-0`, which is another number and looks the same here.
        no_zero = f'if not {a} and "-0" in text: raise NotPlain'
        other = [f"if type({a}) is int:", f" {no_zero}", f" {a} = float({a})"]
        if isinstance(validator, VFloat64) and decode is None and not validator.constraints:
            return [*other, f"elif type({a}) is not float: raise NotPlain"]
        accepts = self._constant(validator.accepts)
        other.append(f"if type({a}) not in LEAVES or not {accepts}({a}, tables): raise NotPlain")
        if decode is not None:
            other.append(f"{a} = {self._constant(decode)}({a})")
        if decode is int and validator.constraints == (WHOLE_NUMBER,):
            plain = [f"if type({a}) is int and -SAFE <= {a} <= SAFE:", f" {no_zero}"]
            return [*plain, "else:", *(f" {line}" for line in other)]
        return other

    def _constant(self, value: object) -> str:
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name


_TYPES: dict[type[Validator], type] = {VString: str, VBoolean: bool, VNull: type(None)}
