"""What several tests of `schema` share: a few tables with ids, and strategies for validators and values.

from tests.schema.support import TABLES, an_id, validators, value_for
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rewake.schema import (
    NOTHING_READ,
    Validator,
    VAny,
    VArray,
    VBoolean,
    VBytes,
    VCommitTs,
    VFloat64,
    VId,
    VInt64,
    VLiteral,
    VNull,
    VObject,
    VRecord,
    VString,
    VUnion,
    v,
)
from rewake.values import COMMIT_TS, Int64, encode_id

NUMBERS = {"users": 10_001, "channels": 10_002, "_storage": 513}


class Tables:
    """The table names of a small deployment."""

    read_ids = NOTHING_READ

    def table_name(self, number: int) -> str | None:
        """See `rewake.schema.TableNames`."""
        return {number: name for name, number in NUMBERS.items()}.get(number)


TABLES = Tables()


def an_id(table: str, seed: int = 0) -> str:
    """An id of one of the tables above."""
    return encode_id(NUMBERS[table], bytes([seed]) * 16)


_NAMES = st.sampled_from(["a", "b", "c", "name"])
_STRINGS = st.sampled_from(["", "a", "text", "$", "é"])
_FLOATS = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf")])
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    _FLOATS,
    st.sampled_from([Int64(0), Int64(1), COMMIT_TS]),
    _STRINGS,
    st.sampled_from([an_id("users"), an_id("channels"), an_id("_storage"), encode_id(77_777, bytes(16))]),
    st.sampled_from([b"", b"a"]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=8,
)

_LITERALS = st.sampled_from(["a", "text", True, False, 0.0, -0.0, 1.0, Int64(1), Int64(0)]).map(VLiteral)
_LEAVES: st.SearchStrategy[Validator] = st.one_of(
    st.sampled_from(
        [
            VAny(),
            VBoolean(),
            VBytes(),
            VCommitTs(),
            VFloat64(),
            VInt64(),
            VNull(),
            VString(),
            VId("users"),
            VId("_storage"),
        ]
    ),
    _LITERALS,
)


def _objects(inner: st.SearchStrategy[Validator]) -> st.SearchStrategy[Validator]:
    fields = st.dictionaries(_NAMES, st.tuples(inner, st.booleans()), max_size=3)
    return fields.map(
        lambda found: VObject(
            {name: field.optional() if optional else field for name, (field, optional) in found.items()}
        )
    )


VALIDATORS: st.SearchStrategy[Validator] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        inner.map(VArray),
        _objects(inner),
        inner.map(lambda value: VRecord(VString(), value)),
        inner.map(lambda value: VRecord(VId("users"), value)),
        st.lists(inner, min_size=1, max_size=3).map(lambda members: VUnion(tuple(members))),
    ),
    max_leaves=8,
)


def value_for(validator: Validator) -> st.SearchStrategy[Any]:
    """Values that a validator accepts."""
    match validator:
        case VAny():
            return VALUES
        case VBoolean():
            return st.booleans()
        case VBytes():
            return st.binary(max_size=3)
        case VFloat64():
            return _FLOATS
        case VInt64():
            return st.integers(-(2**63), 2**63 - 1).map(Int64)
        case VCommitTs():
            return st.sampled_from([COMMIT_TS, Int64(0), Int64(2**62)])
        case VNull():
            return st.none()
        case VString():
            return _STRINGS
        case VId(table_name=table):
            return st.sampled_from([an_id(table, seed) for seed in range(4)])
        case VLiteral(value=value):
            return st.just(value)
        case VArray(element=element):
            return st.lists(value_for(element), max_size=3)
        case VRecord(key=key, value=inner):
            # A record is an object, and no object has such a field.
            keys = value_for(key).filter(lambda name: name.isascii() and not name.startswith("$"))
            return st.dictionaries(keys, value_for(inner), max_size=3)
        case VUnion(members=members):
            return st.one_of([value_for(member) for member in members])
        case VObject(fields=fields):
            required = {name: value_for(x) for name, x in fields.items() if not x.is_optional}
            optional = {name: value_for(x) for name, x in fields.items() if x.is_optional}
            return st.fixed_dictionaries(required, optional=optional)
    raise AssertionError(validator)


MESSAGE = v.object(
    {
        "channel": v.id("channels"),
        "author": v.id("users"),
        "body": v.string(),
        "kind": v.union(v.literal("text"), v.literal("system")),
        "edited": v.optional(v.float64()),
    }
)
"""A validator such as a table would have."""
