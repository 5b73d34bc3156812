"""Ways out of a schema that documents do not fit: each case, with code that is right."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from rewake.cli.ways_out import mismatch_failure, mismatch_report, ways_out_lines
from rewake.database import SchemaMismatch
from rewake.execution import document_source, load_project, read_settings
from rewake.schema import Schema

SCHEMA = '''\
from rewake import Document
from pydantic import BaseModel


class Address(BaseModel):
    town: str


class Person(Document, table="people"):
    """Somebody."""

    name: str | None
    age: float
    address: Address
'''


@pytest.fixture
def schema(project: Path) -> Schema:
    (project / "backend" / "messages.py").unlink()
    (project / "backend" / "schema.py").write_text(SCHEMA)
    return load_project(read_settings(project)).schema


def mismatch(detail: str, *, path: str = "", table: str = "people") -> SchemaMismatch:
    return SchemaMismatch(table=table, id="j1", path=path, detail=detail)


def with_source(error: SchemaMismatch, schema: Schema | None) -> SchemaMismatch:
    """As the writer raises it: with what the author wrote for the table."""
    table = schema.tables.get(str(error.fields["table"])) if schema is not None else None
    error.fields["source"] = document_source(table)
    return error


def missing(field: str, *, path: str = "") -> SchemaMismatch:
    detail = (
        f"Object is missing the required field `{field}`. Consider wrapping the field validator in"
        f" `v.optional(...)` if this is expected.\n\nObject: {{}}\nValidator: v.object({{}})"
    )
    return mismatch(detail, path=path)


def codes(error: SchemaMismatch, schema: Schema | None) -> list[str]:
    return [way.code for way in mismatch_report(with_source(error, schema)).ways_out]


def test_a_missing_field_can_be_made_optional_in_its_own_type(schema: Schema) -> None:
    report = mismatch_report(with_source(missing("name"), schema))
    assert (report.table, report.document, report.field) == ("people", "j1", "name")
    assert report.ways_out[0].code == "name: str | None | Unset = UNSET"
    assert report.ways_out[-1].code == "rewake dev --reset"


def test_a_migration_is_ready_to_paste(schema: Schema) -> None:
    way = mismatch_report(with_source(missing("age"), schema)).ways_out[1]
    ast.parse(way.code)
    assert "from .schema import Person" in way.code
    assert "ctx.db.patch(people.id, age=...)" in way.code
    assert "rewake run migrations:fill_people_age" in way.afterwards


def test_an_extra_field_can_stay_or_go(schema: Schema) -> None:
    detail = (
        "Object contains extra field `nick` that is not in the validator.\n\n"
        'Object: {age: 1.0, nick: "x"}\nValidator: v.object({})'
    )
    stay, go, _ = codes(mismatch(detail), schema)
    assert stay == "nick: str | Unset = UNSET"
    assert "nick=UNSET" in go
    assert "import UNSET, MutationCtx" in go


@pytest.mark.parametrize(
    ("rendered", "hint"),
    [
        ('"a"', "str"),
        ("true", "bool"),
        ("null", "None"),
        ("1.5", "float"),
        ("-2n", "Int64"),
        ("{a: 1.0}", "OLD_TYPE"),
    ],
)
def test_a_wrong_type_can_be_accepted_for_a_while(schema: Schema, rendered: str, hint: str) -> None:
    detail = f"Value does not match validator.\nPath: .age\nValue: {rendered}\nValidator: v.float64()"
    assert codes(mismatch(detail, path=".age"), schema)[0] == f"age: float | {hint}"


def test_a_field_inside_another_is_named_with_its_way(schema: Schema) -> None:
    report = mismatch_report(with_source(missing("town", path=".address"), schema))
    assert report.field == "address.town"
    assert not report.ways_out[0].code
    assert "`address.town`" in report.ways_out[0].advice
    ast.parse(report.ways_out[1].code)


def test_steps_into_lists_are_kept(schema: Schema) -> None:
    detail = "Value does not match validator.\nPath: .tags[0].a\nValue: 1.0\nValidator: v.string()"
    assert mismatch_report(with_source(mismatch(detail, path=".tags[0].a"), schema)).field == "tags[0].a"


@pytest.mark.parametrize("known", [True, False])
def test_a_table_without_a_class_has_its_migration_too(schema: Schema, *, known: bool) -> None:
    error = missing("a-b")
    error.fields["table"] = "notes"
    migration = codes(error, schema if known else None)[1]
    ast.parse(migration)
    assert "ctx.db.query('notes')" in migration
    assert 'ctx.db.patch(note["_id"], {"a-b": ...})' in migration


def test_a_document_that_is_wrong_as_a_whole_says_so(schema: Schema) -> None:
    error = mismatch("Value does not match validator.\n\nValue: {}\nValidator: v.union()")
    shown = "\n".join(
        "".join(text for text, _ in line)
        for line in ways_out_lines(mismatch_report(with_source(error, schema)))
    )
    assert "(the document itself)" in shown


def test_all_of_it_fits_into_an_error(schema: Schema) -> None:
    failure: Any = mismatch_failure(with_source(missing("age"), schema))
    assert failure.exit_code == 1
    for part in ("people", "j1", "age", "required field", "rewake dev --reset"):
        assert part in failure.detail
