"""Order: which of two values comes first, and whether they are the same.

Floor 0, `values`. Every index, `order()` and page boundary follows this one order:

    UNSET < null < Int64 < Float64 < false < true < string < bytes < array < object

Numbers of the two kinds never mix: every Int64 stands before every Float64. Floats follow the IEEE total
order, in which -0 comes before 0 and NaNs have places. COMMIT_TS stands beside the largest Int64: neither
comes before the other, the one case of two values with one place. Python's own `<` and `==` know none of this
(`True == 1.0`), which is why nothing above compares values with them.

Not here: the bytes whose order is this one (`key_codec.py`); a property test holds the two together.
Source: spec/semantics 3.5, 4.6, spec/wire-protocol 2.4.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from rewake.values.encoding import encode
from rewake.values.normal_form import normalize
from rewake.values.types import COMMIT_TS, INT64_MAX, UNSET, CommitTsPlaceholder, Int64, Unset, Value

_pack_float = Struct(">d").pack
_unpack_signed = Struct(">q").unpack

_RANKS: dict[type, int] = {
    Unset: 0,
    type(None): 1,
    Int64: 2,
    CommitTsPlaceholder: 2,
    float: 3,
    bool: 4,
    str: 5,
    bytes: 6,
    list: 7,
    dict: 8,
}
_INT64, _FLOAT, _STRING, _ARRAY, _OBJECT = 2, 3, 5, 7, 8


def compare(a: Value | Unset, b: Value | Unset) -> int:
    """Return -1, 0 or 1 as `a` comes before, with or after `b`.

    Raises:
        InvalidValue: one of them is no value.
    """
    return _compare(_normal(a), _normal(b))


def values_equal(a: Value | Unset, b: Value | Unset) -> bool:
    """Tell whether two values are the same one: the same canonical text, never Python's `==`.

    Raises:
        InvalidValue: one of them is no value.
    """
    if a is UNSET or b is UNSET:
        return a is b
    return encode(a) == encode(b)


def _normal(value: Value | Unset) -> Any:
    return value if value is UNSET else normalize(value)


def _compare(a: Any, b: Any) -> int:
    """Compare two values in normal form."""
    rank, other_rank = _RANKS[type(a)], _RANKS[type(b)]
    if rank != other_rank:
        return -1 if rank < other_rank else 1
    if rank == _ARRAY:
        return _compare_arrays(a, b)
    if rank == _OBJECT:
        # Pairs sorted by name; a name is a string and compares as one.
        return _compare_arrays(
            [part for name in sorted(a) for part in (name, a[name])],
            [part for name in sorted(b) for part in (name, b[name])],
        )
    if rank == _FLOAT:
        a, b = _float_place(a), _float_place(b)
    elif rank == _INT64:
        a, b = _int64_place(a), _int64_place(b)
    elif rank == _STRING:
        a, b = a.encode(), b.encode()
    elif a is None or a is UNSET:
        return 0
    return -1 if a < b else int(a > b)


def _compare_arrays(a: list[Any], b: list[Any]) -> int:
    for element, other in zip(a, b, strict=False):
        result = _compare(element, other)
        if result:
            return result
    return (len(a) > len(b)) - (len(a) < len(b))


def _int64_place(number: Int64 | CommitTsPlaceholder) -> int:
    return INT64_MAX if number is COMMIT_TS else number  # type: ignore[return-value]


def _float_place(number: float) -> int:
    """Map a double to an int whose order is the IEEE total order."""
    bits: int = _unpack_signed(_pack_float(number))[0]
    return bits if bits >= 0 else bits ^ 0x7FFF_FFFF_FFFF_FFFF
