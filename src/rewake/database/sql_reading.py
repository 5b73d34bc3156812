"""SQL that reads: one statement of an operator's over one snapshot, each table under its own name.

Floor 2, `database`. The statement runs on a database in memory that holds nothing: what it sees are virtual
tables, made for it from the catalog of the snapshot, whose rows are decoded documents. So nothing is in its
reach to write, to attach or to spy out (keys, variables and the raw tables of the file are not there), and
values are what they mean: an Int64 is an integer, bytes are a blob. An authorizer refuses whatever does not
read, and a clock, rows and bytes bound the rest. The views in the file itself are for tools of others.

    catalog + documents -> columns of each table that the text names -> virtual tables -> rows

Not here: opening files (`sql_process.py`), who may ask (`http_api/sql.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw
import msgspec

from rewake.database.catalog import SCHEDULED_FUNCTIONS, STORAGE, Catalog
from rewake.database.table import SYSTEM_FIELDS, Table
from rewake.errors import InvalidInput
from rewake.storage import Reads
from rewake.values import Int64, decode_stored_document, encode_clean

_PAGE = 256
_SAMPLE = 128
"""Documents at either end of a table whose fields become columns, beside those that the schema names."""
_STEPS = 10_000
"""Of SQLite's machine between two looks at the clock: well under a millisecond."""
_TEXT_BYTES_MAX = 16 * 2**20
_SYSTEM = (STORAGE.name, SCHEDULED_FUNCTIONS.name)
_ONLY_READING = "Only reading is possible here: this SQL does something else."
COLUMNS = "_columns"
"""The table that says which tables and columns there are."""
DOCUMENT = "_document"
"""The column that has the whole document as JSON."""
_READING = (apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE)

Cell = None | int | float | str | bytes


class InvalidSql(InvalidInput):
    """The SQL cannot be run. It may only read, and one name for each table is all that it knows."""

    code = "InvalidSql"


class SqlTookTooLong(InvalidInput):
    """The SQL read for longer than a snapshot is held. Narrow it, or raise the setting `sql_seconds_max`."""

    code = "SqlTookTooLong"
    template = "The SQL took longer than {seconds:g} seconds and was ended."


class SqlBounds(msgspec.Struct, frozen=True):
    """What one statement may take."""

    rows: int
    size: int
    """Bytes of all cells."""
    seconds: float


class SqlAnswer(msgspec.Struct, frozen=True):
    """The rows of a statement."""

    columns: list[str]
    rows: list[tuple[Cell, ...]]
    is_cut: bool
    """There are more than the bounds let through."""


def tables_for_sql(catalog: Catalog) -> dict[str, Table]:
    """The tables that SQL can read, by name. SQL does not tell case apart: of two that it takes for one, the
    first has the name.
    """
    found: dict[str, Table] = {}
    folded: set[str] = set()
    for name in (*_SYSTEM, *(table.name for table in catalog.user_tables())):
        if name.lower() not in folded and name in catalog.tables:
            folded.add(name.lower())
            found[name] = catalog.tables[name]
    return found


def columns_for_sql(reads: Reads, catalog: Catalog, table: Table) -> list[str]:
    """The columns of a table: fields that the schema names or documents have, then the document itself."""
    fields: set[str] = set()
    declared: Any = {} if catalog.schema is None else json.loads(catalog.schema.text)
    for each in declared.get("tables", []):
        shape = each.get("documentType") or {}
        if each["tableName"] == table.name and shape.get("type") == "object":
            fields |= set(shape["value"])
    for descending in (False, True):
        for _, text in reads.page(table.by_creation_time, b"", None, descending=descending, limit=_SAMPLE):
            fields |= set(decode_stored_document(text))
    seen = {name.lower() for name in (*SYSTEM_FIELDS, DOCUMENT)}
    columns = ["_id", "_creationTime"]
    for name in sorted(fields - set(SYSTEM_FIELDS)):
        if name.lower() not in seen:
            seen.add(name.lower())
            columns.append(name)
    return [*columns, DOCUMENT]


def read_sql(
    reads: Reads, catalog: Catalog, text: str, bounds: SqlBounds, *, monotonic: Callable[[], float]
) -> SqlAnswer:
    """Run one statement over a snapshot.

    Raises:
        InvalidSql: it is wrong, does more than read, or there is no such table.
        SqlTookTooLong: it was ended.
    """
    end = monotonic() + bounds.seconds

    def is_late() -> bool:
        return monotonic() > end

    # Not with the house: it is large, and only the process that answers SQL needs it.
    from apsw.ext import VTColumnAccess, make_virtual_module

    connection = apsw.Connection(":memory:")
    try:
        for name, table in tables_for_sql(catalog).items():
            if name.lower() in text.lower():
                columns = columns_for_sql(reads, catalog, table)
                rows = _Rows(reads, table, columns, is_late)
                rows.column_access = VTColumnAccess.By_Index
                make_virtual_module(connection, name, rows)  # type: ignore[arg-type]
        if COLUMNS in text.lower():
            described = _Columns(reads, catalog)
            described.column_access = VTColumnAccess.By_Index
            make_virtual_module(connection, COLUMNS, described)  # type: ignore[arg-type]
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, _TEXT_BYTES_MAX)
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        connection.authorizer = _authorize
        connection.set_progress_handler(is_late, _STEPS)
        return _collect(connection, text, bounds)
    except (_Late, apsw.InterruptError):
        raise SqlTookTooLong(seconds=bounds.seconds) from None
    except apsw.AuthError:
        raise InvalidSql(_ONLY_READING) from None
    except (apsw.Error, UnicodeError, ValueError) as error:
        raise InvalidSql(_reason(error, catalog)) from None
    finally:
        connection.close(True)


def _authorize(operation: int, first: Any, second: Any, database: Any, view: Any) -> int:
    is_loading = operation == apsw.SQLITE_FUNCTION and str(second).lower() == "load_extension"
    return apsw.SQLITE_OK if operation in _READING and not is_loading else apsw.SQLITE_DENY


def _collect(connection: apsw.Connection, text: str, bounds: SqlBounds) -> SqlAnswer:
    columns: list[str] = []
    statements = 0

    def begin(cursor: Any, statement: str, bindings: Any) -> bool:
        nonlocal statements
        statements += 1
        if statements > 1:
            raise InvalidSql("Give one statement at a time.")
        columns.extend(str(name) for name, *_ in cursor.get_description())
        if not columns:
            raise InvalidSql("There is no statement here that reads.")
        return True

    cursor = connection.cursor()
    cursor.exec_trace = begin
    rows: list[tuple[Cell, ...]] = []
    size, is_cut = 0, False
    for row in cursor.execute(text):
        size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
        if len(rows) >= bounds.rows or size > bounds.size:
            is_cut = True
            break
        rows.append(row)
    if not statements:
        raise InvalidSql("There is no statement here that reads.")
    return SqlAnswer(columns, rows, is_cut)


class _Late(Exception):
    """The clock ran out while rows were read."""


class _Rows:
    """A table as a virtual one: what `make_virtual_module` asks for."""

    column_access: object
    """That rows are tuples; set by whoever hands it over."""

    def __init__(
        self, reads: Reads, table: Table, columns: Sequence[str], is_late: Callable[[], bool]
    ) -> None:
        self.columns = tuple(columns)
        self._reads = reads
        self._table = table
        self._is_late = is_late

    def __call__(self) -> Iterator[tuple[Cell, ...]]:
        lower = b""
        while True:
            if self._is_late():
                raise _Late()
            page = self._reads.page(self._table.by_creation_time, lower, None, descending=False, limit=_PAGE)
            for _, text in page:
                document = decode_stored_document(text)
                values = [_cell(document.get(name)) for name in self.columns[:-1]]
                yield (*values, _cell(document))
            if len(page) < _PAGE:
                return
            lower = page[-1][0] + b"\0"


class _Columns:
    """What can be read, as a virtual table: the columns of each table, in order."""

    columns = ("table_name", "column_name")
    column_access: object

    def __init__(self, reads: Reads, catalog: Catalog) -> None:
        self._reads = reads
        self._catalog = catalog

    def __call__(self) -> Iterator[tuple[Cell, ...]]:
        for name, table in tables_for_sql(self._catalog).items():
            for column in columns_for_sql(self._reads, self._catalog, table):
                yield name, column


def _cell(value: Any) -> Cell:
    """A value as SQL has it: no booleans, so 1 and 0; what is nested is JSON."""
    if isinstance(value, Int64):
        return int(value)
    if isinstance(value, dict | list):
        value = encode_clean(value)
    if isinstance(value, str):
        # Half a character has no UTF-8.
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return int(value)
    return value  # type: ignore[no-any-return]


def _reason(error: Exception, catalog: Catalog) -> str:
    text = str(error)
    if "may not be modified" in text:
        return _ONLY_READING
    missing = re.match(r"(?:SQL logic error: )?no such table: (\S+)", text)
    if missing is None:
        return f"{text[:1].upper()}{text[1:]}."
    known = ", ".join(list(tables_for_sql(catalog))[:20])
    return f"There is no table {missing[1]}. Known: {known}."
