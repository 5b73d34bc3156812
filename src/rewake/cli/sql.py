"""`rewake sql`: read-only SQL on one snapshot, on the project's own file or on a server that was named.

Floor 8, `cli`. On the file it runs right here, beside a server that may have it open: the connection cannot
write, and no snapshot is held longer than `sql_seconds_max`. A named server runs it itself (`POST /api/sql`).
Without a statement there is a small prompt on a terminal, and stdin elsewhere.

    rewake sql "SELECT author, count(*) FROM messages GROUP BY author"

Not here: what the SQL may do (`database/sql_reading.py`), how rows look (`table_printing.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from rewake.cli.admin_requests import ask
from rewake.cli.connection import ServerAddress
from rewake.cli.data import csv_line
from rewake.cli.failure import CommandFailed
from rewake.cli.screen import Screen
from rewake.cli.table_printing import TableLines
from rewake.database import SqlJob, answer_json, sql_on_file
from rewake.errors import RewakeError
from rewake.execution import read_settings
from rewake.limits import DEFAULT_LIMITS, Limits

SqlFormat = Literal["pretty", "json", "csv"]
Answer = dict[str, Any]
Run = Callable[[str], Answer]


def on_file(file: Path, limits: Limits) -> Run:
    """Runs statements on a data file."""

    def run(text: str) -> Answer:
        bounds = (limits.sql_rows_max, limits.sql_bytes_max, limits.sql_seconds_max)
        return answer_json(sql_on_file(SqlJob(str(file), text, *bounds)))

    return run


def limits_of(root: Path) -> Limits:
    """The limits that the project sets; the usual ones where its settings cannot be read."""
    try:
        return read_settings(root).limits
    except RewakeError:
        return DEFAULT_LIMITS


def on_server(server: ServerAddress) -> Run:
    """Runs statements on a server."""

    def run(text: str) -> Answer:
        response = ask(server, "POST", "/api/sql", {"query": text})
        return msgspec.json.decode(response.content, type=dict[str, Any])

    return run


def show_answer(answer: Answer, screen: Screen, shown: SqlFormat) -> None:
    """Print rows."""
    columns, rows = answer["columns"], answer["rows"]
    if shown == "json":
        screen.value([dict(zip(columns, row, strict=True)) for row in rows])
    elif shown == "csv":
        screen.line(csv_line(columns))
        for row in rows:
            screen.line(csv_line([_text(cell) for cell in row]))
    else:
        cells = [[_text(cell, null="NULL") for cell in row] for row in rows]
        lines = TableLines(columns, cells, width=screen.width)
        for line in (*lines.head(columns), *map(lines.line, cells)):
            screen.line(line)
    if answer["isCut"]:
        screen.note(
            ("There are more rows than one answer holds. Add a LIMIT, or use `rewake data`.", "yellow")
        )


def _text(cell: Any, *, null: str = "") -> str:
    if cell is None:
        return null
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return msgspec.json.encode(cell).decode()


def prompt(run: Run, screen: Screen, shown: SqlFormat) -> None:
    """Read statements from a person until the end."""
    with suppress(ImportError):
        import readline  # noqa: F401  # Typed lines can be edited and found again.
    screen.note(("Read-only SQL. End a statement with ; .tables, .schema. Ctrl-D ends.", "dim"))
    while True:
        try:
            text = _typed(screen)
        except EOFError:
            screen.note("")
            return
        except KeyboardInterrupt:
            screen.note("")  # The shell's prompt wants a line of its own.
            raise
        if text in (".exit", ".quit"):
            return
        try:
            if text in (".tables", ".schema"):
                for name, columns in _described(run).items():
                    screen.say((name, "bold"), f"  {', '.join(columns)}" if text == ".schema" else "")
            elif text.startswith("."):
                screen.note("Known: .tables, .schema, .exit")
            elif text:
                show_answer(run(text), screen, shown)
        except (CommandFailed, RewakeError) as error:
            screen.failure(error)


def _typed(screen: Screen) -> str:
    """A command, or a statement over as many lines as it takes.

    Raises:
        EOFError, KeyboardInterrupt: there is an end.
    """
    text = input("sql> ").strip()
    while text and not text.startswith(".") and not text.rstrip().endswith(";"):
        more = input("...> ")
        if not more.strip():
            screen.note(("The statement goes on until a line that ends with ;", "dim"))
        text += "\n" + more
    return text


def _described(run: Run) -> dict[str, list[str]]:
    """The columns of each table, wherever statements run."""
    tables: dict[str, list[str]] = {}
    for table, column in run("SELECT table_name, column_name FROM _columns")["rows"]:
        tables.setdefault(table, []).append(column)
    return tables


def read_statement(given: str | None) -> str | None:
    """The statement of the command line, or of stdin; None where a person is to be asked."""
    if given is not None and given != "-":
        return given
    if given is None and sys.stdin is not None and sys.stdin.isatty():
        return None
    return "" if sys.stdin is None else sys.stdin.read()
