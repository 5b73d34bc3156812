"""Text writers: from what an author's code returns straight to canonical text, in one pass.

Floor 1, `schema`, on `codec`; `execution` asks for one of each function's result. The way through values goes
over a result four times: to a value, to its normal form, past the validator, to text. A list of documents is
mostly that. So a writer is generated of what a codec is made of, in which each field is looked at once:

    struct -> f'{"_id":' + (quote(x) if type(x) is str and id_belongs(x, ...) else other(x)) + ...

What the generated code does not know (a type without parts, an int where a float is declared, a subclass)
goes through `other`: value, validator, text. What does not fit at all raises `NotPlain`, and the caller goes
the way through values, which says what is wrong; a property test holds the two ways to the same text.

Not here: that way itself (`codec`, `validator`, `values/encoding.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from json.encoder import encode_basestring
from math import inf
from typing import Any

import msgspec

from rewake.limits import ARRAY_LENGTH_MAX, SAFE_INTEGER_MAX, VALUE_BYTES_MAX
from rewake.schema.checking import id_belongs
from rewake.schema.codec import InstanceOf, ListOf, OrNull, TypeCodec
from rewake.schema.constraints import WHOLE_NUMBER
from rewake.schema.mismatch import TableNames
from rewake.schema.plain_values import plain_value
from rewake.schema.validator import Validator
from rewake.schema.validators import VBoolean, VFloat64, VId, VNull, VString
from rewake.values import UNSET, InvalidValue, encode
from rewake.values.names import field_names

WriteText = Callable[[object, TableNames], str]

_DEPTH_MAX = 8
"""So deep containers are written by generated code; what lies deeper goes through `other`."""
_CONTAINERS_MAX = 32
"""So many may be in a text of `other`. Together they are less than the levels that a value may have."""


class NotPlain(Exception):
    """The result must go the way through values: it has something that no writer takes."""


def text_writer(codec: TypeCodec | None) -> WriteText:
    """What writes results of a type; None is the type of everything.

    The writer raises NotPlain, whatever is wrong.
    """
    return _Source().compile(codec)


def _write_any(thing: object, tables: TableNames) -> str:
    return encode(plain_value(thing))


def _other(codec: TypeCodec) -> WriteText:
    """The way through a value, for a part of a result."""

    def other(thing: object, tables: TableNames) -> str:
        value = codec.encode(thing)
        if value is UNSET or not codec.validator.accepts(value, tables):
            raise NotPlain
        text = encode(value)
        if text.count("{") + text.count("[") > _CONTAINERS_MAX:
            raise NotPlain
        return text

    return other


class _Source:
    """Collects the functions of one writer."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {
            "ARRAY_LENGTH_MAX": ARRAY_LENGTH_MAX,
            "BYTES_MAX": VALUE_BYTES_MAX,
            "INF": inf,
            "NOTHING": (),
            "digits": msgspec.json.Encoder().encode,
            "NotPlain": NotPlain,
            "REFUSED": (InvalidValue, TypeError, UnicodeEncodeError, RecursionError),
            "SAFE": SAFE_INTEGER_MAX,
            "UNSET": UNSET,
            "id_belongs": id_belongs,
            "quote": encode_basestring,
            "write_any": _write_any,
        }
        self._functions: list[str] = []
        # Of the function that is being written: what it asks `tables` before all else.
        self._asked: list[str] = []

    def compile(self, codec: TypeCodec | None) -> WriteText:
        """The writer of a whole result."""

        def lines() -> list[str]:
            text = "write_any(x, tables)" if codec is None else self._expression(codec, "x", 0)
            return [
                "try:",
                f"    text = {text}",
                "    if not text.isascii(): text.encode()",  # Finds a lone surrogate.
                "except REFUSED as error:",
                "    raise NotPlain from error",
                # Sizes are counted on the other way, where one could be too large.
                "if 4 * len(text) > BYTES_MAX: raise NotPlain",
                "return text",
            ]

        name = self._function(lines)
        exec(compile("\n".join(self._functions), "<rewake writer>", "exec"), self._names)
        write: WriteText = self._names[name]
        return write

    def _constant(self, value: object) -> str:
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name

    def _function(self, lines: Callable[[], list[str]]) -> str:
        name = self._constant(None)  # Its place, taken when the source is run.
        above, self._asked = self._asked, []
        body = lines()
        body = [*self._asked, *body]
        self._asked = above
        self._functions.append(f"def {name}(x, tables):\n" + "".join(f"    {line}\n" for line in body))
        return name

    def _expression(self, codec: TypeCodec, x: str, depth: int) -> str:
        """An expression that writes the variable `x`, or raises."""
        validator, parts = codec.validator, codec.made_of
        other = self._constant(_other(codec))
        test = self._test(validator) if codec.encode is plain_value else None
        if test is not None:
            return f"({test.format(x=x)} else {other}({x}, tables))"
        if parts is None or validator.constraints or depth == _DEPTH_MAX:
            return f"{other}({x}, tables)"
        if isinstance(parts, OrNull):
            return f'("null" if {x} is None else {self._expression(parts.codec, x, depth)})'
        if isinstance(parts, ListOf):
            return f"{self._function(partial(self._list, parts.codec, other, depth + 1))}({x}, tables)"
        return f"{self._function(partial(self._one, parts, other, depth + 1))}({x}, tables)"

    def _list(self, codec: TypeCodec, other: str, depth: int) -> list[str]:
        """Lines of a function that writes a list. Instances are written where they stand: lists of them are
        what most queries return.
        """
        parts = codec.made_of
        if isinstance(parts, InstanceOf) and not codec.validator.constraints and depth < _DEPTH_MAX:
            inner = self._constant(_other(codec))
            written = [
                "texts = []",
                "for e in x:",
                f"    if type(e) is not {self._constant(parts.kind)}: text = {inner}(e, tables)",
                "    else:",
                *(f"        {line}" for line in self._fields(parts, "e", depth + 1)),
                "    texts.append(text)",
            ]
        else:
            written = [f"texts = [{self._expression(codec, 'e', depth)} for e in x]"]
        return [
            f"if type(x) is not list or len(x) > ARRAY_LENGTH_MAX: return {other}(x, tables)",
            *written,
            "return '[' + ','.join(texts) + ']'",
        ]

    def _one(self, parts: InstanceOf, other: str, depth: int) -> list[str]:
        """Lines of a function that writes an instance."""
        return [
            f"if type(x) is not {self._constant(parts.kind)}: return {other}(x, tables)",
            *self._fields(parts, "x", depth),
            "return text",
        ]

    def _fields(self, parts: InstanceOf, x: str, depth: int) -> list[str]:
        """Lines that put the text of the instance `x` into `text`: at once, or field by field where some may
        be absent.
        """
        fields = sorted(parts.fields, key=lambda field: field.stored)
        if any(field.is_optional for field in fields):
            lines = ["parts = []"]
            for field in fields:
                name, text = field_names[field.stored], self._expression(field.codec, "v", depth)
                lines += [
                    f"v = {x}.{field.attribute}",
                    f"if v is not UNSET: parts.append({self._constant(name)} + {text})",
                ]
                if not field.is_optional:
                    lines.append("else: raise NotPlain")
            return [*lines, "text = '{' + ','.join(parts) + '}'"]
        lines, written = [], "{{"
        for i, field in enumerate(fields):
            text = self._expression(field.codec, f"v{i}", depth)
            lines += [f"v{i} = {x}.{field.attribute}", f"t{i} = {text}"]
            name = self._constant(("," if i else "") + field_names[field.stored])
            written += f"{{{name}}}{{t{i}}}"
        return [*lines, f"text = f'{written}}}}}'"]

    def _test(self, validator: Validator) -> str | None:
        """The beginning of an expression that writes a scalar of the commonest kinds."""
        kind, constraints = type(validator), validator.constraints
        if kind is VFloat64 and constraints == (WHOLE_NUMBER,):
            return "repr(float({x})) if type({x}) is int and -SAFE <= {x} <= SAFE"
        if isinstance(validator, VId) and not constraints:
            table = self._constant(validator.table_name)
            self._asked.append(f"read_{table} = tables.read_ids.get({table}, NOTHING)")
            # Of most it is known which table was read; and an id has no character that JSON would escape.
            belongs = f"({{x}} in read_{table} or id_belongs({{x}}, {table}, tables))"
            return f"'\"' + {{x}} + '\"' if type({{x}}) is str and {belongs}"
        return None if constraints else _PLAIN.get(kind)


_PLAIN: dict[type[Validator], str] = {
    VString: "quote({x}) if type({x}) is str",
    # As `repr` writes them, in a quarter of the time: times, counts, amounts. Nothing on disk depends on it.
    VFloat64: "digits({x}).decode() if type({x}) is float and 1e-4 <= {x} < 1e16 "
    "else repr({x}) if type({x}) is float and {x} and -INF < {x} < INF",
    VBoolean: '"true" if {x} is True else "false" if {x} is False',
    VNull: '"null" if {x} is None',
}
