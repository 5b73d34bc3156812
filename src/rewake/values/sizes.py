"""Sizes: how large and how deep a value is, and whether that is allowed.

Floor 0, `values`. The size of a value is not the length of its text: it is the model that every byte limit
of the official product counts in, so applications that fit there fit here.

    null, boolean 1      Int64, Float64, COMMIT_TS 9      string, bytes 2 + length
    array 2 + elements   object 2 + (name + 1 + field) for each field

Not here: limits of a transaction (`database`) and of a call (`execution`).
Source: spec/semantics 1.2.
"""

from __future__ import annotations

from typing import Any

from rewake.limits import (
    ARRAY_LENGTH_MAX,
    DOCUMENT_BYTES_MAX,
    DOCUMENT_NESTING_MAX,
    OBJECT_FIELDS_MAX,
    SAFE_INTEGER_MAX,
    VALUE_BYTES_MAX,
    VALUE_NESTING_MAX,
)
from rewake.values.errors import InvalidDocument, TooNested, too_large
from rewake.values.names import field_names
from rewake.values.normal_form import normalize
from rewake.values.types import COMMIT_TS, UNSET, Int64

_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


class _Unusual(Exception):
    """The fast walk met something that only `normalize` can straighten or explain."""


def value_size(value: object) -> int:
    """Count the bytes of `value` in the size model above.

    Raises:
        InvalidValue: part of it is no value.
    """
    return _measure(value)[0]


def nesting(value: object) -> int:
    """Count how deep containers stand in `value`: 0 for a scalar, else 1 + its deepest child.

    Raises:
        InvalidValue: part of it is no value, or it is nested deeper than a value may be.
    """
    return _measure(value)[1]


def check_value(value: object) -> None:
    """Check everything that makes a value: types, names, array lengths, field counts, nesting, size.

    Raises:
        InvalidValue: with the exact sentence of semantics 1.2, 1.3 or 1.6.
    """
    size = _measure(value)[0]
    if size > VALUE_BYTES_MAX:
        raise too_large(size, VALUE_BYTES_MAX)


def check_document_limits(value: dict[str, Any]) -> None:
    """Check what a stored document, with its `_id` and `_creationTime`, may be beyond what a value may.

    Raises:
        InvalidValue: it is too large or too nested, or has a top-level field that starts with `_`.
    """
    size, levels = _measure(value)
    for name in value:
        if name[:1] == "_" and name not in _SYSTEM_FIELDS:
            raise InvalidDocument(
                f"Field '{name}' starts with an underscore, "
                "which is only allowed for system fields like '_id'"
            )
    if size > DOCUMENT_BYTES_MAX:
        raise too_large(size, DOCUMENT_BYTES_MAX)
    if levels > DOCUMENT_NESTING_MAX:
        raise TooNested(what="Document", levels=levels, maximum=DOCUMENT_NESTING_MAX)


def _measure(value: object) -> tuple[int, int]:
    """Check `value` and return its size in bytes and its nesting."""
    walk = _Walk()
    try:
        size = walk.measure(value, 0)
    except (_Unusual, TypeError):  # TypeError: a key that is no string.
        walk = _Walk()
        size = walk.measure(normalize(value), 0)
    return size, walk.deepest


class _Walk:
    """One pass over a value of exact types, which remembers the deepest level that it saw."""

    __slots__ = ("deepest",)

    def __init__(self) -> None:
        self.deepest = 0

    def measure(self, value: Any, level: int) -> int:
        """Return the size of one value that stands inside `level` containers."""
        kind = type(value)
        if kind is str:
            try:
                return 2 + (len(value) if value.isascii() else len(value.encode()))
            except UnicodeEncodeError:
                raise _Unusual from None
        if kind is float or kind is Int64:
            return 9
        if value is None or kind is bool:
            return 1
        if kind is dict:
            return self._measure_object(value, level + 1)
        if kind is list or kind is tuple:
            return self._measure_array(value, level + 1)
        if kind is bytes:
            return 2 + len(value)
        if kind is int and -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX:
            return 9
        if value is COMMIT_TS:
            return 9
        raise _Unusual

    def _measure_array(self, array: list[Any] | tuple[Any, ...], level: int) -> int:
        self._enter(level)
        if len(array) > ARRAY_LENGTH_MAX:
            raise _Unusual
        return 2 + sum([self.measure(element, level) for element in array])

    def _measure_object(self, fields: dict[Any, Any], level: int) -> int:
        self._enter(level)
        size = 2
        count = 0
        names = field_names
        for name, field in fields.items():
            if field is UNSET:
                continue
            _ = names[name]  # Checks it.
            size += len(name) + 1 + self.measure(field, level)
            count += 1
        if count > OBJECT_FIELDS_MAX:
            raise _Unusual
        return size

    def _enter(self, level: int) -> None:
        if level > VALUE_NESTING_MAX:
            raise _Unusual
        self.deepest = max(self.deepest, level)
