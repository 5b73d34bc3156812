from __future__ import annotations

import apsw
import pytest

from rewake.storage import (
    Engine,
    GroupDoomed,
    LogWrite,
    StorageFailed,
    WriterStore,
    pack_writes,
)


def test_documents_are_found_changed_and_removed_by_row(writer: WriterStore) -> None:
    writer.insert_document(101, "old", ((1, b"k"), (2, b"k2")))
    found = writer.find_row(1, b"k")
    assert found is not None
    assert found == writer.find_row(2, b"k2")
    text, row = found
    assert text == "old"
    assert writer.rows(1, b"", limit=5) == [(b"k", row, "old")]
    writer.update_document(row, "new")
    assert writer.find(1, b"k") == "new"
    writer.delete_entry(1, b"k")
    assert writer.find_row(1, b"k") is None
    writer.delete_document(row)
    writer.insert_entry(1, b"a", row)
    writer.insert_entry(2, b"a", row)
    assert writer.delete_entries(1, limit=1000) > 0
    assert writer.find(1, b"a") is None


def test_mutations_and_parts_are_taken_back_alone(writer: WriterStore) -> None:
    def present() -> list[bytes]:
        return [key for key, _ in writer.page(1, b"", None, descending=False, limit=9)]

    def put(key: bytes) -> None:
        writer.insert_document(101, "x", ((1, key),))

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
        lambda: writer.insert_document(1, "x", ()),
        lambda: writer.update_document(1, "x"),
        lambda: writer.find_row(1, b"k"),
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


def test_ranges_are_walked_by_key_and_sorted_by_nothing(engine: Engine) -> None:
    """What the layout is for: no statement of a read sorts or scans."""
    from rewake.storage import store, writer_store

    connection: apsw.Connection = engine.connect()
    reads = store.ENTRY, store._PAGE_ASC, store._PAGE_DESC, store._LOG
    for text in (*reads, writer_store._ROWS, writer_store._REPLAY):
        plan = connection.execute("EXPLAIN QUERY PLAN " + text, (0,) * text.count("?")).fetchall()
        steps = [str(step[3]) for step in plan]
        assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps), steps
    connection.close()


def test_what_a_mutation_came_to_is_known_before_it_is_written(engine: Engine) -> None:
    writer, other = engine.writer(), engine.reader()
    writer.begin()
    write = LogWrite(101, "a", None, '{"_id":"a"}', ((1, None, b"a"),))
    for number in (1, 2):
        writer.begin_mutation()
        writer.keep_mutation(
            (number, f"i{number}", pack_writes((write,))), ("s", number, number, "1", "[]", 5)
        )
    writer.begin_mutation()
    assert [row.ts for row in writer.log_rows(after=0)] == [1, 2]
    assert [row.ts for row in writer.log_rows(after=1, until=2)] == [2]
    assert next(writer.log_rows(after=0)).writes == (write,)
    assert writer.find_replay("s", 2) == (2, "1", "[]")
    assert writer.find_replay("s", 3) is None
    writer.drop_mutation()
    writer.commit()
    assert [row.ts for row in other.log_rows(after=0)] == [1, 2]
    writer.begin()
    assert [row.ts for row in writer.log_rows(after=0)] == [1, 2]
    assert writer.find_replay("s", 1) == (1, "1", "[]")
    writer.trim_log(2)
    writer.trim_replays(2)
    writer.commit()
    writer.close()
    other.close()


def test_what_was_taken_back_is_not_known_any_more(engine: Engine) -> None:
    writer = engine.writer()
    for take_back in (writer.rollback, writer.reopen):
        writer.begin()
        writer.begin_mutation()
        writer.keep_mutation((1, "i", pack_writes(())), ("s", 1, 1, "1", "[]", 5))
        take_back()
        writer.begin()
        assert list(writer.log_rows(after=0)) == []
        assert writer.find_replay("s", 1) is None
        writer.commit()
    writer.close()


def test_large_rows_of_the_log_do_not_wait_for_the_commit(writer: WriterStore) -> None:
    large = pack_writes((LogWrite(101, "a", None, "x" * 300_000, ()),))
    writer.begin_mutation()
    writer.keep_mutation((1, "i", large))
    assert writer.find_invocation("i", after=0) == 1
    assert [row.ts for row in writer.log_rows(after=0)] == [1]
