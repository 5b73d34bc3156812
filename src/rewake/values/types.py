"""What a value is in Python.

Floor 0, `values`. Everything above speaks of values in these types:

    null, boolean, string, bytes     None, bool, str, bytes
    Float64                          float (also what a plain int means when written)
    Int64                            Int64, the bigint of JavaScript
    array, object                    list, dict with str keys
    commit timestamp placeholder     COMMIT_TS, in a mutation only; an Int64 once that has committed
    undefined                        UNSET; never a value itself, but a field may be UNSET and so absent

`Int64` is a class of its own because JavaScript's numbers are all Float64: the two never compare equal on
this wire, and an author says which one is meant.

Not here: conversion from other Python types (`normal_form.py` and `schema`).
Source: spec/semantics 1.1, 4.6, spec/wire-protocol 2.6.
"""

from __future__ import annotations

from operator import index
from typing import NoReturn, SupportsIndex, TypeAlias, final, overload

from msgspec import UNSET
from msgspec import UnsetType as Unset

from rewake.values.errors import InvalidValue

__all__ = ["COMMIT_TS", "INT64_MAX", "INT64_MIN", "UNSET", "CommitTsPlaceholder", "Int64", "Unset", "Value"]

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class Int64(int):
    """A signed 64-bit integer, the `bigint` of JavaScript clients.

    Sums, differences, products, floor quotients and remainders with ints are Int64 again, so a counter
    stays a counter; with floats they are floats. Outside 64 bits they raise, as construction does.

    Raises:
        InvalidValue: the number does not fit into 64 bits.
    """

    __slots__ = ()

    def __new__(cls, value: SupportsIndex = 0, /) -> Int64:
        number = index(value)
        if not INT64_MIN <= number <= INT64_MAX:
            raise InvalidValue(f"BigInt {number} does not fit into a 64-bit signed integer.")
        return super().__new__(cls, number)

    def __repr__(self) -> str:
        return f"Int64({int(self)})"

    def __str__(self) -> str:
        return int.__repr__(self)

    def __add__(self, other: int, /) -> Int64:
        return _wrap(int.__add__(self, other))

    def __radd__(self, other: int, /) -> Int64:
        return _wrap(int.__radd__(self, other))

    def __sub__(self, other: int, /) -> Int64:
        return _wrap(int.__sub__(self, other))

    def __rsub__(self, other: int, /) -> Int64:
        return _wrap(int.__rsub__(self, other))

    def __mul__(self, other: int, /) -> Int64:
        return _wrap(int.__mul__(self, other))

    def __rmul__(self, other: int, /) -> Int64:
        return _wrap(int.__rmul__(self, other))

    def __floordiv__(self, other: int, /) -> Int64:
        return _wrap(int.__floordiv__(self, other))

    def __rfloordiv__(self, other: int, /) -> Int64:
        return _wrap(int.__rfloordiv__(self, other))

    def __mod__(self, other: int, /) -> Int64:
        return _wrap(int.__mod__(self, other))

    def __rmod__(self, other: int, /) -> Int64:
        return _wrap(int.__rmod__(self, other))

    def __neg__(self) -> Int64:
        return Int64(int.__neg__(self))

    def __abs__(self) -> Int64:
        return Int64(int.__abs__(self))


@overload
def _wrap(result: int) -> Int64: ...
@overload
def _wrap(result: object) -> object: ...
def _wrap(result: object) -> object:
    """Make an int result an Int64; leave `NotImplemented`, int's answer to a float, as it is."""
    return Int64(result) if isinstance(result, int) else result


@final
class CommitTsPlaceholder:
    """The type of COMMIT_TS, which stands for the timestamp of a commit that has yet to happen.

    Among numbers it stands where the largest Int64 stands, as in indexes, so a list sorts and a filter
    compares as the database does. It is no number itself: it equals itself alone, and converting it or
    calculating with it is a TypeError.
    """

    __slots__ = ()

    def __new__(cls) -> CommitTsPlaceholder:
        return COMMIT_TS

    def __repr__(self) -> str:
        return "COMMIT_TS"

    def __str__(self) -> str:
        return "[unresolved commit timestamp]"

    def __reduce__(self) -> str:
        return "COMMIT_TS"  # The name of the one object, for copies and pickles.

    def __int__(self) -> NoReturn:
        _refuse_number()

    def __float__(self) -> NoReturn:
        _refuse_number()

    def __lt__(self, other: object, /) -> bool:
        number = _number_beside(other)
        return NotImplemented if number is None else number > INT64_MAX

    def __le__(self, other: object, /) -> bool:
        number = _number_beside(other)
        return NotImplemented if number is None else number >= INT64_MAX

    def __gt__(self, other: object, /) -> bool:
        number = _number_beside(other)
        return NotImplemented if number is None else number < INT64_MAX

    def __ge__(self, other: object, /) -> bool:
        number = _number_beside(other)
        return NotImplemented if number is None else number <= INT64_MAX

    def _refuse_operand(self, other: object, /) -> NoReturn:
        _refuse_number()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse_operand
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse_operand


def _refuse_number() -> NoReturn:
    raise TypeError("A commit timestamp has no number before its mutation commits. Read it afterwards.")


def _number_beside(other: object) -> int | float | None:
    """What to compare with, where that is a number; a placeholder is where the largest Int64 is."""
    if isinstance(other, CommitTsPlaceholder):
        return INT64_MAX
    return other if isinstance(other, int | float) else None


COMMIT_TS: CommitTsPlaceholder = object.__new__(CommitTsPlaceholder)
"""The placeholder of a mutation's own commit timestamp. There is no other of its type."""


Value: TypeAlias = (
    bool | float | Int64 | CommitTsPlaceholder | str | bytes | list["Value"] | dict[str, "Value"] | None
)
"""What can be stored and sent, COMMIT_TS within its mutation only.

Where one is written a plain int is welcome too and means a Float64.
"""
