"""Encoding: a value as its canonical JSON text.

Floor 0, `values`. This text is what is stored, sent, hashed and compared: two values are equal exactly when
their texts are. Keys are sorted, there is no whitespace, a Float64 always shows a point or an exponent
(clients tell 1.0 from 1), and what JSON cannot say is an object with one `$` key.

JSON libraries write NaN as `null` and may change how they print a float; texts on disk must not depend on
either, so floats are Python's `repr` and the walk is ours. It is written for exact types; anything else
(a tuple subclass, a str enum, a mistake) goes through `normalize` once and comes back.

Not here: the lossy formats of HTTP (`formats.py`).
Source: spec/wire-protocol 2.1, 2.4.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from json.encoder import encode_basestring
from struct import Struct
from typing import Any

from rewake.limits import (
    ARRAY_LENGTH_MAX,
    OBJECT_FIELDS_MAX,
    SAFE_INTEGER_MAX,
    VALUE_BYTES_MAX,
    VALUE_NESTING_MAX,
)
from rewake.values.errors import too_large
from rewake.values.names import field_names
from rewake.values.normal_form import normalize
from rewake.values.sizes import value_size
from rewake.values.types import COMMIT_TS, UNSET, Int64

_quote: Callable[[str], str] = encode_basestring
_pack_int64 = Struct("<q").pack
_pack_float = Struct("<d").pack
_INFINITY = float("inf")
_COMMIT_TS = '{"$commitTs":null}'


class _Unusual(Exception):
    """The fast walk met something that only `normalize` can straighten or explain."""


def encode(value: object) -> str:
    """Write `value` as canonical encoded JSON. Plain ints mean floats; UNSET fields are left out.

    Raises:
        InvalidValue: with the exact sentence of semantics 1.2, 1.3 or 1.6.
    """
    try:
        text = _encode(value, 0)
        if not text.isascii():
            text.encode()  # Finds a lone surrogate anywhere in the value at the price of one pass in C.
    except (_Unusual, TypeError, UnicodeEncodeError):
        # TypeError: keys that are no strings do not sort, or have no name text.
        text = _encode(normalize(value), 0)
    if 4 * len(text) > VALUE_BYTES_MAX:  # No value is more than four times as large as its text.
        size = value_size(value)
        if size > VALUE_BYTES_MAX:
            raise too_large(size, VALUE_BYTES_MAX)
    return text


def holds_commit_ts(text: str) -> bool:
    """Tell whether a value holds COMMIT_TS, by its canonical text."""
    # Inside a string the quotes would be escaped, so no string looks like this. One character is found many
    # times as fast as many.
    return "$" in text and _COMMIT_TS in text


def resolve_commit_ts(text: str, ts: int) -> str:
    """Put the Int64 `ts` in place of every COMMIT_TS of a canonical text, which stays canonical."""
    return text.replace(_COMMIT_TS, encode_int64(ts))


def encode_float(number: float) -> str:
    """Write one Float64: a JSON number, or a `$float` object for NaN, the infinities and -0."""
    if -_INFINITY < number < _INFINITY and number:
        return repr(number)
    bits = _pack_float(number)
    if bits == b"\0\0\0\0\0\0\0\0":
        return "0.0"
    return '{"$float":"' + b64encode(bits).decode() + '"}'


def encode_int64(number: int) -> str:
    """Write one Int64 as a `$integer` object."""
    return '{"$integer":"' + b64encode(_pack_int64(number)).decode() + '"}'


def encode_bytes(content: bytes) -> str:
    """Write one byte string as a `$bytes` object."""
    return '{"$bytes":"' + b64encode(content).decode() + '"}'


def _encode(value: Any, level: int) -> str:
    """Write one value that stands inside `level` containers."""
    kind = type(value)
    if kind is str:
        return _quote(value)
    if kind is dict:
        return _encode_object(value, level + 1)
    if kind is list or kind is tuple:
        return _encode_array(value, level + 1)
    if kind is float:
        return encode_float(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        if -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX:
            return repr(float(value))
        raise _Unusual
    if kind is Int64:
        return encode_int64(value)
    if kind is bytes:
        return encode_bytes(value)
    if value is COMMIT_TS:
        return _COMMIT_TS
    raise _Unusual


def _encode_array(array: list[Any] | tuple[Any, ...], level: int) -> str:
    if level > VALUE_NESTING_MAX or len(array) > ARRAY_LENGTH_MAX:
        raise _Unusual
    return "[" + ",".join([_encode(element, level) for element in array]) + "]"


def _encode_object(fields: dict[str, Any], level: int) -> str:
    if level > VALUE_NESTING_MAX:
        raise _Unusual
    names = field_names
    parts: list[str] = []
    for name in sorted(fields):
        field = fields[name]
        kind = type(field)
        # The commonest kinds stand here once more: a call less for each field of each document.
        if kind is str:
            parts.append(names[name] + _quote(field))
        elif kind is float and field and -_INFINITY < field < _INFINITY:
            parts.append(names[name] + repr(field))
        elif field is not UNSET:
            parts.append(names[name] + _encode(field, level))
    if len(parts) > OBJECT_FIELDS_MAX:
        raise _Unusual
    return "{" + ",".join(parts) + "}"
