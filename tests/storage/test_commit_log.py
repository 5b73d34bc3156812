from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewake.storage import LogRow, LogWrite, pack_row, pack_writes, unpack_row, unpack_writes

keys = st.none() | st.binary(max_size=8)
texts = st.none() | st.text(max_size=8)
writes = st.lists(
    st.builds(
        LogWrite,
        st.integers(1, 2**31),
        st.text(max_size=8),
        texts,
        texts,
        st.lists(st.tuples(st.integers(1, 2**31), keys, keys), max_size=3).map(tuple),
    ),
    max_size=4,
).map(tuple)


@given(writes)
def test_packed_writes_invert(writes: tuple[LogWrite, ...]) -> None:
    assert unpack_writes(pack_writes(writes)) == writes


@given(st.integers(0, 2**63 - 1), st.text(max_size=8), writes)
def test_packed_rows_invert(ts: int, invocation: str, writes: tuple[LogWrite, ...]) -> None:
    row = LogRow(ts, invocation, writes)
    assert unpack_row(pack_row(row)) == row
