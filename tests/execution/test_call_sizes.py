from __future__ import annotations

import pytest

from rewake.execution.call_log import RunLogLine
from rewake.execution.call_sizes import (
    ArgumentsTooLarge,
    ReturnTooLarge,
    check_arguments_size,
    check_return_size,
)
from rewake.execution.output import LogLines
from rewake.limits import MIB, Limits
from rewake.values import encode

LIMITS = Limits(arguments_bytes_max=1_000, return_bytes_max=2 * MIB)


def test_arguments_over_their_limit_are_refused_with_both_sizes() -> None:
    with pytest.raises(ArgumentsTooLarge) as caught:
        check("x" * 2_000)
    assert caught.value.message == "Arguments for m:f are too large (actual: 2 KiB, limit: 1000 B)"
    assert caught.value.detail == "[setting arguments_bytes_max, observed 2002, limit 1000]"


def test_a_result_over_its_limit_is_refused_with_both_sizes() -> None:
    value = "x" * (3 * MIB)
    with pytest.raises(ReturnTooLarge) as caught:
        check_return_size(encode(value), path="m:f", limits=LIMITS, log_lines=LogLines())
    assert caught.value.message == "Function m:f return value is too large (actual: 3 MiB, limit: 2 MiB)"


def test_what_comes_near_is_told_of_with_a_code() -> None:
    assert check("x" * 700) == []
    assert check("x" * 900) == [
        RunLogLine(
            "WARN",
            "Large size of the function arguments (actual: 902 bytes, limit: 1000 bytes). "
            "Consider using smaller limits in your queries, paginating your queries, or using indexed "
            "queries with a selective index range expressions.",
            "warning:ArgumentsTooLarge",
        )
    ]


def check(value: str) -> list[RunLogLine]:
    lines = LogLines()
    check_arguments_size(value, encode(value), path="m:f", limits=LIMITS, log_lines=lines)
    return lines.lines
