"""What the author wrote for a table, for advice."""

from __future__ import annotations

from pathlib import Path

from rewake.execution import DocumentSource, document_source, load_project, read_settings

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
