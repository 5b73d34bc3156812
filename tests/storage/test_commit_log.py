from __future__ import annotations

import msgspec
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


ID = "j97000820c20a1g7104gm2rc1m70ynr8"
pieces = st.sampled_from([ID.encode(), b"\xc1", b"\xc1\xc1", b"\x10", b"\x00"])
keys_with_ids = st.none() | st.lists(pieces, max_size=5).map(b"".join)
texts_with_ids = st.none() | st.lists(st.sampled_from([ID, '"', "é"]), max_size=4).map("".join)


@given(
    st.lists(
        st.builds(
            LogWrite,
            st.just(102),
            st.sampled_from([ID, ID[::-1]]),
            texts_with_ids,
            texts_with_ids,
            st.lists(st.tuples(st.just(1003), keys_with_ids, keys_with_ids), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple)
)
def test_packed_writes_invert_wherever_the_id_stands(writes: tuple[LogWrite, ...]) -> None:
    assert unpack_writes(pack_writes(writes)) == writes


def test_the_id_is_stored_once() -> None:
    key = b"\x10" + ID.encode() + b"\x00"
    keys = ((1003, None, key), (1004, None, b"\r12345678" + key))
    write = LogWrite(102, ID, None, f'{{"_id":"{ID}"}}', keys)
    assert pack_writes((write,)).count(ID.encode()) == 1
    assert len(pack_writes((write, write))) < 2 * len(msgspec.msgpack.encode((write,))) - 160


def test_rows_of_older_formats_are_read() -> None:
    writes = (LogWrite(102, ID, None, f'{{"_id":"{ID}"}}', ((1003, None, ID.encode()),)),)
    assert unpack_writes(msgspec.msgpack.encode(writes)) == writes
