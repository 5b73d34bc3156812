"""What worker processes take of the machine."""

from __future__ import annotations

import os
import sys

import pytest

from rewake.deployment.processes import ProcessFigures, process_figures


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_processes_of_one_role_are_summed_up() -> None:
    pid = os.getpid()
    alone, twice = process_figures([("writer", pid), ("reader", pid), ("reader", pid)])
    assert (alone.role, alone.count, twice.role, twice.count) == ("writer", 1, "reader", 2)
    assert alone.resident_bytes > 1_000_000
    assert alone.open_files > 0
    assert twice.resident_bytes > alone.resident_bytes


def test_a_process_that_has_ended_takes_nothing() -> None:
    assert process_figures([("reader", 2**30)]) == (ProcessFigures("reader", 1, 0, 0),)
