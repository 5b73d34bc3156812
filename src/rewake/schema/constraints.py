"""Constraints: what a type hint demands beyond its type (`Annotated[str, MaxLen(80)]`, whole numbers).

Floor 1, `schema`. Official validators know no constraints, so they are never exported; they are checked
with the validator that carries them, and a failure names the constraint on a line of its own.

    annotated_types.Ge(0)  |
    msgspec.Meta(ge=0)     |  ->  Constraint("must be at least 0", accepts)
    pydantic Field(ge=0)   |

Constraints see values as they are stored (floats, `Int64`, strings), not the Python objects made of them.
pydantic and annotated_types are recognised by the attributes of their marks and never imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from rewake.limits import SAFE_INTEGER_MAX
from rewake.values import COMMIT_TS


class Constraint(msgspec.Struct, frozen=True):
    """One demand on a value whose type is already right.

    `text` is the sentence after `Constraint: `. `source`, if given, is the test as a Python expression of
    `{x}`, which generated checks write in place of a call.
    """

    text: str
    accepts: Callable[[Any], bool]
    kinds: frozenset[str]
    """The kinds of validator whose values it can be asked of."""
    source: str | None = None

    def __eq__(self, other: object) -> bool:
        # Two lambdas of one meaning are never equal; the sentence says all that there is to say.
        return isinstance(other, Constraint) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def _is_whole(value: float) -> bool:
    return value.is_integer() and -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX


_NUMBERS = frozenset({"float64", "int64"})
_COUNTABLE = frozenset({"string", "bytes", "array", "record"})
_STRINGS = frozenset({"string", "id"})

WHOLE_NUMBER = Constraint(
    "must be a whole number between -2**53 and 2**53",
    _is_whole,
    frozenset({"float64"}),
    source=f"({{x}}.is_integer() and -{SAFE_INTEGER_MAX}.0 <= {{x}} <= {SAFE_INTEGER_MAX}.0)",
)
"""What an `int` annotation adds to `v.float64()`: an integer that no neighbour collides with."""


def _multiple_of(divisor: Any) -> Constraint:
    # A commit timestamp that is not there yet is compared as the largest Int64, but divided by nothing.
    return Constraint(
        f"must be a multiple of {divisor}", lambda x: x is not COMMIT_TS and bool(x % divisor == 0), _NUMBERS
    )


def _pattern(pattern: Any) -> Constraint:
    # `search`, as msgspec and pydantic do: an author who means the whole string writes `^...$`.
    compiled = re.compile(pattern)
    return Constraint(
        f"must match the pattern {compiled.pattern!r}", lambda x: compiled.search(x) is not None, _STRINGS
    )


def _counted(bound: int) -> str:
    return f"{bound} element" if bound == 1 else f"{bound} elements"


_MAKERS: dict[str, Callable[[Any], Constraint]] = {
    "ge": lambda bound: Constraint(f"must be at least {bound}", lambda x: bool(x >= bound), _NUMBERS),
    "gt": lambda bound: Constraint(f"must be greater than {bound}", lambda x: bool(x > bound), _NUMBERS),
    "le": lambda bound: Constraint(f"must be at most {bound}", lambda x: bool(x <= bound), _NUMBERS),
    "lt": lambda bound: Constraint(f"must be less than {bound}", lambda x: bool(x < bound), _NUMBERS),
    "multiple_of": _multiple_of,
    "min_length": lambda bound: Constraint(
        f"must have at least {_counted(bound)}", lambda x: len(x) >= bound, _COUNTABLE
    ),
    "max_length": lambda bound: Constraint(
        f"must have at most {_counted(bound)}", lambda x: len(x) <= bound, _COUNTABLE
    ),
    "pattern": _pattern,
}


def constraints_of(mark: object) -> Iterator[Constraint]:
    """The constraints that one mark in `Annotated` stands for; none for a mark of another meaning."""
    if isinstance(mark, re.Pattern):
        yield _pattern(mark)
        return
    if isinstance(mark, msgspec.Meta) or _is_annotated_type(mark):
        for name, make in _MAKERS.items():
            bound = getattr(mark, name, None)
            if bound is not None:
                yield make(bound)
        return
    # A pydantic FieldInfo keeps marks of annotated_types in a list of its own; its catch-all mark for
    # `pattern` has a plain `__dict__`.
    if type(mark).__module__.partition(".")[0] == "pydantic":
        for inner in getattr(mark, "metadata", ()):
            yield from constraints_of(inner)
        pattern = vars(mark).get("pattern") if hasattr(mark, "__dict__") else None
        if pattern is not None:
            yield _pattern(pattern)


def _is_annotated_type(mark: object) -> bool:
    return type(mark).__module__.partition(".")[0] == "annotated_types"
