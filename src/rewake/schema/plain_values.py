"""Values of any Python object, told by its class at run time.

Floor 1, `schema`. Where a type hint says what an object is, its codec (`type_codec`) turns it into a value;
here is what happens without a hint, or when an author's object is not what the hint says: the result is the
natural value of the object, and the validator then says what was expected.

    Document, msgspec struct   object under the encoded field names, UNSET fields left out
    dataclass                  object of its fields
    pydantic model             `model_dump()` by alias
    Enum                       the value of the member
    tuple, list, dict          array, array, object of plain values

Sets, dates and everything else are refused with the advice of `refusals`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from rewake.limits import SAFE_INTEGER_MAX, VALUE_NESTING_MAX
from rewake.schema.refusals import advice_for
from rewake.values import UNSET, CommitTsPlaceholder, Int64, InvalidValue, TooNested, Unset, normalize

AS_THEY_ARE = frozenset({type(None), bool, float, str, bytes, Int64, CommitTsPlaceholder, Unset})
"""Types whose objects are values already (UNSET is treated as one)."""


def plain_value(thing: object) -> Any:
    """The value that `thing` stands for; UNSET stays UNSET.

    Raises:
        InvalidValue: it stands for none.
    """
    kind = type(thing)
    if kind in AS_THEY_ARE:
        return thing
    if type(thing) is int and -SAFE_INTEGER_MAX <= thing <= SAFE_INTEGER_MAX:
        return float(thing)
    return _plain(thing, 0)


def _plain(thing: object, level: int) -> Any:
    """The value of one thing that stands inside `level` others."""
    if level > VALUE_NESTING_MAX:  # A list that contains itself ends here, too.
        raise TooNested(what="Value", levels=level, maximum=VALUE_NESTING_MAX)
    kind = type(thing)
    if kind in AS_THEY_ARE:
        return thing
    if kind is int:
        return normalize(thing)
    if kind is dict:
        return _plain_dict(thing, level)  # type: ignore[arg-type]
    if isinstance(thing, enum.Enum):
        return _plain(thing.value, level)
    if isinstance(thing, list | tuple):
        return [_plain(element, level + 1) for element in thing]
    if isinstance(thing, Mapping):
        if not all(type(name) is str for name in thing):
            thing = _with_plain_names(dict(thing))
        return {name: _plain(inner, level + 1) for name, inner in thing.items() if inner is not UNSET}
    if isinstance(thing, msgspec.Struct):
        names = zip(thing.__struct_fields__, thing.__struct_encode_fields__, strict=True)
        pairs = ((stored, getattr(thing, name)) for name, stored in names)
        return {stored: _plain(inner, level + 1) for stored, inner in pairs if inner is not UNSET}
    if dataclasses.is_dataclass(thing):
        fields = ((field.name, getattr(thing, field.name)) for field in dataclasses.fields(thing))
        return {name: _plain(inner, level + 1) for name, inner in fields if inner is not UNSET}
    dump = getattr(thing, "model_dump", None)
    if dump is not None and hasattr(kind, "model_fields"):
        return _plain(dump(by_alias=True), level)
    advice = advice_for(kind)
    if advice is not None:
        raise InvalidValue(advice)
    # Subclasses of the plain types, and ints; what is none of these is refused there.
    return normalize(thing)


def _plain_dict(fields: dict[Any, Any], level: int) -> dict[str, Any]:
    for name in fields:
        if type(name) is not str:
            fields = _with_plain_names(fields)
            break
    value = {}
    for name, inner in fields.items():
        # A call less for each field that is a value already.
        if type(inner) not in AS_THEY_ARE:
            value[name] = _plain(inner, level + 1)
        elif inner is not UNSET:
            value[name] = inner
    return value


def _with_plain_names(fields: dict[Any, Any]) -> dict[str, Any]:
    """Names that are no plain strings are straightened or refused by `normalize`."""
    straight = normalize(fields)
    assert isinstance(straight, dict)
    return straight
