"""Recent rows say when a result was first touched on its way, or that they cannot know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rewake.database import ReadSet
from rewake.reactivity.recent_rows import RecentRows
from rewake.storage import LogRow, LogWrite

READS_A = ReadSet({1: [(b"a", b"b")]})


def row(ts: int, key: bytes) -> LogRow:
    return LogRow(ts, "i", (LogWrite(1, "id", "old text", "new text", ((1, key, None),)),))


@contextmanager
def keeping(rows: RecentRows) -> Iterator[None]:
    number = rows.begin()
    yield
    rows.end(number)


def test_the_first_touching_row_after_the_snapshot_counts():
    rows = RecentRows(position=0)
    with keeping(rows):
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
    with keeping(rows):
        for ts in (1, 2, 3):
            rows.append(row(ts, b"z"))
        assert len(rows) == 2
        assert rows.first_touch(READS_A, after=0) == 1
        assert rows.first_touch(READS_A, after=1) is None
    rows = RecentRows(position=0, key_bytes_max=10)
    with keeping(rows):
        rows.append(row(1, b"z" * 8))
        rows.append(row(2, b"z" * 8))
        assert len(rows) == 1
        assert rows.first_touch(READS_A, after=0) == 1
        assert rows.first_touch(READS_A, after=1) is None


def test_rows_are_kept_for_the_oldest_run_on_its_way_and_no_longer():
    rows = RecentRows(position=0, rows_spare=0)
    older, younger = ExitStack(), ExitStack()
    older.enter_context(keeping(rows))
    rows.append(row(1, b"a"))
    younger.enter_context(keeping(rows))
    rows.append(row(2, b"a"))
    assert len(rows) == 2
    assert rows.first_touch(READS_A, after=0) == 1
    older.close()
    # The one row that came in since the younger was asked for; it cannot be of an older snapshot.
    assert len(rows) == 1
    assert rows.first_touch(READS_A, after=1) == 2
    # Should it be all the same, it is stale, and is asked again.
    assert rows.first_touch(ReadSet({}), after=0) == 1
    younger.close()
    assert len(rows) == 0


def test_large_rows_are_not_spared():
    rows = RecentRows(position=0, rows_spare=5, key_bytes_spare=20)
    for ts in (1, 2):
        rows.append(row(ts, b"z" * 8))
    assert rows.first_touch(READS_A, after=0) is None
    rows.append(row(3, b"z" * 8))
    assert len(rows) == 2
    with keeping(rows):
        rows.append(row(4, b"z" * 80))
        assert len(rows) == 1, "somebody waits for it"
        assert rows.first_touch(READS_A, after=3) is None
    assert len(rows) == 0
    assert rows.first_touch(READS_A, after=3) == 4, "it may have been touched"
    assert rows.first_touch(READS_A, after=4) is None


def test_runs_that_end_in_another_order_leave_what_is_still_needed():
    rows = RecentRows(position=0, rows_spare=0)
    older, younger = ExitStack(), ExitStack()
    older.enter_context(keeping(rows))
    rows.append(row(1, b"a"))
    younger.enter_context(keeping(rows))
    rows.append(row(2, b"a"))
    younger.close()
    assert rows.first_touch(READS_A, after=0) == 1
    older.close()
    assert len(rows) == 0


def test_a_few_rows_are_kept_while_no_run_is_on_its_way():
    rows = RecentRows(position=0, rows_spare=2)
    for ts in (1, 2, 3, 4):
        rows.append(row(ts, b"z"))
    assert len(rows) == 2
    assert rows.first_touch(READS_A, after=1) == 2
    # A reader that is behind by as little as this still answers what has not changed.
    assert rows.first_touch(READS_A, after=2) is None
    with keeping(rows):
        rows.append(row(5, b"z"))
        rows.append(row(6, b"z"))
        rows.append(row(7, b"z"))
        assert len(rows) == 3
    assert len(rows) == 2


def test_documents_are_not_kept_alive():
    rows = RecentRows(position=0)
    with keeping(rows):
        rows.append(row(1, b"a"))
        assert len(rows) == 1
        assert "text" not in repr(list(rows._rows))


def test_who_waits_goes_on_when_the_last_run_has_arrived() -> None:
    async def story() -> None:
        rows = RecentRows(position=0)
        await rows.all_arrived()
        runs = [rows.begin(), rows.begin()]
        waiting = asyncio.ensure_future(rows.all_arrived())
        await asyncio.sleep(0)
        rows.end(runs[1])
        await asyncio.sleep(0)
        assert not waiting.done()
        rows.end(runs[0])
        await waiting

    asyncio.run(asyncio.wait_for(story(), 30))
