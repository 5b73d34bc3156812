"""Subsets: whether one validator takes everything that another takes.

Floor 1, `schema`, on `validators`. Documents that fit a table's old validator need not be read again when the
new one provably takes them all: a field made optional, a union with one member more, a constraint dropped.

    is_subset(old, new) -> True     every value that `old` takes, `new` takes
                        -> False    it does not, or we cannot tell

Wrong only on the safe side: an object with a union inside is not taken apart into a union of objects, and
recursive types are not followed. Constraints count: what `new` demands, `old` must have demanded in the same
words, except of literals, which are simply tried.

Not here: when documents are checked (`database/schema_check.py`). Source: spec/semantics 2.5.
"""

from __future__ import annotations

from rewake.schema.constraints import Constraint
from rewake.schema.mismatch import NOTHING_READ
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VArray,
    VBoolean,
    VCommitTs,
    VId,
    VInt64,
    VLiteral,
    VObject,
    VRecord,
    VRecursive,
    VString,
    VUnion,
)

Constraints = frozenset[Constraint]


class _NoTables:
    """A deployment without tables, in which no string is an id: a literal proves nothing about ids."""

    read_ids = NOTHING_READ

    def table_name(self, number: int) -> str | None:
        return None


_NO_TABLES = _NoTables()


def is_subset(old: Validator, new: Validator) -> bool:
    """Whether `new` certainly takes every value that `old` takes, whatever tables there are."""
    return _within(old, new, frozenset())


def _within(old: Validator, new: Validator, held: Constraints) -> bool:
    """`is_subset` for values that also satisfy the constraints `held`."""
    if isinstance(old, VLiteral):
        return new.explain(old.value, _NO_TABLES) is None
    held |= frozenset(old.constraints)
    if isinstance(old, VUnion):
        return all(_within(member, new, held) for member in old.members)
    if not held.issuperset(new.constraints) or isinstance(new, VRecursive):
        return False
    if isinstance(new, VAny):
        return True
    if isinstance(new, VUnion):
        if any(_within(old, member, held) for member in new.members):
            return True
        # The one validator that is itself a union of literals.
        return type(old) is VBoolean and all(_within(VLiteral(x), new, held) for x in (True, False))
    return _is_within_kind(old, new)


def _is_within_kind(old: Validator, new: Validator) -> bool:
    """The same for two validators that are no unions; the constraints of the whole are settled."""
    if isinstance(old, VArray) and isinstance(new, VArray):
        return is_subset(old.element, new.element)
    if isinstance(old, VRecord) and isinstance(new, VRecord):
        return is_subset(old.key, new.key) and is_subset(old.value, new.value)
    if isinstance(old, VObject) and isinstance(new, VRecord):
        return all(
            is_subset(VLiteral(name), new.key) and is_subset(inner, new.value)
            for name, inner in old.fields.items()
        )
    if isinstance(old, VObject) and isinstance(new, VObject):
        return _are_fields_within(old, new)
    if isinstance(old, VId):
        return type(new) is VString or (isinstance(new, VId) and new.table_name == old.table_name)
    if type(old) is VInt64 and type(new) is VCommitTs:
        return True
    is_told_by_type = not isinstance(old, VAny | VArray | VRecord | VObject)
    return is_told_by_type and type(old) is type(new)


def _are_fields_within(old: VObject, new: VObject) -> bool:
    if not old.fields.keys() <= new.fields.keys():
        return False
    for name, inner in new.fields.items():
        before = old.fields.get(name)
        if before is None or before.is_optional:
            if not inner.is_optional:
                return False
            if before is None:
                continue
        if not is_subset(before, inner):
            return False
    return True
