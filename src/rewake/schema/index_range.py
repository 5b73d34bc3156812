"""Index ranges: from what an author asks to an interval of index keys.

Floor 1, `schema`: the one place where a range is checked and encoded, shared by reads (`database`) and by
whatever else must know which keys a query covers.

    with_index(Message.by_channel, channel=c, creation_time=gte(t) & lt(u))
        -> RangeBound("channel", "eq", c), RangeBound("_creationTime", "gte", t), ...      author's side
        -> [encode_key([c, t]), encode_key([c, u]))                                        database's side

Equalities on a prefix of the index fields, then at most one lower and one upper bound on the next field.
An interval holds its lower end and not its upper; None is the end of the index.

Not here: names of Python attributes against stored names (`indexes`), walking the interval (`database`).
Source: spec/semantics 3.3, 3.5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from rewake.errors import InvalidInput
from rewake.schema.plain_values import AS_THEY_ARE, plain_value
from rewake.values import Unset, Value, encode_key, key_successor, normalize, render

Operator = Literal["eq", "gt", "gte", "lt", "lte"]
Order = Literal["asc", "desc"]
Interval = tuple[bytes, bytes | None]

_MORE = "For more information see https://docs.convex.dev/using/indexes."


class InvalidIndexRange(InvalidInput):
    """An index cannot be read like this. Compare its fields in order: equalities first, then one range."""

    code = "InvalidIndexRange"


class RangeBound(msgspec.Struct, frozen=True):
    """One comparison of a range: `field` is a stored path; UNSET stands for a missing field."""

    field: str
    operator: Operator
    value: Value | Unset

    def __str__(self) -> str:
        shown = "undefined" if isinstance(self.value, Unset) else render(self.value)
        return f'{self.operator}("{self.field}", {shown})'


class QuerySpec(msgspec.Struct, frozen=True):
    """What a query reads, before filters and limits. `index` None is the table in order of creation."""

    table: str
    index: str | None = None
    bounds: tuple[RangeBound, ...] = ()
    order: Order = "asc"


class Comparison(msgspec.Struct, frozen=True):
    """What an author writes in place of a value to ask for a range; `&` joins a lower and an upper bound."""

    parts: tuple[tuple[Operator, Any], ...]

    def __and__(self, other: Comparison) -> Comparison:
        if not isinstance(other, Comparison):
            return NotImplemented
        return Comparison(self.parts + other.parts)

    def __bool__(self) -> bool:
        # `gte(a) and lt(b)` and `a < gte(b) < c` would silently drop a bound.
        raise TypeError("Join the bounds of a range with `&`: gte(a) & lt(b)")


def gt(value: object) -> Comparison:
    """Everything after `value`."""
    return Comparison((("gt", value),))


def gte(value: object) -> Comparison:
    """`value` and everything after it."""
    return Comparison((("gte", value),))


def lt(value: object) -> Comparison:
    """Everything before `value`, missing fields included."""
    return Comparison((("lt", value),))


def lte(value: object) -> Comparison:
    """`value` and everything before it, missing fields included."""
    return Comparison((("lte", value),))


def range_bounds(
    fields: Mapping[str, object], *, to_value: Callable[[str, object], Any] | None = None
) -> tuple[RangeBound, ...]:
    """Bounds on stored paths, from a mapping of paths to plain values (equality) and comparisons.

    `to_value(path, thing)` makes the value of what the author passed.
    """
    bounds = []
    for path, thing in fields.items():
        parts: tuple[tuple[Operator, Any], ...] = (
            thing.parts if isinstance(thing, Comparison) else (("eq", thing),)
        )
        for operator, operand in parts:
            value = plain_value(operand) if to_value is None else to_value(path, operand)
            bounds.append(RangeBound(path, operator, value if _is_normal(value) else normalize(value)))
    return tuple(bounds)


def _is_normal(value: object) -> bool:
    """Whether nothing about a value needs a closer look: true for what nearly every bound is."""
    return value.isascii() if type(value) is str else type(value) in AS_THEY_ARE


class _Range(msgspec.Struct):
    """Bounds sorted by what they do, as far as they have been read."""

    index: str
    equal: dict[str, RangeBound]
    lower: RangeBound | None = None
    upper: RangeBound | None = None

    def add(self, bound: RangeBound) -> None:
        """Take one more bound."""
        if bound.field in self.equal:
            raise self._repeated("equality", bound)
        if bound.operator == "eq":
            for other in (self.lower, self.upper):
                if other is not None and other.field == bound.field:
                    raise self._repeated("inequality", bound)
            self.equal[bound.field] = bound
            return
        is_lower = bound.operator in ("gt", "gte")
        for other in (self.lower, self.upper):
            if other is not None and other.field != bound.field:
                raise InvalidIndexRange(
                    "Upper and lower bounds in `range` can only be applied to a single index field. This "
                    "query "
                    f'against index {self.index} attempted to set a range bound on both "{other.field}" and '
                    f'"{bound.field}". Consider using `filter` instead. See '
                    "https://docs.convex.dev/using/indexes for more info."
                )
        if is_lower and self.lower is not None:
            raise self._repeated("lower", bound)
        if not is_lower and self.upper is not None:
            raise self._repeated("upper", bound)
        if is_lower:
            self.lower = bound
        else:
            self.upper = bound

    def _repeated(self, kind: str, bound: RangeBound) -> InvalidIndexRange:
        return InvalidIndexRange(f"Already defined {kind} bound in index range. Can't add {bound}.")

    def fields(self) -> list[str]:
        """The fields compared: equalities in the order given, then the range's."""
        last = self.lower or self.upper
        return [*self.equal, *([last.field] if last is not None else [])]


def _check_fields(queried: _Range, fields: Sequence[str]) -> None:
    for field in queried.fields():
        if field not in fields:
            raise InvalidIndexRange(
                f'The index range included a comparison with "{field}", but {queried.index} with fields '
                f"{_listed(fields)} doesn't index this field. {_MORE}"
            )
    compared = queried.fields()
    prefix = set(fields[: len(queried.equal)])
    wrong = [field for field in queried.equal if field not in prefix]
    # The equalities may come in any order; the field of the range has one place.
    if not wrong and len(compared) > len(queried.equal) and compared[-1] != fields[len(queried.equal)]:
        wrong = [compared[-1]]
    if wrong:
        raise InvalidIndexRange(
            f"Tried to query index {queried.index} but the query didn't use the index fields in order.\n"
            f"Index fields: {_listed(fields)}\nQuery fields: {_listed(compared)}\n"
            f'First incorrect field: "{wrong[0]}"\n{_MORE}'
        )


def _listed(fields: Iterable[str]) -> str:
    return json.dumps(list(fields))


def _equal_in_order(fields: Sequence[str], bounds: Sequence[RangeBound]) -> list[Value | Unset] | None:
    """The values of bounds that fix the first fields of an index one after another, as nearly all do."""
    values: list[Value | Unset] = []
    for bound in bounds:
        if bound.operator != "eq" or len(values) == len(fields) or bound.field != fields[len(values)]:
            return None
        values.append(bound.value)
    return values


def interval_for(
    table: str, index_name: str, index_fields_with_implicit: Sequence[str], bounds: Sequence[RangeBound]
) -> Interval:
    """The keys that `bounds` cover in an index, as [lower, upper).

    `index_fields_with_implicit` ends with `_creationTime`, `_id` (for `by_id` it is `_id` alone), as the keys
    do. An interval whose ends cross is legal and empty.

    Raises:
        InvalidIndexRange: with the texts of semantics 3.3.
    """
    fields = index_fields_with_implicit
    values = _equal_in_order(fields, bounds)
    # Field encodings are self-delimiting and simply follow one another in a key.
    if values is not None:
        prefix = encode_key(values)
        return prefix, key_successor(prefix)
    queried = _Range(f"{table}.{index_name}", {})
    for bound in bounds:
        queried.add(bound)
    _check_fields(queried, fields)
    equal = [queried.equal[field].value for field in fields[: len(queried.equal)]]
    prefix = encode_key(equal)
    lower: bytes | None = prefix
    upper = key_successor(prefix) if prefix else None
    if queried.lower is not None:
        lower = prefix + encode_key([queried.lower.value])
        if queried.lower.operator == "gt":
            lower = key_successor(lower)
    if queried.upper is not None:
        upper = prefix + encode_key([queried.upper.value])
        if queried.upper.operator == "lte":
            upper = key_successor(upper)
    # No encoded field consists of 0xff alone, so a prefix that holds one always has a successor.
    assert lower is not None, "a key prefix without a successor"
    return lower, upper
