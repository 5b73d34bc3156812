from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.environment import Environment
from rewake.storage import Engine, GroupDoomed, LogRow, StorageFailed, WriterStore, open_database


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = open_database(":memory:", environment=Environment())
    yield engine
    engine.close()


@pytest.fixture
def writer(engine: Engine) -> Iterator[WriterStore]:
    writer = engine.writer()
    writer.begin()
    yield writer
    writer.rollback()
    writer.close()


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
            writer.insert_entry(5, key, writer.insert_document(101, key.hex()))
            writer.insert_entry(6, key, writer.insert_document(102, "other index"))
        page = writer.page(5, lower, upper, descending=descending, limit=limit)
        expected = sorted(
            (key for key in present if lower <= key and (upper is None or key < upper)), reverse=descending
        )
        assert page == [(key, key.hex()) for key in expected[:limit]]
    finally:
        writer.rollback()
        writer.close()


def test_documents_are_found_changed_and_removed_by_row(writer: WriterStore) -> None:
    row = writer.insert_document(101, "old")
    writer.insert_entry(1, b"k", row)
    assert writer.find_row(1, b"k") == ("old", row)
    assert writer.rows(1, b"", limit=5) == [(b"k", row, "old")]
    writer.update_document(row, "new")
    assert writer.find(1, b"k") == "new"
    writer.delete_entry(1, b"k")
    assert writer.find_row(1, b"k") is None
    writer.delete_document(row)
    writer.insert_entry(1, b"a", row)
    writer.insert_entry(2, b"a", row)
    writer.delete_index(1)
    assert writer.find(1, b"a") is None


def test_mutations_and_parts_are_taken_back_alone(writer: WriterStore) -> None:
    def present() -> list[bytes]:
        return [key for key, _ in writer.page(1, b"", None, descending=False, limit=9)]

    def put(key: bytes) -> None:
        writer.insert_entry(1, key, writer.insert_document(101, "x"))

    writer.begin_mutation()
    put(b"a")
    writer.begin_part()
    put(b"b")
    writer.begin_part()
    put(b"c")
    writer.drop_part()
    writer.keep_part()
    assert present() == [b"a", b"b"]
    writer.keep_mutation()
    writer.begin_mutation()
    put(b"d")
    writer.begin_part()
    put(b"e")
    writer.drop_mutation()
    assert present() == [b"a", b"b"]


def test_log_rows_come_in_pages_from_either_end(writer: WriterStore) -> None:
    for ts in range(1, 601):
        writer.append_log(LogRow(ts, f"i{ts}", ()))
    assert [row.ts for row in writer.log_rows(after=0)] == list(range(1, 601))
    assert [row.ts for row in writer.log_rows(after=10, until=20)] == list(range(11, 21))
    assert [row.ts for row in writer.log_rows_newest_first(after=580)] == list(range(600, 580, -1))
    assert [row.ts for row in writer.log_rows_newest_first(after=0)] == list(range(600, 0, -1))
    assert next(writer.log_rows(after=599)).invocation == "i600"
    assert writer.find_invocation("i7", after=0) == 7
    writer.trim_log(500)
    assert writer.oldest_log(1)[0][0] == 501


def test_the_head_is_written_whole(writer: WriterStore) -> None:
    head = writer.head()
    head.last_ts, head.catalog_ts, head.log_floor_ts, head.log_bytes = 9, 8, 7, 6
    head.next_tablet, head.next_index, head.next_number = 5, 4, 3
    writer.set_head(head)
    assert writer.head() == head


def test_any_failed_statement_dooms_until_rollback(engine: Engine) -> None:
    writer = engine.writer()
    writer.begin()
    writer.insert_entry(1, b"k", 1)
    with pytest.raises(GroupDoomed, match="ConstraintError"):
        writer.insert_entry(1, b"k", 1)
    for action in (
        lambda: writer.find(1, b"k"),
        lambda: writer.insert_document(1, "x"),
        writer.commit,
        writer.begin_part,
    ):
        with pytest.raises(GroupDoomed):
            action()
    writer.rollback()
    writer.begin()
    assert writer.find(1, b"k") is None
    writer.rollback()
    writer.close()


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


def test_a_writer_that_cannot_begin_says_so(engine: Engine) -> None:
    one, other = engine.writer(), engine.writer()
    other._connection.set_busy_timeout(1)
    one.begin()
    with pytest.raises(StorageFailed, match="BusyError"):
        other.begin()
    one.rollback()
    other.begin()
    other.rollback()
    for store in (one, other):
        store.close()


def test_reopening_forgets_what_was_not_committed(engine: Engine) -> None:
    writer = engine.writer()
    writer.begin()
    writer.insert_entry(1, b"lost", 1)
    writer.reopen()
    assert not writer.is_reading
    assert writer.find(1, b"lost") is None
    writer.close()


def test_a_lost_connection_is_replaced_by_the_next_begin(engine: Engine) -> None:
    writer = engine.writer()
    connect = writer._connect

    def refuse() -> apsw.Connection:
        raise StorageFailed(detail="no disk")

    writer.begin()
    writer._connect = refuse
    with pytest.raises(StorageFailed):
        writer.reopen()
    writer.rollback()
    for _ in range(2):
        with pytest.raises(StorageFailed, match="no disk"):
            writer.begin()
    writer._connect = connect
    writer.begin()
    writer.rollback()
    writer.close()
    writer.close()


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


def test_ranges_are_walked_by_key_and_sorted_by_nothing(engine: Engine) -> None:
    """What the layout is for: no statement of a read sorts or scans."""
    from rewake.storage import store

    connection: apsw.Connection = engine.connect()
    for text in (store._ENTRY, store._PAGE_ASC, store._PAGE_DESC, store._ROWS, store._REPLAY, store._LOG):
        plan = connection.execute("EXPLAIN QUERY PLAN " + text, (0,) * text.count("?")).fetchall()
        steps = [str(step[3]) for step in plan]
        assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps), steps
    connection.close()
