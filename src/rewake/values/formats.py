"""Formats: the two other ways in which a value can leave over HTTP or in an export.

Floor 0, `values`. Both are for people and their tools, not for clients: they cannot be read back.

    format             Int64             NaN, infinities     -0        bytes
    encoded JSON       {"$integer"}      {"$float"}          {"$float"}  {"$bytes"}      (encoding.py)
    json               decimal string    string              -0.0      base64 string
    export_json        JSON integer      {"$float"}          -0.0      {"$bytes"}

Finite floats show a point or an exponent in all three. COMMIT_TS has no place in the lossy ones: what they
show has left its mutation.

Not here: which format a request asked for by its client version (`http_api`).
Source: spec/wire-protocol 2.5.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from json.encoder import encode_basestring
from math import isfinite, isnan
from typing import Any

from rewake.errors import InvalidInput
from rewake.values.decoding import decode_stored
from rewake.values.encoding import encode_bytes, encode_float
from rewake.values.errors import CommitTsUnresolved
from rewake.values.normal_form import normalize
from rewake.values.types import COMMIT_TS, Int64

_quote: Callable[[str], str] = encode_basestring
_SPECIAL = '{"$'
"""How each value begins that the formats write differently. In a string the quote would be escaped."""


class UnknownFormat(InvalidInput):
    """The `format` of a request is none that we know. Leave it out for `json`."""

    code = "BadFormat"
    template = "format param must be one of [`json`]. Got {format}"


def encode_clean(value: object) -> str:
    """Write `value` in the lossy `json` format of the HTTP API.

    Raises:
        InvalidValue: part of it is no value, or COMMIT_TS.
    """
    return _write(normalize(value), _clean_leaf)


def encode_export(value: object) -> str:
    """Write `value` in the `export_json` format of data export.

    Raises:
        InvalidValue: part of it is no value, or COMMIT_TS.
    """
    return _write(normalize(value), _export_leaf)


def stored_as_clean(text: str) -> str:
    """Canonical text that `encode` wrote, in the `json` format. Most texts are the same in both."""
    return encode_clean(decode_stored(text)) if "$" in text and _SPECIAL in text else text


def stored_as_export(text: str) -> str:
    """Canonical text that `encode` wrote, in the `export_json` format."""
    return encode_export(decode_stored(text)) if "$" in text and _SPECIAL in text else text


def _write(value: Any, leaf: Callable[[Any], str]) -> str:
    """Write containers as in canonical text and everything else as `leaf` says."""
    if type(value) is dict:
        parts = [f"{_quote(name)}:{_write(value[name], leaf)}" for name in sorted(value)]
        return "{" + ",".join(parts) + "}"
    if type(value) is list:
        return "[" + ",".join([_write(element, leaf) for element in value]) + "]"
    if type(value) is str:
        return _quote(value)
    if type(value) is bool:
        return "true" if value else "false"
    if value is COMMIT_TS:
        raise CommitTsUnresolved()
    return "null" if value is None else leaf(value)


def _clean_leaf(value: float | Int64 | bytes) -> str:
    if isinstance(value, Int64):
        return f'"{value}"'
    if isinstance(value, bytes):
        return f'"{b64encode(value).decode()}"'
    if isfinite(value):
        return repr(value)
    if isnan(value):
        return '"NaN"'
    return '"Infinity"' if value > 0 else '"-Infinity"'


def _export_leaf(value: float | Int64 | bytes) -> str:
    if isinstance(value, Int64):
        return str(value)
    if isinstance(value, bytes):
        return encode_bytes(value)
    return repr(value) if isfinite(value) else encode_float(value)
