"""Values as the model sees them: their total order (3.5), field paths, sizes that matter.

Written again from the words of the specification; only the value types are the house's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rewake.values import UNSET, Int64

Value = Any
Doc = dict[str, Value]
Key = tuple[Any, ...]

SYSTEM_FIELDS = ("_id", "_creationTime")

KINDS: dict[str, Callable[[Value], bool]] = {
    "null": lambda value: value is None,
    "int64": lambda value: isinstance(value, Int64),
    "float64": lambda value: isinstance(value, float),
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def order_key(value: Value) -> Key:
    """A key that Python sorts as 3.5 orders values."""
    if value is UNSET:
        return (0,)
    if value is None:
        return (1,)
    if isinstance(value, bool):
        return (4, value)
    if isinstance(value, Int64):
        return (2, int(value))
    if isinstance(value, float):
        [bits] = struct.unpack(">Q", struct.pack(">d", value))
        return (3, ~bits & (2**64 - 1) if bits >> 63 else bits | 1 << 63)
    if isinstance(value, str):
        return (5, value.encode())
    if isinstance(value, bytes):
        return (6, value)
    if isinstance(value, list):
        return (7, tuple(order_key(item) for item in value))
    return (8, tuple(sorted((name.encode(), order_key(item)) for name, item in value.items())))


def at_path(document: Mapping[str, Value], path: str) -> Value:
    """The value at a dotted path, UNSET where there is none."""
    value: Value = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return UNSET
        value = value[name]
    return value


def place_of(document: Doc, path: Sequence[str]) -> Key:
    """Where a document stands in an index."""
    return tuple(order_key(at_path(document, name)) for name in path)


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same: of one type, bit for bit. Python says `True == 1.0`, `NaN != NaN`."""
    return order_key(one) == order_key(other)


def given(bound: Sequence[Value]) -> Value:
    """`["set", value]` or `["unset"]`: how steps spell a value that may be missing."""
    return bound[1] if bound[0] == "set" else UNSET


def levels(value: Value) -> int:
    """How deep containers stand in a value (1.2)."""
    if isinstance(value, list):
        return 1 + max(map(levels, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    return 0
