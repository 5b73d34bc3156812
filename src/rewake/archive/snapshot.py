"""What is to be imported, whatever it was written as: tables with rows, files, and what should be said of it.

Floor 1, `archive`. One shape for a snapshot and for a plain file, so that nobody above asks which it was.

    open_source(path, format) -> Source
        tables      in the archive's order        numbers    of tables, as the archive says
        rows(t)     as a stream, many times       files()    rows of `_storage`, each with its bytes' entry
        notes       what is left out, for the person who is asked to confirm

Not here: what a document may be (`documents.py`), where it goes (`database`).
Source: wire 7.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from rewake.archive.errors import ImportUnreadable
from rewake.archive.layout import STORAGE_ROWS, TABLE_NUMBERS, rows_of, schema_of
from rewake.archive.rows import Row, csv_rows, json_array, json_lines, read_some
from rewake.archive.zip_file import ZipArchive
from rewake.errors import RewakeError
from rewake.limits import IMPORT_LINE_BYTES_MAX
from rewake.values import check_table_name

Format = Literal["csv", "jsonLines", "jsonArray", "zip"]

_DOCUMENTS = "/documents.jsonl"
_STORAGE_FOLDER = "_storage/"
_COMPONENTS = "_components/"


class Source(Protocol):
    """Something that can be imported. `close` it."""

    @property
    def tables(self) -> list[str]:
        """The tables in it."""
        ...

    @property
    def numbers(self) -> dict[str, int]:
        """Table numbers that it names; `_storage` may be among them."""
        ...

    @property
    def notes(self) -> list[str]:
        """What a person should know: what is left out."""
        ...

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table, from the first."""
        ...

    def files(self) -> Iterator[Row]:
        """A row for each file: `_id`, `sha256`, `size`, ..."""
        ...

    def bytes_of(self, id: str) -> _Opened | None:
        """The bytes of a file; None where they are not there."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


class _Opened(msgspec.Struct, frozen=True):
    """Bytes of a file in an archive."""

    archive: ZipArchive
    entry: str

    @property
    def size(self) -> int:
        """How many."""
        return self.archive.size(self.entry)

    def pieces(self, size: int) -> Iterator[bytes]:
        """All of them, up to `size` at once.

        Raises:
            ImportUnreadable: they are damaged.
        """
        with self.archive.open(self.entry) as stream:
            while piece := read_some(stream, self.entry, size):
                yield piece


def open_source(path: Path, *, format: Format, table: str | None, bytes_max: int) -> Source:
    """Open what is to be imported.

    Raises:
        ImportUnreadable: it is not what `format` says, or no table is named, or one too many.
    """
    if format == "zip":
        if table is not None:
            raise ImportUnreadable("A ZIP archive names its tables itself: leave the table out.")
        return Snapshot(path, bytes_max=bytes_max)
    if table is None:
        raise ImportUnreadable(f"Say which table the rows of the format {format} go to.")
    _check_name(table)
    return PlainFile(path, format, table)


class PlainFile:
    """A file with the rows of one table."""

    def __init__(self, path: Path, format: Format, table: str) -> None:
        self._path, self._format = path, format
        self.tables = [table]
        self.numbers: dict[str, int] = {}
        self.notes: list[str] = []

    def rows(self, table: str) -> Iterator[Row]:
        """See `Source.rows`."""
        reader = {"csv": csv_rows, "jsonLines": json_lines, "jsonArray": json_array}[self._format]
        with self._path.open("rb") as file:
            yield from reader(file, "the file")

    def files(self) -> Iterator[Row]:
        """None."""
        return iter(())

    def bytes_of(self, id: str) -> _Opened | None:
        """None."""
        return None

    def close(self) -> None:
        """Nothing is open between two readings."""


class Snapshot:
    """An archive in the layout of the official product."""

    def __init__(self, path: Path, *, bytes_max: int) -> None:
        """Raises ImportUnreadable."""
        self._archive = ZipArchive(path, bytes_max=bytes_max)
        self.notes: list[str] = []
        try:
            self._names = frozenset(self._archive.names)
            self.tables = self._find_tables()
            self._uniform = {table: self._is_uniform(table) for table in self.tables}
            self._bytes = self._find_bytes()
            self.numbers = self._read_numbers()
        except BaseException:
            self._archive.close()
            raise

    def rows(self, table: str) -> Iterator[Row]:
        """See `Source.rows`."""
        return self._lines(rows_of(table), is_export=self._uniform[table])

    def files(self) -> Iterator[Row]:
        """See `Source.files`. Their rows are in the export encoding or not: sizes are taken as either."""
        return self._lines(STORAGE_ROWS, is_export=True) if STORAGE_ROWS in self._names else iter(())

    def bytes_of(self, id: str) -> _Opened | None:
        """See `Source.bytes_of`."""
        entry = self._bytes.get(id)
        return None if entry is None else _Opened(self._archive, entry)

    def close(self) -> None:
        """Let the file go."""
        self._archive.close()

    def _lines(self, entry: str, *, is_export: bool) -> Iterator[Row]:
        with self._archive.open(entry) as stream:
            yield from json_lines(stream, entry, is_export=is_export)

    def _find_tables(self) -> list[str]:
        tables, skipped = [], []
        for name in self._archive.names:
            table, slash, rest = name.partition("/")
            if name.startswith(_COMPONENTS):
                if name.endswith(_DOCUMENTS):
                    skipped.append(name.removesuffix(_DOCUMENTS))
            elif slash and rest == _DOCUMENTS[1:] and name not in (TABLE_NUMBERS, STORAGE_ROWS):
                if table.startswith("_"):
                    skipped.append(table)
                else:
                    _check_name(table)
                    tables.append(table)
        if skipped:
            listed = ", ".join(sorted(skipped)[:10]) + (", ..." if len(skipped) > 10 else "")
            self.notes.append(f"Left out, since Rewake has no components and fills its own tables: {listed}.")
        if not tables and STORAGE_ROWS not in self._names:
            raise ImportUnreadable(
                "There is no table in the archive: no entry is called `{table}/documents.jsonl`."
            )
        return tables

    def _is_uniform(self, table: str) -> bool:
        entry = schema_of(table)
        if entry not in self._names:
            return False
        with self._archive.open(entry) as stream:
            text = read_some(stream, entry, IMPORT_LINE_BYTES_MAX)
        if text.strip() == b'"uniform"':
            return True
        self.notes.append(
            f"{entry} holds type hints of an older export. They are ignored: numbers of {table} are Float64."
        )
        return False

    def _find_bytes(self) -> dict[str, str]:
        """Entries with the bytes of files, by storage id: the name up to its extension."""
        found: dict[str, str] = {}
        for name in self._archive.names:
            rest = name.removeprefix(_STORAGE_FOLDER)
            if rest != name and "/" not in rest and name != STORAGE_ROWS:
                id = rest.partition(".")[0]
                if id in found:
                    raise ImportUnreadable(
                        f"The bytes of the file {id} are there twice: {found[id]}, {name}."
                    )
                if rest not in ("generated_schema.jsonl",):
                    found[id] = name
        return found

    def _read_numbers(self) -> dict[str, int]:
        numbers: dict[str, int] = {}
        if TABLE_NUMBERS not in self._names:
            return numbers
        for row in self._lines(TABLE_NUMBERS, is_export=False):
            try:
                line = msgspec.convert(row.value, _NumberedTable, strict=False)
            except msgspec.ValidationError as error:
                raise row.refused(error) from None
            if line.name in numbers or line.id in numbers.values():
                raise row.refused("a table or a number is named twice")
            numbers[line.name] = line.id
        return numbers


class _NumberedTable(msgspec.Struct, frozen=True):
    name: str
    id: int


def _check_name(table: str) -> None:
    try:
        check_table_name(table)
    except RewakeError as error:
        raise ImportUnreadable(error.message) from None
