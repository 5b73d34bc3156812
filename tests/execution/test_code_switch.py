"""What the author wrote for a table, for advice; and which code may run on an older snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.database import Database
from rewake.environment import Environment
from rewake.execution import DocumentSource, document_source, load_project, read_settings
from rewake.execution.code_switch import CodeReplaced, apply_code, check_code

SOURCE = '''
from rewake import Document, Index

def make():
    class Odd(Document, table="odd"):
        a: str
    return Odd

class Person(Document, table="people"):
    """Somebody."""
    name: str | None
    age: "float"
    by_name = Index("name")
'''


def test_it_finds_class_module_and_type_hints(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "schema.py").write_text(SOURCE)
    schema = load_project(read_settings(tmp_path)).schema
    hints = {"name": "str | None", "age": "'float'"}
    assert document_source(schema.tables["people"]) == DocumentSource("Person", "schema", hints)


def test_a_table_without_a_class_has_none() -> None:
    assert document_source(None) is None


def test_a_class_whose_source_is_gone_has_no_hints(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    file = tmp_path / "backend" / "schema.py"
    file.write_text(SOURCE)
    schema = load_project(read_settings(tmp_path)).schema
    file.unlink()
    assert document_source(schema.tables["people"]) == DocumentSource("Person", "schema", {})


def test_only_the_code_that_served_then_may_run_on_an_older_snapshot(tmp_path: Path) -> None:
    database = Database.open(":memory:", environment=Environment())
    group, reader = database.group_commit(), database.reader()
    (tmp_path / "backend").mkdir()
    versions = []
    for source in (SOURCE, SOURCE.replace("str | None", "str")):
        (tmp_path / "backend" / "schema.py").write_text(source)
        registry = load_project(read_settings(tmp_path))
        group.begin()
        _, ts = apply_code(group, registry, invocation=str(len(versions)))
        group.commit()
        versions.append((ts, registry))
    for ts, _ in versions:
        for since, registry in versions:
            with reader.begin_at(ts) as snapshot:
                if since == ts:
                    check_code(snapshot, registry)
                else:
                    with pytest.raises(CodeReplaced, match="/api/query_ts"):
                        check_code(snapshot, registry)
    reader.close()
    group.close()
    database.close()
