from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from rewake.environment import seeded_environment
from rewake.values import NewIds, decode_id, document_id, encode_id
from rewake.values.document_id import TABLE_NUMBER_MAX
from rewake.values.new_ids import _RUN, _TABLES_READY_MAX

DAY_NS = 86_400 * 10**9


@given(
    st.one_of(st.integers(1, TABLE_NUMBER_MAX), st.integers(1, 20_000), st.sampled_from([1, 127, 128])),
    st.integers(0, 2**63),
    st.sampled_from([bytes, lambda size: b"\xff" * size])
    | st.integers().map(lambda seed: seeded_environment(seed).random_bytes),
)
def test_a_run_is_written_as_one_id_is(table_number: int, now_ns: int, random_bytes: object) -> None:
    ids = NewIds(random_bytes)  # type: ignore[arg-type]
    for _ in range(_RUN):
        text = ids.next(table_number, now_ns)
        remembered = decode_id(text)
        document_id._known.clear()
        assert decode_id(text) == remembered
        assert remembered.table_number == table_number
        assert encode_id(table_number, remembered.internal) == text


def test_a_new_id_ends_in_its_day() -> None:
    ids = NewIds(bytes)
    assert decode_id(ids.next(1, 19738 * DAY_NS + 5)).internal == bytes(14) + b"\x4d\x1a"
    assert decode_id(ids.next(1, (65536 + 5) * DAY_NS)).internal[-2:] == b"\x00\x05"
    assert decode_id(ids.next(1, 19738 * DAY_NS)).internal[-2:] == b"\x4d\x1a", "a clock may go back"


def test_new_ids_are_different_and_begin_alike_in_runs() -> None:
    ids = NewIds(seeded_environment(1).random_bytes)
    drawn = [decode_id(ids.next(10_001, 1)).internal for _ in range(1_000)]
    assert len(set(drawn)) == len({id[4:14] for id in drawn}) == 1_000
    starts = [start for start, _ in groupby(drawn, key=lambda id: id[:4])]
    assert len(starts) == len(set(starts)) == 8


def test_ids_of_few_tables_wait() -> None:
    ids = NewIds(seeded_environment(1).random_bytes)
    given_out = {ids.next(number, 1) for number in range(1, 500)}
    assert len(given_out) == 499
    assert len(ids._ready) <= _TABLES_READY_MAX
    assert decode_id(ids.next(7, 1)).table_number == 7


def test_ids_are_drawn_when_they_are_wanted() -> None:
    def none_yet(count: int) -> bytes:
        raise AssertionError("a process that forks would give its children the same ids")

    NewIds(none_yet)
