"""Hypothesis strategies for values, for the tests of every floor.

    from tests.values.strategies import documents, values

They lean towards what breaks codecs: NaNs with payloads, both zeros, the ends of Int64, zero bytes,
characters behind the basic plane, empty containers, and names that JSON must escape.
"""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

from rewake.values import COMMIT_TS, UNSET, Int64, Unset, Value
from rewake.values.types import INT64_MAX, INT64_MIN


def float_of_bits(bits: int) -> float:
    """The double whose IEEE-754 bits are these."""
    number: float = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return number


def bits_of_float(number: float) -> int:
    """The IEEE-754 bits of a double; tells apart what `==` does not."""
    bits: int = struct.unpack(">Q", struct.pack(">d", number))[0]
    return bits


_int64_edges = [
    sign * (1 << width) + step
    for width in (0, 7, 8, 15, 16, 31, 32, 53, 62)
    for sign in (-1, 1)
    for step in (-1, 0, 1)
]
int64s: st.SearchStrategy[Int64] = st.one_of(
    st.integers(INT64_MIN, INT64_MAX),
    st.integers(-300, 300),
    st.sampled_from([*_int64_edges, INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1]),
).map(Int64)

floats: st.SearchStrategy[float] = st.one_of(
    st.floats(),
    st.integers(-100, 100).map(float),
    st.integers(0, 2**64 - 1).map(float_of_bits),
    st.sampled_from(
        [
            0.0,
            -0.0,
            float("inf"),
            float("-inf"),
            5e-324,
            -5e-324,
            1.7976931348623157e308,
            1e16,
            1e-7,
            float_of_bits(0x7FF8_0000_0000_0000),
            float_of_bits(0xFFF8_0000_0000_0000),
            float_of_bits(0x7FF0_0000_0000_0001),
            float_of_bits(0xFFFF_FFFF_FFFF_FFFF),
        ]
    ),
)

texts: st.SearchStrategy[str] = st.one_of(
    st.text(max_size=12),
    st.text(alphabet='a\0\x01\x7f\xff\uffff\U0001f600\U0010ffff$"\\', max_size=5),
)

contents: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=12),
    st.lists(st.sampled_from([0x00, 0x01, 0x10, 0xFE, 0xFF]), max_size=5).map(bytes),
)

field_names: st.SearchStrategy[str] = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=6
).filter(lambda name: not name.startswith("$"))

identifiers: st.SearchStrategy[str] = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)

scalars: st.SearchStrategy[Value] = st.one_of(st.none(), st.booleans(), int64s, floats, texts, contents)


def nested(levels: int, leaf: object = None) -> object:
    """A list in a list in a list ..., `levels` of them."""
    value: object = [] if leaf is None else leaf
    for _ in range(levels - 1 if leaf is None else levels):
        value = [value]
    return value


def nested_objects(levels: int) -> object:
    """An object in an object in an object ..., `levels` of them."""
    value: object = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def values(*, max_leaves: int = 12, leaves: st.SearchStrategy[Value] = scalars) -> st.SearchStrategy[Value]:
    """Any value that clients send and documents hold, in the types that decoders return."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(field_names, inner, max_size=4)),
        max_leaves=max_leaves,
    )


def pending_values(*, max_leaves: int = 12) -> st.SearchStrategy[Value]:
    """Any value inside a mutation, where its commit timestamp may stand in for a number."""
    return values(max_leaves=max_leaves, leaves=st.one_of(scalars, st.just(COMMIT_TS)))


def resolved(value: Any) -> Any:
    """A pending value with the place that COMMIT_TS has in the order, the largest Int64, as itself."""
    return at_commit(value, INT64_MAX)


def at_commit(value: Any, ts: int) -> Any:
    """A pending value as it is once its mutation has committed at `ts`."""
    if isinstance(value, list):
        return [at_commit(element, ts) for element in value]
    if isinstance(value, dict):
        return {name: at_commit(field, ts) for name, field in value.items()}
    return Int64(ts) if value is COMMIT_TS else value


def document_fields(*, max_leaves: int = 6) -> st.SearchStrategy[dict[str, Value]]:
    """What an author may hand to `db.insert`: an object without system fields."""
    names = field_names.filter(lambda name: not name.startswith("_"))
    return st.dictionaries(st.one_of(identifiers, names), values(max_leaves=max_leaves), max_size=5)


def documents(*, max_leaves: int = 6) -> st.SearchStrategy[dict[str, Value]]:
    """A stored document, with `_id` (not a real id) and `_creationTime`."""
    return st.builds(
        lambda fields, id, time: {**fields, "_id": id, "_creationTime": time},
        document_fields(max_leaves=max_leaves),
        st.from_regex(r"[0-9a-hjkmnp-tv-z]{32}", fullmatch=True),
        st.floats(min_value=1.0, max_value=2.0**53),
    )


def keys(*, max_size: int = 4) -> st.SearchStrategy[list[Value | Unset]]:
    """The fields of an index key, or of a bound that a mutation reads by."""
    return st.lists(st.one_of(st.just(UNSET), pending_values(max_leaves=4)), max_size=max_size)


narrow_keys: st.SearchStrategy[list[Value | Unset]] = st.lists(
    st.recursive(
        st.sampled_from([UNSET, None, Int64(0), 0.0, "", "\0", "a", "a\0", "a\xff", b"", b"\0", b"\0\xff"]),
        lambda inner: st.one_of(
            st.lists(inner.filter(lambda part: part is not UNSET), max_size=2),
            st.dictionaries(
                st.sampled_from(["", "a"]), inner.filter(lambda part: part is not UNSET), max_size=2
            ),
        ),
        max_leaves=2,
    ),
    max_size=3,
)
"""Keys drawn from so few fields that prefixes of each other are common."""
