"""Rows as lines: values, widths and cuts."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.cli.table_printing import TableLines, columns_of, value_text
from rewake.values import Int64


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.0, "-0.0"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (Int64(-3), "-3n"),
        ('a\n"b"é', '"a\\n\\"b\\"é"'),
        (b"\x01\x02", 'Bytes("AQI=")'),
        ([1.0, "x"], '[1, "x"]'),
        ({"a": [None]}, '{ "a": [null] }'),
    ],
)
def test_values_look_as_in_the_official_product(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_fields_are_columns_the_two_of_all_first() -> None:
    assert columns_of([{"_id": 1, "b": 2}, {"a": 1}]) == ["_id", "_creationTime", "a", "b"]


def test_lines_are_cut_to_the_terminal_and_whole_elsewhere() -> None:
    columns, row = ["a", "b"], ["x" * 30, "line\nnext"]
    whole = TableLines(columns, [row], width=None)
    assert whole.head(columns)[1] == "-" * 30 + "-|-" + "-" * 9
    assert whole.line(row) == "x" * 30 + " | line\\nnext"
    assert not whole.is_cut
    cut = TableLines(columns, [row], width=20)
    assert [len(line) for line in cut.head(columns)] == [20, 20]
    assert cut.line(row) == "x" * 19 + "…"
    assert cut.is_cut
