"""What crosses between a door and a run is plain data."""

from __future__ import annotations

from rewake.execution import Failure, FunctionCall, MutationOutcome, Success


def test_calls_and_outcomes_compare_by_content():
    assert FunctionCall("m:f", "{}") == FunctionCall("m:f", "{}", "")
    assert Success("1.0") != Success("1.0", ("line",))
    assert Failure("no") != Failure("no", "null")
    assert MutationOutcome(Success("null"), 3) == MutationOutcome(Success("null"), 3)
