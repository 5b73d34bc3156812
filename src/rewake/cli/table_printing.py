"""Rows on a screen: values as people read them, columns as wide as they need, lines as wide as the terminal.

Floor 8, `cli`. Rows may come for ever: widths follow from the first lot, and later cells that are wider just
push theirs aside.

    _id         | _creationTime     | author | body
    ------------|-------------------|--------|--------
    "j57..."    | 1763760000000.123 | "Ada"  | "hello"

Not here: where rows come from (`data.py`, `sql.py`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

from rewake.limits import SAFE_INTEGER_MAX
from rewake.values import Int64

_FIRST = ("_id", "_creationTime")
_CELL_WIDTH_MAX = 60
"""On a terminal; a longer cell ends in an ellipsis."""


def value_text(value: Any) -> str:
    """A value as the official product shows it: `1`, `12n`, `"text"`, `Bytes("AQ==")`, `{ "a": 1 }`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Int64):
        return f"{int(value)}n"
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, int):
        return f"{value}n"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bytes):
        return f'Bytes("{base64.b64encode(value).decode()}")'
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    pairs = ", ".join(f'"{name}": {value_text(each)}' for name, each in value.items())
    return f"{{ {pairs} }}"


def _number_text(number: float) -> str:
    if isnan(number):
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    is_whole = number.is_integer() and abs(number) <= SAFE_INTEGER_MAX and str(number) != "-0.0"
    return str(int(number)) if is_whole else str(number)


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields of documents: the two that all have, then the others by name."""
    names = {name for row in rows for name in row}
    return [*_FIRST, *sorted(names - set(_FIRST))]


class TableLines:
    """A table, line by line."""

    def __init__(self, columns: Sequence[str], first: Sequence[Sequence[str]], *, width: int | None) -> None:
        """Lay out `columns` for the cells of the `first` rows; `width` is the terminal's, None for none."""
        self._width = width
        self._widths = [
            min(max(len(name), *(len(row[place]) for row in first), 1), self._cell_max())
            for place, name in enumerate(columns)
        ]
        self.is_cut = False
        """Whether something did not fit; set by `line`."""

    def _cell_max(self) -> int:
        return 10**9 if self._width is None else _CELL_WIDTH_MAX

    def head(self, columns: Sequence[str]) -> list[str]:
        """The names of the columns, and the line under them."""
        rule = "-|-".join("-" * width for width in self._widths)
        return [self.line(columns), rule if self._width is None else rule[: self._width]]

    def line(self, cells: Sequence[str]) -> str:
        """One row."""
        shown = [
            self._cell(cell.replace("\n", "\\n"), width)
            for cell, width in zip(cells, self._widths, strict=True)
        ]
        line = " | ".join(shown).rstrip()
        if self._width is not None and len(line) > self._width:
            self.is_cut = True
            return line[: self._width - 1] + "…"
        return line

    def _cell(self, text: str, width: int) -> str:
        if self._width is not None and len(text) > _CELL_WIDTH_MAX:
            self.is_cut = True
            text = text[: _CELL_WIDTH_MAX - 1] + "…"
        return text.ljust(width)
