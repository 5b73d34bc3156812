"""SQL that reads: what it sees, and all that it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from rewake.database import InvalidSql, SqlTookTooLong, change_variables
from rewake.database.catalog import load_catalog
from rewake.database.sql_reading import SqlAnswer, SqlBounds, columns_for_sql, read_sql, tables_for_sql
from rewake.values import Int64
from tests.database.world import World

BOUNDS = SqlBounds(rows=1000, size=2**20, seconds=60)
Ask = Callable[..., SqlAnswer]


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.insert(
        "notes",
        {"n": 1.0, "text": "a", "on": True, "big": Int64(2**60), "raw": b"\x01", "in": {"x": [1.0]}},
        {"n": 2.5, "text": None},
    )
    world.mutate(lambda tx: change_variables(tx, [("SECRET", "s3cret")]))
    yield world
    world.close()


def ask(world: World, text: str, bounds: SqlBounds = BOUNDS, clock: Any = lambda: 0.0) -> SqlAnswer:
    with world.reader.begin() as snapshot:
        return read_sql(snapshot.reads, load_catalog(snapshot.reads), text, bounds, monotonic=clock)


def test_values_are_what_they_mean(world: World) -> None:
    answer = ask(world, 'SELECT n, text, "on", big, raw, "in" FROM notes ORDER BY n')
    assert answer.columns == ["n", "text", "on", "big", "raw", "in"]
    assert answer.rows[0] == (1.0, "a", 1, 2**60, b"\x01", '{"x":[1.0]}')
    assert answer.rows[1] == (2.5, None, None, None, None, None)
    assert not answer.is_cut


def test_a_table_has_its_fields_and_the_document_as_columns(world: World) -> None:
    answer = ask(world, "SELECT * FROM notes")
    assert answer.columns == ["_id", "_creationTime", "big", "in", "n", "on", "raw", "text", "_document"]
    joined = ask(world, "SELECT count(*), sum(a.n) FROM notes a JOIN Notes b ON a._id = b._id")
    assert joined.rows == [(2, 3.5)]
    assert ask(world, "WITH t AS (SELECT 1 AS x) SELECT x FROM t").rows == [(1,)]
    assert ask(world, "SELECT * FROM notes WHERE n > 100").columns == answer.columns


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO notes VALUES (1)",
        "DELETE FROM notes",
        "UPDATE notes SET n = 1",
        "DROP TABLE notes",
        "CREATE TABLE t(a)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "ATTACH '/etc/passwd' AS x",
        "DETACH main",
        "VACUUM INTO '/tmp/x'",
        "PRAGMA writable_schema = 1",
        "PRAGMA database_list",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'y')",
        "BEGIN IMMEDIATE",
        "REINDEX",
        "ANALYZE",
        "SELECT 1; SELECT 2",
        "SELECT * FROM _admin_keys",
        "SELECT * FROM _environment_variables",
        "SELECT * FROM _documents",
        "SELECT * FROM _secrets",
        "SELECT * FROM _replays",
        "SELECT * FROM _commit_log",
        "WITH notes AS (SELECT * FROM _documents) SELECT * FROM notes",
        "SELECT nothing FROM notes",
        "SELEC 1",
        "",
        "-- nothing",
    ],
)
def test_whatever_does_not_read_tables_is_refused(world: World, text: str) -> None:
    with pytest.raises(InvalidSql) as caught:
        ask(world, text)
    assert "s3cret" not in caught.value.message


def test_there_is_no_schema_to_look_into(world: World) -> None:
    assert ask(world, "SELECT * FROM sqlite_master").rows == []
    with pytest.raises(InvalidSql, match=r"There is no table nots\. Known: _storage, .*notes"):
        ask(world, "SELECT * FROM nots")


def test_rows_and_bytes_are_bounded_and_that_is_said(world: World) -> None:
    world.insert("notes", *({"n": float(n)} for n in range(600)))
    cut = ask(world, "SELECT n FROM notes", SqlBounds(rows=500, size=2**20, seconds=60))
    assert (len(cut.rows), cut.is_cut) == (500, True)
    small = ask(world, "SELECT n, 'xxxxxxxxxx' FROM notes", SqlBounds(rows=500, size=100, seconds=60))
    assert (small.is_cut, len(small.rows) < 10) == (True, True)
    assert len(ask(world, "SELECT n FROM notes").rows) == 602
    with pytest.raises(InvalidSql):
        ask(world, "SELECT zeroblob(100000000)")


@pytest.mark.parametrize(
    "text",
    [
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
        "SELECT count(*) FROM notes a, notes b, notes c",
    ],
)
def test_what_takes_too_long_is_ended(world: World, text: str) -> None:
    world.insert("notes", *({"n": float(n)} for n in range(600)))
    ticks = count()
    with pytest.raises(SqlTookTooLong):
        ask(world, text, SqlBounds(rows=10, size=100, seconds=20), clock=lambda: float(next(ticks)))


def test_of_two_names_that_sql_takes_for_one_the_first_counts(world: World) -> None:
    world.insert("Notes", {"other": 1.0})
    with world.reader.begin() as snapshot:
        catalog = load_catalog(snapshot.reads)
        known = tables_for_sql(catalog)
        assert ("Notes" in known, "notes" in known) == (True, False)
        assert "other" in columns_for_sql(snapshot.reads, catalog, known["Notes"])
