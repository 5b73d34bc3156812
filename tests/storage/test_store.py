from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.storage import Engine, StorageFailed, WriterStore, pack_writes

keys = st.binary(min_size=1, max_size=3).filter(lambda key: key < b"\xff")


@given(st.sets(keys, max_size=20), st.tuples(keys, st.none() | keys), st.booleans(), st.integers(1, 25))
def test_pages_hold_the_keys_between_in_order(
    engine: Engine,
    present: set[bytes],
    interval: tuple[bytes, bytes | None],
    descending: bool,
    limit: int,
) -> None:
    lower, upper = interval
    writer = engine.writer()
    writer.begin()
    try:
        for key in present:
            writer.insert_document(101, key.hex(), ((5, key),))
            writer.insert_document(102, "other index", ((6, key),))
        page = writer.page(5, lower, upper, descending=descending, limit=limit)
        expected = sorted(
            (key for key in present if lower <= key and (upper is None or key < upper)), reverse=descending
        )
        assert page == [(key, key.hex()) for key in expected[:limit]]
    finally:
        writer.rollback()
        writer.close()


def test_log_rows_come_in_pages_from_either_end(writer: WriterStore) -> None:
    for ts in range(1, 601):
        writer.begin_mutation()
        writer.keep_mutation((ts, f"i{ts}", pack_writes(())))
    writer._write_gathered()
    assert [row.ts for row in writer.log_rows(after=0)] == list(range(1, 601))
    assert [row.ts for row in writer.log_rows(after=10, until=20)] == list(range(11, 21))
    assert [row.ts for row in writer.log_rows_newest_first(after=580)] == list(range(600, 580, -1))
    assert [row.ts for row in writer.log_rows_newest_first(after=0)] == list(range(600, 0, -1))
    assert next(writer.log_rows(after=599)).invocation == "i600"
    assert writer.find_invocation("i7", after=0) == 7
    writer.trim_log(500)
    assert writer.oldest_log(1)[0][0] == 501


def test_a_reader_reports_failures_by_name(engine: Engine) -> None:
    reader = engine.reader()
    reader._connection.set_progress_handler(lambda: True, 1)
    with pytest.raises(StorageFailed, match="InterruptError"):
        reader.find(1, b"k")
    with pytest.raises(StorageFailed, match="InterruptError"):
        reader.begin()
    reader._connection.set_progress_handler(None)
    assert not reader.is_reading
    reader.begin()
    assert reader.is_reading
    reader.end()
    reader.end()
    reader.close()


def test_a_read_that_failed_is_remembered_until_the_next_snapshot(engine: Engine) -> None:
    reader = engine.reader()
    reader.begin()
    run = reader._run

    def broken(text: str, bindings: object = ()) -> None:
        raise apsw.IOError("disk I/O error")

    reader._run = broken  # type: ignore[assignment]
    with pytest.raises(StorageFailed):
        reader.find(1, b"x")
    reader._run = run
    assert reader.find(1, b"x") is None
    assert reader.failed is not None
    reader.end()
    reader.begin()
    assert reader.failed is None
    reader.end()
    reader.close()
