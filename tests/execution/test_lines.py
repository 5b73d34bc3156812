"""The two lines of a deployment follow its limits."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.environment import ManualClock, seeded_environment
from rewake.execution.lanes import Lane
from rewake.execution.lines import reader_line, writer_line
from rewake.execution.waiting_line import ReadersOverloaded, WaitingLine, WriterOverloaded
from rewake.limits import DEFAULT_LIMITS


@pytest.mark.parametrize(
    ("make", "error"), [(writer_line, WriterOverloaded), (reader_line, ReadersOverloaded)]
)
def test_a_line_takes_as_many_as_its_setting_says_and_turns_away_with_its_own_error(
    make: Callable[[Any], WaitingLine[int]], error: type[Exception]
) -> None:
    limits = replace(DEFAULT_LIMITS, mutations_under_way_max=10, queries_under_way_max=10)
    environment = seeded_environment(1, clock=ManualClock())
    line = make(SimpleNamespace(limits=limits, environment=environment))
    for number in range(9):
        line.join(number, Lane("one"))
    with pytest.raises(error) as refused:
        line.join(9, Lane("one"))
    assert getattr(refused.value, "retry_seconds", None) in (1, 2)
    line.join(10, Lane("another"))
    assert [line.next(), line.next()] == [0, 10]
