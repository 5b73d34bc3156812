"""The writer's window: enough for full groups, and little of what takes long."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.execution.call_log import CallRecord
from rewake.execution.writer_window import WriterWindow
from rewake.limits import DEFAULT_LIMITS


def record(seconds: float) -> CallRecord:
    return CallRecord(
        path="m:f", kind="mutation", seconds=seconds, log_lines=(), error=None, traceback=None, request_id="r"
    )


@pytest.mark.parametrize(
    ("seconds", "size"),
    [(0.000_01, 512), (0.00005, 160), (0.0005, 16), (0.003, 4), (0.02, 2), (0.9, 2), (0.0, 512)],
)
def test_it_holds_what_runs_in_about_four_groups(seconds: float, size: int) -> None:
    window = WriterWindow(DEFAULT_LIMITS)
    for _ in range(1_000):
        window.ran([record(seconds)])
    assert window.size == pytest.approx(size, rel=0.02)


def test_one_slow_mutation_leaves_room_for_a_group() -> None:
    window = WriterWindow(DEFAULT_LIMITS)
    window.ran([record(0.0001)] * 1_000)
    assert window.size == pytest.approx(80, abs=1)
    window.ran([record(0.9)])
    assert window.size >= 8
    window.ran([record(0.0001)] * 400)
    assert window.size >= 75


def test_work_of_the_house_has_no_record_and_says_nothing() -> None:
    window = WriterWindow(DEFAULT_LIMITS)
    window.ran([None] * 100)
    assert window.size == 512


@pytest.mark.parametrize("limits", [{"group_mutations_max": 1}, {"group_seconds": 0.0}])
def test_there_is_always_one_more_than_the_one_that_runs(limits: dict[str, float]) -> None:
    window = WriterWindow(replace(DEFAULT_LIMITS, **limits))  # type: ignore[arg-type]
    window.ran([record(0.9)] * 100)
    assert window.size >= 2
