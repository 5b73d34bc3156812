"""A process of its own for one SQL statement: it opens the data file to read, answers, and is gone.

Floor 2, `database`. The server runs nothing of an operator's SQL by itself: a statement that computes for
seconds would hold up everybody, and one that must end is ended by ending this process, whatever it does.

    stdin   {"file", "text", "rows", "size", "seconds"}
    stdout  {"columns", "rows", "isCut"}  or  {"code", "message"}

Not here: what the SQL may do (`sql_reading.py`), starting and ending the process (`deployment/sql.py`).
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import apsw
import msgspec

from rewake.database.catalog import Catalog, load_catalog
from rewake.database.sql_reading import (
    Cell,
    SqlAnswer,
    SqlBounds,
    read_sql,
)
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.storage import Inspection
from rewake.values import encode

MEMORY_BYTES_MAX = 256 * 2**20
"""What SQLite may take in this process."""


class SqlJob(msgspec.Struct, frozen=True):
    """One statement on one file."""

    file: str
    text: str
    rows: int
    size: int
    seconds: float


def sql_on_file(job: SqlJob) -> SqlAnswer:
    """Run a statement on a data file, which may be served meanwhile.

    Raises:
        DataFileRefused, StorageFailed: the file cannot be read.
        InvalidSql, SqlTookTooLong: as `read_sql`.
    """
    environment = Environment()
    bounds = SqlBounds(job.rows, job.size, job.seconds)
    with _Opened(Path(job.file), environment) as (store, catalog):
        return read_sql(store, catalog, job.text, bounds, monotonic=environment.clock.monotonic)


class _Opened:
    """A snapshot of a file, on a connection that cannot write."""

    def __init__(self, file: Path, environment: Environment) -> None:
        self._store = Inspection(file, environment=environment)

    def __enter__(self) -> tuple[Inspection, Catalog]:
        try:
            self._store.begin()
            return self._store, load_catalog(self._store)
        except BaseException:
            self._store.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._store.end()
        self._store.close()


def answer_json(answer: SqlAnswer) -> dict[str, Any]:
    """An answer as JSON; what that cannot say is in the encoded form of values."""
    rows = [[_json_cell(cell) for cell in row] for row in answer.rows]
    return {"columns": answer.columns, "rows": rows, "isCut": answer.is_cut}


def _json_cell(cell: Cell) -> Any:
    if isinstance(cell, bytes) or (isinstance(cell, float) and not math.isfinite(cell)):
        return msgspec.json.decode(encode(cell))
    return cell


def main() -> None:
    """Run the statement that stdin holds."""
    apsw.hard_heap_limit(MEMORY_BYTES_MAX)
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=SqlJob)
    try:
        result = answer_json(sql_on_file(job))
    except RewakeError as error:
        result = {"code": error.code, "message": error.message}
    sys.stdout.buffer.write(msgspec.json.encode(result))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
