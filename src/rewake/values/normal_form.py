"""The normal form of a value: what authors hand in, as the Python types that we hand out.

Floor 0, `values`. The one slow and careful walk: it takes subclasses, tuples and buffers, checks every limit
but the size, and says where in the value something is wrong. The fast codecs (`encoding.py`, `sizes.py`, and
`_copied` here) take exact types only; what they do not expect they give to this walk, which straightens or
refuses it.

    int -> float      tuple -> list      subclass -> its base      bytearray, memoryview -> bytes
    UNSET field -> absent

A bool is never taken for an int. Sets, dates, Decimal and the rest are refused, not guessed at.

Not here: classes with fields, enums by name, dates (`schema`, which knows the annotations).
Source: spec/semantics 1.2, 1.3, 1.6; the shape of the sentences with a path is that of the npm client.
"""

from __future__ import annotations

from typing import Any

from rewake.limits import ARRAY_LENGTH_MAX, OBJECT_FIELDS_MAX, SAFE_INTEGER_MAX, VALUE_NESTING_MAX
from rewake.values.errors import ArrayTooLong, InvalidValue, TooManyFields, TooNested
from rewake.values.names import check_field_name, field_names
from rewake.values.types import UNSET, CommitTsPlaceholder, Int64, Unset, Value

_DESCRIPTION_LENGTH_MAX = 500
"""Error texts quote the value; a megabyte of it would help nobody."""

_SEE_TYPES = "To learn about Convex's supported types, see https://docs.convex.dev/using/types."
_USE_INT64 = "Use Int64, a `bigint` in JavaScript, for whole numbers beyond it."
_USE_BYTES = "Strings must be valid Unicode; use bytes for anything else."


class _Unusual(Exception):
    """The fast walk met something that only the careful one can straighten or explain."""


class _Refusal(Exception):
    """Something in the value is no value. Gathers its path, innermost step first, on the way up."""

    def __init__(self, what: str, *, advice: str = _SEE_TYPES) -> None:
        self.what = what
        self.advice = advice
        self.steps: list[str] = []
        super().__init__(what)


def normalize(value: object) -> Value:
    """Copy `value` into the types of `rewake.values.types`, checked against every limit but its size.

    Nothing of the copy is shared with `value` except immutable leaves.

    Raises:
        InvalidValue: with the exact sentence of semantics 1.2, 1.3 or 1.6.
    """
    try:
        return _copied(value, 0)
    except (_Unusual, InvalidValue, TypeError, UnicodeEncodeError):
        pass  # The careful walk finds nothing wrong, or says what is.
    try:
        return _normal(value, 0)
    except _Refusal as refusal:
        where = ""
        if refusal.steps:
            path = "".join(reversed(refusal.steps))
            where = f" (present at path {path} in original object {_describe(value)})"
        raise InvalidValue(f"{refusal.what}{where}. {refusal.advice}") from None


def plain_text(text: str) -> str:
    """The text alone, of whatever subclass of `str` it came as: what is looked up or kept by it must not ask
    an author's class what equals it.
    """
    return text if type(text) is str else str.__str__(text)


def _copied(value: Any, level: int) -> Value:
    """Copy a value of exact types, which nearly every value is, as `_normal` would."""
    kind = type(value)
    if kind is str:
        if not value.isascii():
            value.encode()
        return value  # type: ignore[no-any-return]
    if value is None or kind is float or kind is bool or kind is bytes or kind is Int64:
        return value  # type: ignore[no-any-return]
    if kind is dict:
        if level >= VALUE_NESTING_MAX:
            raise _Unusual
        names, result = field_names, {}
        for name, field in value.items():
            if type(name) is not str:
                raise _Unusual
            kind = type(field)
            # The commonest kinds stand here once more: a call less for each field of each document.
            if kind is float or (kind is str and field.isascii()):
                names[name]
                result[name] = field
            elif field is not UNSET:
                names[name]
                result[name] = _copied(field, level + 1)
        if len(result) > OBJECT_FIELDS_MAX:
            raise _Unusual
        return result
    if kind is list or kind is tuple:
        if level >= VALUE_NESTING_MAX or len(value) > ARRAY_LENGTH_MAX:
            raise _Unusual
        return [_copied(element, level + 1) for element in value]
    if kind is int and -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX:
        return float(value)
    raise _Unusual


def _normal(value: Any, level: int) -> Value:
    """Straighten one value that stands inside `level` containers."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return _normal_text(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Int64):
        return Int64(value)
    if isinstance(value, int):
        number = int(value)
        if not -SAFE_INTEGER_MAX <= number <= SAFE_INTEGER_MAX:
            what = f"Integer {_describe(number)} is outside the range of a Float64 (-2^53 to 2^53)"
            raise _Refusal(what, advice=_USE_INT64)
        return float(number)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict):
        return _normal_object(value, level + 1)
    if isinstance(value, list | tuple):
        return _normal_array(value, level + 1)
    if isinstance(value, CommitTsPlaceholder):
        return value
    if isinstance(value, Unset):
        raise _Refusal("undefined is not a valid Convex value")
    raise _Refusal(f"{_describe(value)} is not a supported Convex type")


def _normal_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refusal(
            "A string with a lone surrogate is not a valid Convex value", advice=_USE_BYTES
        ) from None
    return plain_text(text)


def _normal_array(array: list[Any] | tuple[Any, ...], level: int) -> list[Value]:
    _check_level(level)
    if len(array) > ARRAY_LENGTH_MAX:
        raise ArrayTooLong(length=len(array), maximum=ARRAY_LENGTH_MAX)
    result: list[Value] = []
    for position, element in enumerate(array):
        try:
            result.append(_normal(element, level))
        except _Refusal as refusal:
            refusal.steps.append(f"[{position}]")
            raise
    return result


def _normal_object(fields: dict[Any, Any], level: int) -> dict[str, Value]:
    _check_level(level)
    result: dict[str, Value] = {}
    for name, field in fields.items():
        if not isinstance(name, str):
            raise InvalidValue(f"Object keys must be strings, found {_describe(name)}")
        if field is UNSET:
            continue
        check_field_name(name)
        try:
            result[plain_text(name)] = _normal(field, level)
        except _Refusal as refusal:
            refusal.steps.append(f".{name}")
            raise
    if len(result) > OBJECT_FIELDS_MAX:
        raise TooManyFields(count=len(result), maximum=OBJECT_FIELDS_MAX)
    return result


def _check_level(level: int) -> None:
    """Stop at the first container too deep, so that a list which contains itself ends here too."""
    if level > VALUE_NESTING_MAX:
        raise TooNested(what="Value", levels=level, maximum=VALUE_NESTING_MAX)


def _describe(value: object) -> str:
    """Write down anything at all, shortly; an object whose own `repr` fails is described by its class."""
    try:
        text = repr(value)
    except Exception:  # An author's __repr__ may do anything; the error that we explain matters more.
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _DESCRIPTION_LENGTH_MAX else text[: _DESCRIPTION_LENGTH_MAX - 3] + "..."
