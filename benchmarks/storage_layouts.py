"""Storage layouts: how documents and index entries could lie in SQLite, measured side by side.

Backs docs/decisions/0004-fixed-tables.md. Three layouts, 1,000 tables with 8 indexes each, same documents:

    fixed      two tables for everything; entries point to a row, a range looks each row up
    covering   two tables for everything; every entry holds the document
    physical   one SQLite table per table and one per index

Run: python benchmarks/storage_layouts.py [DIRECTORY]. Prints microseconds, and ratios to `fixed`.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

TABLES, INDEXES, DOCUMENTS = 1_000, 8, 40_000
SMALL_TABLE_DOCUMENTS = 20_000
TEXT = '{"_creationTime":1700000000000.25,"_id":"%s","author":"someone","body":"' + "x" * 60 + '","n":1.0}'


class Fixed:
    """Entries point to rows."""

    name = "fixed"
    schema = (
        "CREATE TABLE d(row INTEGER PRIMARY KEY, tablet INTEGER, json TEXT);"
        "CREATE TABLE e(i INTEGER, key BLOB, row INTEGER, PRIMARY KEY(i, key)) WITHOUT ROWID"
    )

    def create(self, connection: apsw.Connection) -> None:
        connection.execute(self.schema)

    def insert(self, connection: apsw.Connection, table: int, keys: list[bytes], text: str) -> None:
        connection.execute("INSERT INTO d(tablet, json) VALUES (?, ?)", (table, text))
        row = connection.last_insert_rowid()
        for number, key in enumerate(keys):
            connection.execute("INSERT INTO e VALUES (?, ?, ?)", (table * 16 + number, key, row))

    def scan(self, connection: apsw.Connection, table: int, number: int, lower: bytes) -> int:
        return len(
            connection.execute(
                "SELECT e.key, d.json FROM e CROSS JOIN d ON d.row = e.row"
                " WHERE e.i = ? AND e.key >= ? AND e.key < x'ff' ORDER BY e.key LIMIT 50",
                (table * 16 + number, lower),
            ).fetchall()
        )


class Covering(Fixed):
    """Entries hold the document."""

    name = "covering"
    schema = "CREATE TABLE e(i INTEGER, key BLOB, json TEXT, PRIMARY KEY(i, key)) WITHOUT ROWID"

    def insert(self, connection: apsw.Connection, table: int, keys: list[bytes], text: str) -> None:
        for number, key in enumerate(keys):
            connection.execute("INSERT INTO e VALUES (?, ?, ?)", (table * 16 + number, key, text))

    def scan(self, connection: apsw.Connection, table: int, number: int, lower: bytes) -> int:
        return len(
            connection.execute(
                "SELECT key, json FROM e WHERE i = ? AND key >= ? AND key < x'ff' ORDER BY key LIMIT 50",
                (table * 16 + number, lower),
            ).fetchall()
        )


class Physical(Fixed):
    """A SQLite table per table and per index."""

    name = "physical"

    def create(self, connection: apsw.Connection) -> None:
        for table in range(TABLES):
            connection.execute(f"CREATE TABLE d{table}(row INTEGER PRIMARY KEY, json TEXT)")
            for number in range(INDEXES + 2):
                connection.execute(
                    f"CREATE TABLE e{table}_{number}(key BLOB PRIMARY KEY, row INTEGER) WITHOUT ROWID"
                )

    def insert(self, connection: apsw.Connection, table: int, keys: list[bytes], text: str) -> None:
        connection.execute(f"INSERT INTO d{table}(json) VALUES (?)", (text,))
        row = connection.last_insert_rowid()
        for number, key in enumerate(keys):
            connection.execute(f"INSERT INTO e{table}_{number} VALUES (?, ?)", (key, row))

    def scan(self, connection: apsw.Connection, table: int, number: int, lower: bytes) -> int:
        return len(
            connection.execute(
                f"SELECT e.key, d.json FROM e{table}_{number} e CROSS JOIN d{table} d ON d.row = e.row"
                " WHERE e.key >= ? AND e.key < x'ff' ORDER BY e.key LIMIT 50",
                (lower,),
            ).fetchall()
        )


def connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
    return connection


def microseconds(action: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        action()
    return (time.perf_counter() - began) / count * 1e6


def measure(layout: Fixed, path: Path) -> dict[str, float]:
    chance = random.Random(7)
    connection = connect(path)
    began = time.perf_counter()
    connection.execute("BEGIN")
    layout.create(connection)
    connection.execute("COMMIT")
    result = {"create the tables (s)": time.perf_counter() - began}

    def insert(table: int, number: int, indexes: int) -> None:
        id = f"{chance.getrandbits(160):032x}"
        suffix = b"\x0d" + number.to_bytes(8, "big") + b"\x10" + id.encode() + b"\0"
        keys = [b"\x10" + id.encode() + b"\0", suffix]
        keys += [b"\x10" + b"%03d" % chance.randrange(100) + b"\0" + suffix for _ in range(indexes)]
        layout.insert(connection, table, keys, TEXT % id)

    def insert_many(documents: int, tables: int, indexes: int) -> float:
        began = time.perf_counter()
        for start in range(0, documents, 100):
            connection.execute("BEGIN IMMEDIATE")
            for number in range(start, start + 100):
                insert(chance.randrange(tables), number, indexes)
            connection.execute("COMMIT")
        return (time.perf_counter() - began) / documents * 1e6

    result["insert, 8 indexes, 1,000 tables"] = insert_many(DOCUMENTS, TABLES, INDEXES)
    busy = TABLES - 1
    began = time.perf_counter()
    for start in range(0, SMALL_TABLE_DOCUMENTS, 100):
        connection.execute("BEGIN IMMEDIATE")
        for number in range(start, start + 100):
            insert(busy, number, 1)
        connection.execute("COMMIT")
    result["insert, 1 index, one table"] = (time.perf_counter() - began) / SMALL_TABLE_DOCUMENTS * 1e6
    prefix = b"\x10050\0"
    result["range of 50, one table"] = statistics.median(
        microseconds(lambda: layout.scan(connection, busy, 2, prefix), 100) for _ in range(9)
    )
    result["range of 40 at most, 1,000 tables"] = statistics.median(
        microseconds(
            lambda: layout.scan(connection, chance.randrange(TABLES), chance.randrange(2, 10), b""), 300
        )
        for _ in range(5)
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    result["file (MiB)"] = path.stat().st_size / 2**20

    def reopen() -> None:
        fresh = connect(path)
        layout.scan(fresh, 5, 2, b"")
        fresh.close()

    result["open and first range"] = statistics.median(microseconds(reopen, 1) for _ in range(9))
    return result


def main() -> None:
    directory = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=directory) as place:
        layouts = [Fixed(), Covering(), Physical()]
        results = {layout.name: measure(layout, Path(place) / layout.name) for layout in layouts}
    print(f"SQLite {apsw.sqlite_lib_version()}, WAL, synchronous=FULL, commits of 100")
    print(f"{'':36}" + "".join(f"{name:>20}" for name in results))
    for what, base in results["fixed"].items():
        cells = [f"{result[what]:11.1f} ({result[what] / base:5.2f})" for result in results.values()]
        print(f"{what:36}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
