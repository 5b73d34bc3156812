"""Rendering: a value as it appears in a sentence for people.

Floor 0, `values`. Validation errors quote the value that did not fit: `{a: 1.0, b: ["x", 2]}`, where 1.0 is a
Float64 and 2 an Int64. It is no format; nothing reads it back.

Not here: how validators are written (`schema`).
Source: spec/semantics 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring
from math import isfinite, isnan
from typing import Any

from rewake.values.errors import InvalidName
from rewake.values.names import check_identifier
from rewake.values.normal_form import normalize
from rewake.values.types import Unset, Value

_quote: Callable[[str], str] = encode_basestring


def render(value: Value | Unset) -> str:
    """Write `value` for an error message.

    Raises:
        InvalidValue: part of it is no value.
    """
    return "undefined" if isinstance(value, Unset) else _render(normalize(value))


def _render(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join([f"{_render_name(name)}: {_render(value[name])}" for name in sorted(value)]) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join([_render(element) for element in value]) + "]"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bytes):
        return f"b{_quote(value.decode('latin-1'))}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value)


def _render_name(name: str) -> str:
    """Write identifiers bare and other field names in quotes, as JavaScript would need them."""
    try:
        check_identifier(name)
    except InvalidName:
        return _quote(name)
    return name
