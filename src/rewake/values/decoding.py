"""Decoding: encoded JSON text as a value.

Floor 0, `values`. There are two ways in. `decode` reads text from outside and trusts nothing. `decode_stored`
reads text that `encode` wrote, where every number already is a float and every check was made; it is the
hottest path of a read and mostly one call into orjson. Within a mutation such text may hold COMMIT_TS;
whatever commits has real timestamps.

orjson parses numbers to the nearest double and refuses lone surrogates and NaN literals. Two things it does
not do as JavaScript's JSON.parse: a number beyond the largest double is an error (there: infinity), and `-0`
is an int. Such texts, and broken ones, go once more through the standard library, slower and with our rules.

Not here: which values a place admits (`schema`).
Source: spec/wire-protocol 2.1, 2.3; spec/semantics 1.5 for `Placeholders`.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from enum import Flag, auto
from math import copysign, isfinite
from struct import Struct
from typing import Any, overload

import orjson

from rewake.limits import ARRAY_LENGTH_MAX, OBJECT_FIELDS_MAX, VALUE_BYTES_MAX, VALUE_NESTING_MAX
from rewake.values.errors import ArrayTooLong, InvalidValue, TooManyFields, TooNested, too_large
from rewake.values.names import field_names
from rewake.values.sizes import value_size
from rewake.values.types import COMMIT_TS, UNSET, CommitTsPlaceholder, Int64, Unset, Value

_loads: Callable[[str], Value] = orjson.loads
_unpack_int64 = Struct("<q").unpack
_unpack_float = Struct("<d").unpack

_LEAVES = frozenset({str, float, bool, type(None), Unset, Int64})
"""What orjson returns, or `_take_undefined` or `decode_export` puts there, and a walk can leave as it is."""

_NEGATIVE_ZERO = r"(?:\A|[\[:,\s])-0(?=[\]},\s]|\Z)"
_NEGATIVE_ZERO_IN_TEXT = re.compile(_NEGATIVE_ZERO)
_NEGATIVE_ZERO_IN_BYTES = re.compile(_NEGATIVE_ZERO.encode())
"""A bare `-0` that is a number, or part of a string that looks just like one; that costs only time."""


class Placeholders(Flag):
    """The `$` objects that are no value of a client's and yet may stand in some texts; join them with `|`.

    All of these texts come from a function's runtime. What is not allowed is refused as the field name that
    it then is.
    """

    NONE = 0
    COMMIT_TS = auto()
    """`{"$commitTs":null}` anywhere, as COMMIT_TS: what a mutation writes, looks for or passes on."""
    UNDEFINED = auto()
    """`{"$undefined":null}` in place of the whole value, as UNSET: literals of filters and index ranges."""
    UNDEFINED_FIELDS = auto()
    """`{"$undefined":null}` in place of fields of the outermost object, as UNSET: patches."""


_NO_PLACEHOLDERS = Placeholders.NONE


@overload
def decode(text: str | bytes) -> Value: ...
@overload
def decode(text: str | bytes, placeholders: Placeholders) -> Any: ...
def decode(text: str | bytes, placeholders: Placeholders = _NO_PLACEHOLDERS) -> Any:
    """Read one value from text that somebody else wrote. Every number becomes a float.

    Only with `UNDEFINED` can the result be UNSET, only with `UNDEFINED_FIELDS` fields of it.

    Raises:
        InvalidValue: it is not JSON, or not a value, or over a limit of semantics 1.2.
    """
    tree = _parse(text)
    specials = _SPECIALS
    if placeholders is not _NO_PLACEHOLDERS:
        tree = _take_undefined(tree, placeholders)
        if Placeholders.COMMIT_TS in placeholders:
            specials = _SPECIALS_OF_MUTATIONS
    value = _check(tree, 0, specials)
    if 5 * len(text) + 9 > VALUE_BYTES_MAX:  # `[1,1]`: no text is shorter than a fifth of its value.
        size = value_size(value)
        if size > VALUE_BYTES_MAX:
            raise too_large(size, VALUE_BYTES_MAX)
    return value


def decode_export(text: str | bytes) -> Value:
    """Read one value from text in the export encoding, which trusts nothing either: a number without a dot
    and without an exponent is an Int64. The inverse of `encode_export`.

    Raises:
        InvalidValue: as for `decode`, or a whole number is beyond 64 bits.
    """
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        tree = _parse_slowly(text, int)
    try:
        value = _check(_with_int64(tree), 0, _SPECIALS)
    except RecursionError:
        raise TooNested(what="Value", levels=VALUE_NESTING_MAX + 1, maximum=VALUE_NESTING_MAX) from None
    size = value_size(value)
    if size > VALUE_BYTES_MAX:
        raise too_large(size, VALUE_BYTES_MAX)
    return value  # type: ignore[no-any-return]


def _with_int64(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return Int64(value)
    if kind is dict:
        return {name: _with_int64(field) for name, field in value.items()}
    if kind is list:
        return [_with_int64(element) for element in value]
    return value


def decode_stored(text: str) -> Value:
    """Read one value from canonical text that `encode` wrote. Nothing is checked."""
    value = _loads(text)
    # A string that begins with `$` looks the same here and costs only the walk. One character is found many
    # times as fast as two.
    return _revive(value) if "$" in text and '"$' in text else value


def decode_stored_document(text: str) -> dict[str, Any]:
    """Read one document from canonical text that `encode` wrote. Only that it is an object is checked."""
    document = decode_stored(text)
    assert isinstance(document, dict)
    return document


def _revive(value: Any) -> Value:
    """Turn `$` objects into what they stand for, in place; the tree is fresh from the parser."""
    if type(value) is dict:
        if len(value) == 1:
            (name,) = value
            if name in _SPECIALS_OF_MUTATIONS:
                return _SPECIALS_OF_MUTATIONS[name](value[name])
        for name, field in value.items():
            if type(field) is dict or type(field) is list:
                value[name] = _revive(field)
    elif type(value) is list:
        for position, element in enumerate(value):
            if type(element) is dict or type(element) is list:
                value[position] = _revive(element)
    return value  # type: ignore[no-any-return]


def _parse(text: str | bytes) -> Any:
    """Parse JSON text as JavaScript would; ints may remain in the result."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_slowly(text)
    return _parse_slowly(text) if _has_negative_zero(text) else value


def _has_negative_zero(text: str | bytes) -> bool:
    if isinstance(text, bytes):
        return b"-0" in text and _NEGATIVE_ZERO_IN_BYTES.search(text) is not None
    return "-0" in text and _NEGATIVE_ZERO_IN_TEXT.search(text) is not None


def _parse_slowly(text: str | bytes, whole: Callable[[str], float] = float) -> Any:
    """Parse with the standard library: infinities for numbers too large, a sentence for what is broken.

    `whole` makes a number of one without a dot.
    """
    try:
        document = text.decode() if isinstance(text, bytes) else text
        value = json.loads(document, parse_int=whole, parse_constant=_refuse_constant)
        # The standard library lets lone surrogates through, as they are or as `\u` escapes.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise InvalidValue("Invalid JSON: a string is not valid Unicode") from None
    except RecursionError:
        raise TooNested(what="Value", levels=VALUE_NESTING_MAX + 1, maximum=VALUE_NESTING_MAX) from None
    except json.JSONDecodeError as error:
        raise InvalidValue(f"Invalid JSON: {error}") from None
    except ValueError as error:  # Thousands of digits.
        raise InvalidValue(f"Invalid JSON: {error}") from None
    return value


def _refuse_constant(literal: str) -> None:
    """Refuse NaN and Infinity written as such, which is not JSON."""
    raise InvalidValue(f"Invalid JSON: {literal} is not a JSON number")


def _take_undefined(tree: Any, placeholders: Placeholders) -> Any:
    """Put UNSET where `placeholders` allows undefined to be; any other is left, to be refused by its name."""
    if Placeholders.UNDEFINED in placeholders and tree == _UNDEFINED:
        return UNSET
    if Placeholders.UNDEFINED_FIELDS in placeholders and type(tree) is dict:
        for name, field in tree.items():
            if field == _UNDEFINED:
                tree[name] = UNSET
    return tree


def _check(value: Any, level: int, specials: _Specials) -> Any:
    """Check one parsed value that stands inside `level` containers, straightening it in place."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is int:
        return float(value)
    level += 1
    if kind is dict:
        return _check_object(value, level, specials)
    if level > VALUE_NESTING_MAX:
        raise TooNested(what="Value", levels=level, maximum=VALUE_NESTING_MAX)
    if len(value) > ARRAY_LENGTH_MAX:
        raise ArrayTooLong(length=len(value), maximum=ARRAY_LENGTH_MAX)
    for position, element in enumerate(value):
        if type(element) not in _LEAVES:
            value[position] = _check(element, level, specials)
    return value


def _check_object(fields: dict[str, Any], level: int, specials: _Specials) -> Any:
    if len(fields) == 1:
        (name,) = fields
        if name in specials:
            return specials[name](fields[name])
    if level > VALUE_NESTING_MAX:
        raise TooNested(what="Value", levels=level, maximum=VALUE_NESTING_MAX)
    if len(fields) > OBJECT_FIELDS_MAX:
        raise TooManyFields(count=len(fields), maximum=OBJECT_FIELDS_MAX)
    names = field_names
    for name, field in fields.items():
        _ = names[name]  # Checks it.
        if type(field) not in _LEAVES:
            fields[name] = _check(field, level, specials)
    return fields


def _decode_base64(content: Any, *, name: str, length: int | None) -> bytes:
    """Decode the payload of a `$` object; `length` is the exact number of bytes that it must have."""
    if type(content) is not str:
        raise InvalidValue(f"Value of ${name} must be a base64 string")
    try:
        payload = b64decode(content, validate=True)
    except (Base64Error, ValueError):
        raise InvalidValue(f"Value of ${name} is not valid base64") from None
    if length is not None and len(payload) != length:
        raise InvalidValue(f"Value of ${name} must have {length} bytes, received {len(payload)}")
    return payload


def _decode_integer(content: Any) -> Int64:
    return Int64(_unpack_int64(_decode_base64(content, name="integer", length=8))[0])


def _decode_float(content: Any) -> float:
    number: float = _unpack_float(_decode_base64(content, name="float", length=8))[0]
    if isfinite(number) and (number != 0.0 or copysign(1.0, number) > 0.0):
        raise InvalidValue(f"Float64 {number!r} should be encoded as a number")
    return number


def _decode_bytes(content: Any) -> bytes:
    return _decode_base64(content, name="bytes", length=None)


def _decode_commit_ts(content: Any) -> CommitTsPlaceholder:
    if content is not None:
        raise InvalidValue("Value of $commitTs must be null")
    return COMMIT_TS


def _refuse_set(content: Any) -> Value:
    raise InvalidValue("Received a Set which is no longer supported as a Convex type.")


def _refuse_map(content: Any) -> Value:
    raise InvalidValue("Received a Map which is no longer supported as a Convex type.")


_Specials = Mapping[str, Callable[[Any], Value]]

_SPECIALS: _Specials = {
    "$integer": _decode_integer,
    "$float": _decode_float,
    "$bytes": _decode_bytes,
    "$set": _refuse_set,
    "$map": _refuse_map,
}
"""What the sole key of an object means when it begins with `$`. Any other such key is a bad field name."""

_SPECIALS_OF_MUTATIONS: _Specials = {**_SPECIALS, "$commitTs": _decode_commit_ts}
_UNDEFINED = {"$undefined": None}
