"""The wake index answers exactly what asking every read set would answer."""

from hypothesis import given
from hypothesis import strategies as st

from rewake.database import ReadSet
from rewake.reactivity import WakeIndex, equality_prefix
from rewake.storage import LogRow, LogWrite
from rewake.values import encode_key, key_successor

fields = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0.0, 1.0, 2.0, -1.5]),
    st.sampled_from(["", "a", "ab", "b", "\0"]),
)
keys = st.lists(fields, min_size=1, max_size=3).map(encode_key)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[bytes, bytes | None]:
    """Intervals of the shapes that ranges make: points, prefixes, ranges below a prefix, open ends."""
    shape = draw(st.sampled_from(["point", "prefix", "range", "open", "all"]))
    lower = draw(keys)
    if shape == "point":
        return lower, lower + b"\0"
    if shape == "prefix":
        return lower, key_successor(lower)
    if shape == "range":
        upper = draw(keys)
        return (lower, upper) if lower <= upper else (upper, lower)
    if shape == "open":
        return lower, None
    return b"", None


read_sets = st.dictionaries(st.integers(1, 3), st.lists(intervals(), min_size=1, max_size=3), max_size=2).map(
    ReadSet
)


def row_of(index_id: int, old: bytes | None, new: bytes | None) -> LogRow:
    return LogRow(1, "i", (LogWrite(1, "id", None, "{}", ((index_id, old, new),)),))


@given(
    st.lists(read_sets, max_size=12),
    st.sets(st.integers(0, 11)),
    st.integers(1, 3),
    st.one_of(st.none(), keys),
    st.one_of(st.none(), keys),
)
def test_it_finds_exactly_the_read_sets_that_a_row_touches(sets, removed, index_id, old, new):
    index: WakeIndex[int] = WakeIndex()
    for number, read_set in enumerate(sets):
        index.add(number, read_set)
    for number in removed:
        index.remove(number)
    row = row_of(index_id, old, new)
    expected = {n for n, read_set in enumerate(sets) if n not in removed and read_set.touched_by(row)}
    assert index.touched(row) == expected


@given(st.lists(read_sets, min_size=1, max_size=12))
def test_nothing_is_left_after_all_are_removed(sets):
    index: WakeIndex[int] = WakeIndex()
    for number, read_set in enumerate(sets):
        index.add(number, read_set)
    for number in range(len(sets)):
        index.remove(number)
    assert len(index) == 0
    assert not index._wholes
    assert not index._trees


@given(st.lists(read_sets, min_size=1, max_size=6))
def test_what_somebody_watches_can_be_told(sets):
    index: WakeIndex[int] = WakeIndex()
    for number, read_set in enumerate(sets):
        index.add(number, read_set)
    assert [index.watched_by(number) for number in range(len(sets))] == sets
    assert index.watched_by(-1) == ReadSet()


@given(read_sets, read_sets, keys)
def test_adding_again_replaces_what_was_watched(first, second, key):
    index: WakeIndex[str] = WakeIndex()
    index.add("w", first)
    index.add("w", second)
    for index_id in (1, 2, 3):
        row = row_of(index_id, None, key)
        assert (index.touched(row) == {"w"}) is second.touched_by(row)


@given(intervals())
def test_every_key_of_an_interval_begins_with_its_equality_prefix(interval):
    lower, upper = interval
    prefix, is_whole = equality_prefix(lower, upper)
    assert lower.startswith(prefix)
    end = key_successor(prefix) if prefix else None
    assert end is None or (upper is not None and upper <= end)
    if is_whole:
        assert (lower, upper) == (prefix, end)


def test_an_equality_is_found_by_its_prefix_alone():
    channel = encode_key(["general"])
    assert equality_prefix(channel, key_successor(channel)) == (channel, True)
    within = encode_key(["general", 5.0])
    assert equality_prefix(within, key_successor(channel)) == (channel, False)


def test_thousands_of_ranges_under_one_prefix_are_told_apart():
    index: WakeIndex[int] = WakeIndex()
    prefix = encode_key(["c"])
    for number in range(5000):
        index.add(
            number,
            ReadSet({1: [(prefix + encode_key([float(number)]), prefix + encode_key([float(number + 2)]))]}),
        )
    key = prefix + encode_key([1000.5, "x"])
    assert index.touched(row_of(1, None, key)) == {999, 1000}


def test_those_who_watch_the_same_hold_one_copy_of_it():
    index: WakeIndex[int] = WakeIndex()
    for number in range(10):
        key = encode_key(["the table"])
        index.add(number, ReadSet({1: [(key, key + b"\0")]}))
    assert len({id(handle) for handle in list(index._handles.values())[2:]}) == 1
    assert index.touched(row_of(1, None, encode_key(["the table"]))) == set(range(10))
