"""Rows: what the files of an import hold, one after another, each with the place where it stands.

Floor 1, `archive`. Nothing is held as a whole but one row, and a JSON array, which is bounded.

    json_lines    one object a line; `export` says which meaning a number without a dot has
    json_array    one array of objects, at most `JSON_ARRAY_BYTES_MAX`
    csv_rows      a header, then cells; one that parses as a number is a Float64, any other is a string

Not here: archives (`zip_file.py`), what a document may be (`documents.py`).
Source: semantics 1.5, 10.5; wire 2.5, 7.7.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from rewake.archive.errors import ImportRowInvalid, ImportUnreadable
from rewake.errors import RewakeError
from rewake.limits import DOCUMENT_BYTES_MAX, IMPORT_LINE_BYTES_MAX, JSON_ARRAY_BYTES_MAX, MIB
from rewake.values import decode, decode_export

_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)
"""What reading a damaged archive raises."""


class Row(msgspec.Struct, frozen=True):
    """One row, whatever it was written as."""

    entry: str
    """The file that it stands in."""
    place: str
    """`line 7` or `element 7`."""
    value: dict[str, Any]

    def refused(self, detail: object) -> ImportRowInvalid:
        """The error for this row."""
        return ImportRowInvalid(entry=self.entry, place=self.place, detail=detail)


def json_lines(file: IO[bytes], entry: str, *, is_export: bool = False) -> Iterator[Row]:
    """The rows of a file with one object a line; empty lines are passed over.

    Raises:
        ImportRowInvalid: a line is no object.
        ImportUnreadable: the file is damaged, or a line is too long.
    """
    read: Callable[[bytes], Any] = decode_export if is_export else decode
    number = 0
    while line := _line(file, entry, number + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield _row(line.strip(), entry, f"line {number}", read)


def json_array(file: IO[bytes], entry: str) -> Iterator[Row]:
    """The rows of a file that is one JSON array.

    Raises:
        ImportUnreadable: it is none, or too large.
        ImportRowInvalid: an element is no object.
    """
    text = file.read(JSON_ARRAY_BYTES_MAX + 1)
    if len(text) > JSON_ARRAY_BYTES_MAX:
        raise ImportUnreadable(
            f"{entry} is larger than {JSON_ARRAY_BYTES_MAX // MIB} MiB, the most for a JSON array. Write one "
            "object a line and import it with the format jsonLines."
        )
    try:
        elements = msgspec.json.decode(text.removeprefix(_BOM), type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ImportUnreadable(f"{entry} is no JSON array: {error}") from None
    for position, element in enumerate(elements):
        yield _row(bytes(element), entry, f"element {position + 1}", decode)


def csv_rows(file: IO[bytes], entry: str) -> Iterator[Row]:
    """The rows of a table as comma-separated values; the first has the names of the fields.

    Raises:
        ImportUnreadable: there is no header, or it is no UTF-8.
        ImportRowInvalid: a row has more or fewer cells than the header.
    """
    # The bound is one for the whole process; nobody else in it reads CSV.
    csv.field_size_limit(DOCUMENT_BYTES_MAX)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    lines = csv.reader(text, strict=True)
    try:
        header = next(lines, None)
        if header is None:
            raise ImportUnreadable(f"{entry} is empty: a CSV file begins with the names of its fields.")
        twice = [name for position, name in enumerate(header) if name in header[:position]]
        if twice:
            raise ImportUnreadable(f"{entry} names the field {twice[0]!r} twice in its header.")
        for cells in lines:
            place = f"line {lines.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                detail = f"{len(cells)} cells, and the header has {len(header)}"
                raise ImportRowInvalid(entry=entry, place=place, detail=detail)
            yield Row(entry, place, dict(zip(header, map(_cell, cells), strict=True)))
    except UnicodeDecodeError:
        raise ImportUnreadable(f"{entry} is no UTF-8 text after line {lines.line_num}.") from None
    except csv.Error as error:
        place = f"line {lines.line_num}"
        raise ImportRowInvalid(entry=entry, place=place, detail=error) from None


def damaged(entry: str, error: BaseException) -> ImportUnreadable:
    """The error for a part of an archive that cannot be read."""
    return ImportUnreadable(f"{entry} is damaged: {error or type(error).__name__}")


def read_some(file: IO[bytes], entry: str, size: int) -> bytes:
    """Up to `size` bytes.

    Raises:
        ImportUnreadable: the file is damaged.
    """
    try:
        return file.read(size)
    except _DAMAGED as error:
        raise damaged(entry, error) from None


def _line(file: IO[bytes], entry: str, number: int) -> bytes:
    try:
        line = file.readline(IMPORT_LINE_BYTES_MAX + 1)
    except _DAMAGED as error:
        raise damaged(entry, error) from None
    if len(line) > IMPORT_LINE_BYTES_MAX:
        raise ImportUnreadable(
            f"{entry}, line {number} is longer than {IMPORT_LINE_BYTES_MAX // MIB} MiB, which no document is."
        )
    return line


def _row(text: bytes, entry: str, place: str, read: Callable[[bytes], Any]) -> Row:
    try:
        value = read(text)
    except RewakeError as error:
        raise ImportRowInvalid(entry=entry, place=place, detail=error.message) from None
    if not isinstance(value, dict):
        raise ImportRowInvalid(entry=entry, place=place, detail="a document is an object")
    return Row(entry, place, value)


def _cell(text: str) -> str | float:
    return float(text) if _NUMBER.fullmatch(text) else text
