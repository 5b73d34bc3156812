"""Recent rows say when a result was first touched on its way, or that they cannot know."""

from __future__ import annotations

from rewake.database import ReadSet
from rewake.reactivity.recent_rows import RecentRows
from rewake.storage import LogRow, LogWrite

READS_A = ReadSet({1: [(b"a", b"b")]})


def row(ts: int, key: bytes) -> LogRow:
    return LogRow(ts, "i", (LogWrite(1, "id", "old text", "new text", ((1, key, None),)),))


def test_the_first_touching_row_after_the_snapshot_counts():
    rows = RecentRows(position=0)
    for ts, key in ((1, b"a"), (2, b"z"), (3, b"a1"), (4, b"a2")):
        rows.append(row(ts, key))
    assert rows.first_touch(READS_A, after=0) == 1
    assert rows.first_touch(READS_A, after=1) == 3
    assert rows.first_touch(READS_A, after=4) is None


def test_a_snapshot_from_before_what_is_kept_counts_as_touched():
    rows = RecentRows(position=10)
    assert rows.first_touch(READS_A, after=9) == 10
    assert rows.first_touch(READS_A, after=10) is None


def test_rows_are_bounded_in_number_and_in_bytes_of_keys():
    rows = RecentRows(position=0, rows_max=2)
    for ts in (1, 2, 3):
        rows.append(row(ts, b"z"))
    assert rows.first_touch(READS_A, after=0) == 1
    assert rows.first_touch(READS_A, after=1) is None
    rows = RecentRows(position=0, key_bytes_max=10)
    rows.append(row(1, b"z" * 8))
    rows.append(row(2, b"z" * 8))
    assert rows.first_touch(READS_A, after=0) == 1
    assert rows.first_touch(READS_A, after=1) is None


def test_documents_are_not_kept_alive():
    rows = RecentRows(position=0)
    rows.append(row(1, b"a"))
    assert "text" not in repr(list(rows._rows))
