"""Rows of every format, and what is wrong with them, by entry and place."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewake.archive.errors import ImportRowInvalid, ImportUnreadable
from rewake.archive.rows import csv_rows, json_array, json_lines
from rewake.limits import IMPORT_LINE_BYTES_MAX, JSON_ARRAY_BYTES_MAX
from rewake.values import Int64, Value, encode, encode_export, normalize

_FIELDS = st.sampled_from(["a", "b", "_c", "long name", ""])
_LEAVES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_FIELDS, inner, max_size=2),
    max_leaves=5,
)
_ROWS = st.lists(st.dictionaries(_FIELDS, _VALUES, max_size=3), max_size=3)


def _file(text: str | bytes) -> io.BytesIO:
    return io.BytesIO(text.encode() if isinstance(text, str) else text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ROWS)
def test_export_lines_come_back_as_they_were(rows: list[dict[str, Value]]) -> None:
    text = "".join(f"{encode_export(normalize(row))}\n" for row in rows)
    read = [row.value for row in json_lines(_file(text), "t", is_export=True)]
    assert [encode(normalize(row)) for row in read] == [encode(normalize(row)) for row in rows]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_ROWS)
def test_encoded_lines_and_arrays_come_back_as_they_were(rows: list[dict[str, Value]]) -> None:
    wanted = [encode(normalize(row)) for row in rows]
    lines = [encode(row.value) for row in json_lines(_file("\n\n".join(wanted)), "t")]
    array = [encode(row.value) for row in json_array(_file(f"[{','.join(wanted)}]"), "t")]
    assert lines == array == wanted


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_whatever_comes_is_rows_or_a_refusal(content: bytes) -> None:
    for reader in (json_lines, json_array, csv_rows):
        try:
            for row in reader(_file(content), "t"):
                assert isinstance(row.value, dict)
        except (ImportRowInvalid, ImportUnreadable):
            continue


def test_numbers_without_a_dot_are_int64_in_exports_only() -> None:
    text = '{"a":1,"b":1.0,"c":9223372036854775807,"d":-0,"e":1e3}'
    (export,) = json_lines(_file(text), "t", is_export=True)
    assert [type(value) for value in export.value.values()] == [Int64, float, Int64, Int64, float]
    (plain,) = json_lines(_file(text), "t")
    assert {type(value) for value in plain.value.values()} == {float}
    with pytest.raises(ImportRowInvalid, match="does not fit into a 64-bit"):
        list(json_lines(_file('{"a":9223372036854775808}'), "t", is_export=True))


def test_places_count_lines_and_elements() -> None:
    assert [row.place for row in json_lines(_file('\ufeff{}\n\n \n{"a":1}'), "t")] == ["line 1", "line 4"]
    assert [row.place for row in json_array(_file("\ufeff[{}, {}]"), "t")] == ["element 1", "element 2"]
    assert [row.place for row in csv_rows(_file('a\n1\n\n"x\ny"\n'), "t")] == ["line 2", "line 5"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{}\n3\n", "t, line 2: a document is an object"),
        (b'{"a":\n', "t, line 1: Invalid JSON"),
        (b'{"a":NaN}', "NaN is not a JSON number"),
        (b'{"$a":1}', "starts with '$', which is reserved"),
        (b'{"a":"\\udc00"}', "a string is not valid Unicode"),
        (b"[" * 2000, "nested"),
    ],
)
def test_broken_lines_are_named(content: bytes, text: str) -> None:
    with pytest.raises(ImportRowInvalid) as refused:
        list(json_lines(_file(content), "t"))
    assert text in refused.value.message


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(ImportUnreadable, match="line 1 is longer"):
        list(json_lines(_file(b"x" * (IMPORT_LINE_BYTES_MAX + 1)), "t"))
    with pytest.raises(ImportUnreadable, match="the most for a JSON array"):
        list(json_array(_file(b" " * (JSON_ARRAY_BYTES_MAX + 1)), "t"))
    with pytest.raises(ImportUnreadable, match="no JSON array"):
        list(json_array(_file(b"{}"), "t"))


def test_cells_that_parse_as_numbers_are_numbers() -> None:
    cells = ["1", "-1.5e3", ".5", "007", "1_000", "nan", "inf", "", " 1", "0x1"]
    (row,) = csv_rows(_file(f"{','.join(f'c{n}' for n in range(10))}\n{','.join(cells)}\n"), "t")
    assert list(row.value.values()) == [1.0, -1500.0, 0.5, 7.0, "1_000", "nan", "inf", "", " 1", "0x1"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"a,a\n", "names the field 'a' twice"),
        (b"a,b\n1\n", "line 2: 1 cells, and the header has 2"),
        (b"a\n1,2\n", "line 2: 2 cells, and the header has 1"),
        (b"a\n\xff\n", "no UTF-8"),
        (b'a\n"x', "line 2: "),
    ],
)
def test_broken_csv_is_named(content: bytes, text: str) -> None:
    with pytest.raises((ImportRowInvalid, ImportUnreadable)) as refused:
        list(csv_rows(_file(content), "t"))
    assert text in refused.value.message


def test_lines_are_json_for_the_standard_library_too() -> None:
    row = {"a": [1.5, "x"], "b": {"c": None}}
    (read,) = json_lines(_file(json.dumps(row)), "t")
    assert read.value == row
