"""Every kind of damage is found and named; a file without any is clean."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec
import pytest
from msgspec.structs import replace

from rewake.database import PROBLEMS_MAX, Problem, ReplayKey, Verdict, apply_schema, verify
from rewake.environment import Environment
from rewake.schema import define_schema, define_table, v
from rewake.storage import DataFileMissing, pack_writes, unpack_writes
from tests.database.world import World

SCHEMA = define_schema(
    {"notes": define_table({"title": v.string(), "rank": v.number()}).index("by_title", ["title"])}
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a little of everything: inserts, an update, a delete, replay records."""
    world = World(path=tmp_path / "data")
    world.group.begin()
    world.perform(lambda tx: apply_schema(tx, SCHEMA))
    ids: list[str] = []
    world.perform(lambda tx: ids.extend(tx.insert("notes", {"title": t, "rank": 1.0}) for t in "abc"))
    world.perform(lambda tx: tx.patch(ids[0], {"title": "y"}))
    world.perform(lambda tx: tx.patch(ids[0], {"title": "z"}), replay=ReplayKey("s", 1))
    world.perform(lambda tx: tx.delete(ids[1]))
    world.perform(lambda tx: tx.insert("loose", {"x": 1.0}), replay=ReplayKey("s", 2))
    world.group.commit()
    world.close()
    return tmp_path / "data"


def damage(path: Path, *statements: str) -> Verdict:
    connection = apsw.Connection(str(path))
    for text in statements:
        connection.execute(text)
    connection.close()
    return verify(path, environment=Environment())


def one(verdict: Verdict) -> Problem:
    assert verdict.problems_found == 1, verdict.problems
    return verdict.problems[0]


SECOND = "(SELECT ts FROM _commit_log ORDER BY ts LIMIT 1 OFFSET 2)"
NOTE = "json_extract(json, '$.title') = 'z'"
BY_TITLE = (
    "(SELECT json_extract(json, '$.index') FROM _documents WHERE json LIKE '%by_title%' AND tablet = 2)"
)


def test_a_file_that_nobody_damaged_is_clean_and_counted(path: Path) -> None:
    seen: list[str] = []
    verdict = verify(path, environment=Environment(), progress=lambda what, done, total: seen.append(what))
    assert verdict.is_clean
    assert (verdict.tables, verdict.log_rows, verdict.replays) == (2, 6, 2)
    assert verdict.documents >= 5
    assert {"documents", "index entries", "the commit log", "replay records"} <= set(seen)
    facts = verdict.to_json()
    assert facts["is_clean"] is True
    assert facts["last_ts"] == str(verdict.last_ts)
    msgspec.json.encode(facts)


def test_a_missing_index_entry_is_named(path: Path) -> None:
    verdict = damage(
        path,
        f"DELETE FROM _index_entries WHERE index_id = {BY_TITLE}"
        f" AND row = (SELECT row FROM _documents WHERE {NOTE})",
    )
    problem = one(verdict)
    assert (problem.kind, problem.table, problem.index) == ("index", "notes", "by_title")
    assert problem.document is not None
    assert "missing" in problem.detail


def test_an_entry_too_many_is_named(path: Path) -> None:
    verdict = damage(
        path,
        f"INSERT INTO _index_entries VALUES ({BY_TITLE}, x'0501', (SELECT row FROM _documents WHERE {NOTE}))",
    )
    problem = one(verdict)
    assert (problem.kind, problem.table, problem.index) == ("index", "notes", "by_title")
    assert "not the key" in problem.detail


def test_an_entry_without_a_document_is_named(path: Path) -> None:
    problem = one(damage(path, f"INSERT INTO _index_entries VALUES ({BY_TITLE}, x'0501', 999)"))
    assert problem.index == "by_title"
    assert "no document" in problem.detail


def test_an_entry_that_points_elsewhere_is_named(path: Path) -> None:
    verdict = damage(
        path,
        f"UPDATE _index_entries SET row = 1 WHERE index_id = {BY_TITLE}"
        f" AND row = (SELECT row FROM _documents WHERE {NOTE})",
    )
    assert "points to row 1" in one(verdict).detail


def test_entries_of_no_index_are_named(path: Path) -> None:
    assert "no table has" in one(damage(path, "INSERT INTO _index_entries VALUES (9999, x'05', 1)")).detail


def test_a_changed_document_disagrees_with_index_and_log(path: Path) -> None:
    verdict = damage(path, f"UPDATE _documents SET json = replace(json, '\"z\"', '\"y\"') WHERE {NOTE}")
    assert {problem.kind for problem in verdict.problems} == {"index", "log"}
    assert {problem.table for problem in verdict.problems} == {"notes"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("'{'", "cannot be decoded"),
        ("'[1.0]'", "not an object"),
        ("x'00'", "type bytes"),
        ("replace(json, ':', ': ')", "canonical"),
        ("replace(json, '\"title\"', '\"_title\"')", "underscore"),
    ],
)
def test_a_document_that_is_none_is_named(path: Path, text: str, word: str) -> None:
    verdict = damage(path, f"UPDATE _documents SET json = {text} WHERE {NOTE}")
    assert any(word in problem.detail and problem.kind == "document" for problem in verdict.problems)


def test_a_document_of_no_table_is_named(path: Path) -> None:
    problem = one(damage(path, "INSERT INTO _documents (tablet, json) VALUES (77, '{}')"))
    assert problem.kind == "document"
    assert "tablet 77" in problem.detail


def test_an_id_of_another_table_is_named(path: Path) -> None:
    verdict = damage(
        path,
        f"UPDATE _documents SET json = replace(json, json_extract(json, '$._id'), 'nonsense') WHERE {NOTE}",
    )
    assert any("its id is not one" in problem.detail for problem in verdict.problems)


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("UPDATE _head SET last_ts = 5, catalog_ts = 0", "is not within"),
        ("UPDATE _head SET catalog_ts = last_ts + 1", "catalog_ts"),
        ("UPDATE _head SET log_floor_ts = last_ts + 1", "log_floor_ts"),
        ("UPDATE _head SET log_bytes = log_bytes + 1", "log_bytes"),
        ("UPDATE _head SET next_tablet = 101", "next_tablet"),
        ("UPDATE _head SET next_index = 1001", "next_index"),
        ("UPDATE _head SET next_number = 10001", "next_number"),
        ("DELETE FROM _head", "0 head rows"),
    ],
)
def test_a_wrong_head_is_named(path: Path, statement: str, word: str) -> None:
    verdict = damage(path, statement)
    assert any(word in problem.detail for problem in verdict.problems), verdict.problems


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        (
            "DELETE FROM _commit_log WHERE ts = (SELECT max(ts) FROM _commit_log)",
            "which the log does not have",
        ),
        (
            f"DELETE FROM _commit_log WHERE ts = {SECOND}",
            "what the last row left",
        ),
        ("UPDATE _commit_log SET writes = x'c1'", "cannot be decoded"),
        ("UPDATE _commit_log SET invocation = 'same'", "repeats invocation same"),
        ("UPDATE _commit_log SET invocation = ''", "no invocation"),
        ("UPDATE _replays SET ts = ts + 1000000000 WHERE request = 2", "above the latest commit"),
        ("UPDATE _replays SET result = '{' WHERE request = 1", "cannot be decoded"),
        ("UPDATE _replays SET log_lines = '[1]'", "cannot be decoded"),
        ("UPDATE _replays SET session = ''  WHERE request = 1", "lacks its session"),
    ],
)
def test_a_wrong_log_or_replay_record_is_named(path: Path, statement: str, word: str) -> None:
    verdict = damage(path, statement)
    assert any(word in problem.detail for problem in verdict.problems), verdict.problems


def test_a_wrong_key_in_the_log_is_named(path: Path) -> None:
    connection = apsw.Connection(str(path))
    ts, packed = connection.execute(
        "SELECT ts, writes FROM _commit_log ORDER BY ts LIMIT 1 OFFSET 2"
    ).fetchall()[0]
    assert isinstance(packed, bytes)
    (write,) = unpack_writes(packed)
    index_id = connection.execute(f"SELECT {BY_TITLE}").fetchall()[0][0]
    keys = tuple((i, o, n + b"x") if n is not None and i == index_id else (i, o, n) for i, o, n in write.keys)
    wrong = pack_writes((replace(write, keys=keys),))
    connection.execute("UPDATE _commit_log SET writes = ? WHERE ts = ?", (wrong, ts))
    connection.execute("UPDATE _head SET log_bytes = (SELECT sum(length(writes)) FROM _commit_log)")
    connection.close()
    problem = one(verify(path, environment=Environment()))
    assert (problem.kind, problem.table) == ("log", "notes")
    assert "the key after in by_title is wrong" in problem.detail


def test_pages_that_sqlite_cannot_read_are_told_and_end_nothing_else(path: Path) -> None:
    size = path.stat().st_size
    root = (
        apsw.Connection(str(path))
        .execute("SELECT rootpage FROM sqlite_schema WHERE name = '_commit_log'")
        .fetchall()[0][0]
    )
    assert isinstance(root, int)
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    assert path.stat().st_size == size
    verdict = verify(path, environment=Environment())
    assert {"engine", "log"} <= {problem.kind for problem in verdict.problems}
    assert verdict.documents >= 5, "the documents were looked at all the same"


def test_a_catalog_that_cannot_be_read_or_shares_numbers_is_told(path: Path) -> None:
    verdict = damage(
        path, "UPDATE _documents SET json = replace(json, '\"tablet\"', '\"tabled\"') WHERE tablet = 1"
    )
    assert any(problem.kind == "catalog" for problem in verdict.problems)


def test_problems_beyond_the_bound_are_counted(path: Path) -> None:
    verdict = damage(
        path,
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1500)"
        " INSERT INTO _documents (tablet, json) SELECT 77, '{}' FROM n",
    )
    assert verdict.problems_found == 1500
    assert len(verdict.problems) == PROBLEMS_MAX


def test_a_served_file_is_checked_beside_its_server(tmp_path: Path) -> None:
    world = World(path=tmp_path / "data")
    for number in range(3):
        world.group.begin()
        world.perform(lambda tx, number=number: tx.insert("notes", {"n": float(number)}))
        assert verify(tmp_path / "data", environment=Environment()).is_clean
        world.group.commit()
    verdict = verify(tmp_path / "data", environment=Environment())
    assert verdict.is_clean
    assert verdict.log_rows == 3
    world.close()


def test_no_file_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(DataFileMissing):
        verify(tmp_path / "none", environment=Environment())
