"""`rewake data`: tables and their rows.

Floor 8, `cli`. Pages come over the Python client, through the system queries that the official command line
uses, too, and go to the screen one by one: a table of any size passes through without being held. Each page
is of one moment, the whole is not; `export` and `sql` give one moment.

    pretty       columns for people                 jsonArray, jsonLines   exact: encoded values
    csv          texts bare, the rest as exact JSON

Not here: what a row looks like (`table_printing.py`), which tables may be seen
(`execution/data_functions.py`).
Source: wire 7.8, semantics 10.2.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any, Literal

import msgspec

from rewake.cli.connection import ServerAddress
from rewake.cli.conversing import conversing
from rewake.cli.failure import CommandFailed
from rewake.cli.progress import Tell, silent
from rewake.cli.screen import Screen
from rewake.cli.table_printing import TableLines, columns_of, value_text
from rewake.client import Client
from rewake.environment import Environment
from rewake.values import encode

Format = Literal["pretty", "jsonArray", "jsonLines", "csv"]

_PAGE = 512
_SIZES_AT_ONCE = 8


class DataWishes(msgspec.Struct, frozen=True):
    """Which rows to show, and how."""

    limit: int | None
    """None for all."""
    order: Literal["asc", "desc"]
    format: Format


async def show_tables(
    server: ServerAddress, screen: Screen, environment: Environment, *, as_json: bool
) -> None:
    """List the tables with how many documents each has.

    Raises:
        CommandFailed, ServerUnreachable: the server gives no answer.
    """
    async with conversing(server, environment) as client:
        names = await _table_names(client)
        at_once = asyncio.Semaphore(_SIZES_AT_ONCE)

        async def size_of(name: str) -> int:
            async with at_once:
                return int(await client.query("_system/cli/tableSize:default", tableName=name))

        sizes = await asyncio.gather(*map(size_of, names))
    if as_json:
        tables = zip(names, sizes, strict=True)
        screen.value([{"name": name, "documents": size} for name, size in tables])
        return
    if not names:
        screen.note("There are no tables.")
        return
    width = max(map(len, names))
    for name, size in zip(names, sizes, strict=True):
        screen.say((name.ljust(width), "bold"), f"  {size:>12,}")


async def show_rows(
    server: ServerAddress, table: str, wishes: DataWishes, screen: Screen, environment: Environment
) -> None:
    """Print the documents of a table.

    Raises:
        CommandFailed: there is no such table, or the server gives no answer.
        ServerUnreachable: nobody answered.
    """
    arguments = {"table": table, "order": wishes.order}
    more = None if wishes.limit is None else wishes.limit + 1
    async with (
        conversing(server, environment) as client,
        aclosing(_rows(client, "_system/cli/tableData", arguments, more)) as rows,
    ):
        printer = _PRINTERS[wishes.format](screen)
        shown = total = 0
        with _watched(screen) as tell:
            async for row in rows:
                if shown == wishes.limit:
                    which = "most recently" if wishes.order == "desc" else "oldest"
                    words = f"Showing the {shown} {which} created. --limit N shows more, --all all."
                    screen.note((words, "dim"))
                    break
                if shown == _PAGE:
                    # Only what is long is worth the question.
                    size = int(await client.query("_system/cli/tableSize:default", tableName=table))
                    total = size if wishes.limit is None else min(size, wishes.limit)
                printer.add(row)
                shown += 1
                if shown % _PAGE == 0:
                    tell(f"{table}: {shown:,} documents", shown, total)
        if not shown and table not in (names := await _table_names(client)) and not table.startswith("_"):
            raise _no_table(table, names)
        printer.end()
    if not shown and wishes.limit != 0:
        screen.note("There are no documents in this table.")


async def _table_names(client: Client) -> list[str]:
    return sorted([each["name"] async for each in _rows(client, "_system/cli/tables", {}, None)])


def _no_table(table: str, names: list[str]) -> CommandFailed:
    known = f"There are {', '.join(names)}." if names else "There are no tables yet."
    return CommandFailed(f"There is no table `{table}`.", hint=known)


def _watched(screen: Screen) -> AbstractContextManager[Tell]:
    """Progress where the rows themselves do not show it."""
    return nullcontext(silent) if screen.is_terminal else screen.progress()


async def _rows(
    client: Client, path: str, arguments: dict[str, Any], limit: int | None
) -> AsyncGenerator[dict[str, Any], None]:
    """Everything that a paginated system query has, up to `limit`."""
    cursor, is_done, given = None, False, 0
    while not is_done and (limit is None or given < limit):
        wanted = _PAGE if limit is None else min(_PAGE, limit - given)
        options = {"cursor": cursor, "numItems": float(wanted)}
        page = await client.query(path, {**arguments, "paginationOpts": options})
        for row in page["page"]:
            yield row
        given += len(page["page"])
        cursor, is_done = page["continueCursor"], page["isDone"]


class _Pretty:
    """Columns; the first lot says how wide."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._waiting: list[dict[str, Any]] = []
        self._lines: TableLines | None = None
        self._columns: list[str] = []
        self._is_more_told = False

    def add(self, row: dict[str, Any]) -> None:
        if self._lines is not None:
            self._print(row)
            return
        self._waiting.append(row)
        if len(self._waiting) >= _PAGE:
            self._begin()

    def end(self) -> None:
        if self._lines is None and self._waiting:
            self._begin()
        if self._lines is not None and self._lines.is_cut:
            self._screen.note(("Cut to the width of the terminal; --format jsonLines shows all.", "dim"))

    def _begin(self) -> None:
        self._columns = columns_of(self._waiting)
        first = [self._cells(row) for row in self._waiting]
        self._lines = TableLines(self._columns, first, width=self._screen.width)
        for line in self._lines.head(self._columns):
            self._screen.line(line)
        for row in self._waiting:
            self._print(row)
        self._waiting = []

    def _print(self, row: dict[str, Any]) -> None:
        assert self._lines is not None
        self._screen.line(self._lines.line(self._cells(row)))
        if not self._is_more_told and not row.keys() <= set(self._columns):
            self._is_more_told = True
            self._screen.note(("Later documents have fields that have no column here.", "yellow"))

    def _cells(self, row: dict[str, Any]) -> list[str]:
        return [value_text(row[name]) if name in row else "" for name in self._columns]


class _JsonLines:
    """One document a line, exactly."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def add(self, row: dict[str, Any]) -> None:
        self._screen.line(encode(row))

    def end(self) -> None:
        pass


class _JsonArray:
    """The same as one array."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._last: str | None = None

    def add(self, row: dict[str, Any]) -> None:
        self._screen.line("[" if self._last is None else self._last + ",")
        self._last = encode(row)

    def end(self) -> None:
        self._screen.line("[]" if self._last is None else self._last + "\n]")


class _Csv:
    """A header of the fields of the first lot; texts bare, other values as exact JSON."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._waiting: list[dict[str, Any]] = []
        self._columns: list[str] | None = None

    def add(self, row: dict[str, Any]) -> None:
        if self._columns is not None:
            self._print(row)
            return
        self._waiting.append(row)
        if len(self._waiting) >= _PAGE:
            self._begin()

    def end(self) -> None:
        if self._columns is None and self._waiting:
            self._begin()

    def _begin(self) -> None:
        self._columns = columns_of(self._waiting)
        self._screen.line(csv_line(self._columns))
        for row in self._waiting:
            self._print(row)
        self._waiting = []

    def _print(self, row: dict[str, Any]) -> None:
        assert self._columns is not None
        if not row.keys() <= set(self._columns):
            missing = sorted(row.keys() - set(self._columns))
            self._screen.note(
                (f"{row['_id']} has fields that have no column: {', '.join(missing)}", "yellow")
            )
        cells = [row.get(name) if name in row else "" for name in self._columns]
        self._screen.line(csv_line([cell if isinstance(cell, str) else encode(cell) for cell in cells]))


def csv_line(cells: list[str]) -> str:
    """One line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


_PRINTERS: dict[str, type[_Pretty] | type[_JsonLines] | type[_JsonArray] | type[_Csv]] = {
    "pretty": _Pretty,
    "jsonLines": _JsonLines,
    "jsonArray": _JsonArray,
    "csv": _Csv,
}
