from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.database.read_set import ReadRecorder, ReadSet, merge
from rewake.storage import LogRow, LogWrite

keys = st.binary(max_size=3)
intervals = st.tuples(keys, st.none() | keys)
many = st.lists(intervals, max_size=12)


def lies_in(key: bytes, interval: tuple[bytes, bytes | None]) -> bool:
    lower, upper = interval
    return lower <= key and (upper is None or key < upper)


@given(many, st.lists(keys, max_size=20))
def test_merging_keeps_exactly_the_keys(parts: list[tuple[bytes, bytes | None]], probes: list[bytes]) -> None:
    merged = merge(parts)
    ends = [end for part in parts for end in part if end is not None]
    for key in [*probes, *ends, *(end + b"\0" for end in ends)]:
        assert any(lies_in(key, part) for part in merged) == any(lies_in(key, part) for part in parts)


@given(many)
def test_merged_intervals_are_sorted_apart_and_not_empty(parts: list[tuple[bytes, bytes | None]]) -> None:
    merged = merge(parts)
    for lower, upper in merged:
        assert upper is None or lower < upper
    for (_, upper), (lower, _) in pairwise(merged):
        assert upper is not None
        assert upper < lower


@given(many, keys)
def test_covers_agrees_with_the_intervals(parts: list[tuple[bytes, bytes | None]], key: bytes) -> None:
    assert ReadSet({3: parts}).covers(3, key) == any(lies_in(key, part) for part in parts)
    assert not ReadSet({3: parts}).covers(4, key)


@given(st.dictionaries(st.integers(1, 5), many))
def test_wire_form_inverts(parts: dict[int, list[tuple[bytes, bytes | None]]]) -> None:
    read_set = ReadSet(parts)
    assert ReadSet.from_wire(read_set.to_wire()) == read_set
    with pytest.raises(AttributeError):
        _ = ReadSet.from_wire(read_set.to_wire()).other  # type: ignore[attr-defined]


@given(many, many, keys)
def test_union_covers_what_either_covers(
    one: list[tuple[bytes, bytes | None]], other: list[tuple[bytes, bytes | None]], key: bytes
) -> None:
    first, second = ReadSet({1: one}), ReadSet({1: other, 2: other})
    joined = first.union(second)
    for index_id in (1, 2):
        assert joined.covers(index_id, key) == (first.covers(index_id, key) or second.covers(index_id, key))


def row(*keys: tuple[int, bytes | None, bytes | None]) -> LogRow:
    return LogRow(1, "i", (LogWrite(101, "id", None, None, keys),))


def test_touched_by_the_old_key_or_the_new_one_of_an_index_that_was_read() -> None:
    read_set = ReadSet({7: [(b"b", b"d")]})
    assert read_set.touched_by(row((7, b"c", b"x")))
    assert read_set.touched_by(row((7, b"x", b"b")))
    assert read_set.touched_by(row((7, None, b"c")))
    assert read_set.touched_by(row((7, b"c", None)))
    assert read_set.touched_by(row((7, b"c", b"c")))
    assert not read_set.touched_by(row((7, b"a", b"d")))
    assert not read_set.touched_by(row((8, b"c", b"c")))
    assert not read_set.touched_by(row())


def test_recorder_gathers_points_and_growing_spans() -> None:
    recorder = ReadRecorder()
    recorder.point(1, b"k")
    recorder.interval(2, (b"a", None))
    span = recorder.span(1, b"m", b"m")
    assert recorder.read_set() == ReadSet({1: [(b"k", b"k\0")], 2: [(b"a", None)]})
    span.upper = b"p"
    # What was taken earlier does not grow with it.
    read_set = recorder.read_set()
    recorder.point(2, b"z")
    recorder.point(1, b"x")
    assert read_set == ReadSet({1: [(b"k", b"k\0"), (b"m", b"p")], 2: [(b"a", None)]})
    assert recorder.parts == 5
    assert len(recorder.read_set()) == 4


def test_what_is_empty_is_left_out() -> None:
    assert ReadSet({1: [(b"b", b"a")], 2: []}) == ReadSet()
    assert repr(ReadSet()) == "ReadSet({})"
    assert ReadSet() != 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["point", "interval", "span"]), st.integers(1, 4), st.binary(max_size=2)),
        max_size=6,
    )
)
def test_what_was_recorded_is_packed_as_its_read_set(parts: list[tuple[str, int, bytes]]) -> None:
    recorder = ReadRecorder()
    for kind, index, key in parts:
        if kind == "point":
            recorder.point(index, key)
        elif kind == "interval":
            recorder.interval(index, (key, key + b"\1"))
        else:
            recorder.span(index, key, b"\x80")
    assert ReadSet.from_wire(recorder.packed()) == recorder.read_set()
