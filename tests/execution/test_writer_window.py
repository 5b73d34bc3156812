"""The writer's window: enough for full groups, and little of what takes long."""

from __future__ import annotations

import pytest

from rewake.execution.call_log import CallRecord
from rewake.execution.writer_window import WriterWindow


def record(seconds: float) -> CallRecord:
    return CallRecord(
        path="m:f", kind="mutation", seconds=seconds, log_lines=(), error=None, traceback=None, request_id="r"
    )


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.00005, 512), (0.0005, 100), (0.005, 10), (0.02, 2), (0.9, 2), (0.0, 512)]
)
def test_it_holds_about_fifty_milliseconds_of_runs(seconds: float, size: int) -> None:
    window = WriterWindow(512)
    for _ in range(1_000):
        window.ran([record(seconds)])
    assert window.size == pytest.approx(size, rel=0.02)


def test_one_slow_mutation_leaves_room_for_some_sixty() -> None:
    window = WriterWindow(512)
    window.ran([record(0.0001)] * 100)
    window.ran([record(0.9)])
    assert 50 <= window.size <= 70
    window.ran([record(0.0001)] * 300)
    assert window.size > 250


def test_work_of_the_house_has_no_record_and_says_nothing() -> None:
    window = WriterWindow(512)
    window.ran([None] * 100)
    assert window.size == 512


def test_where_less_than_two_were_wanted_there_is_less() -> None:
    window = WriterWindow(1)
    window.ran([record(0.9)] * 100)
    assert window.size == 1
