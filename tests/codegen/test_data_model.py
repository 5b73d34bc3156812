"""`dataModel.d.ts`. That TypeScript accepts it is shown in `test_generated_files.py`."""

from __future__ import annotations

from rewake.codegen import render_data_model
from tests.codegen.rich_application import SCHEMA


def lines_of(text: str, start: str, end: str) -> list[str]:
    return text.partition(start)[2].partition(end)[0].splitlines()


def test_a_document_begins_with_its_system_fields() -> None:
    text = render_data_model(SCHEMA)
    assert lines_of(text, "  users: {\n", "  };") == [
        '    _id: Id<"users">;',
        "    _creationTime: number;",
        '    avatar?: Id<"_storage">;',
        "    name: string;",
    ]


def test_each_alternative_of_a_table_is_a_document() -> None:
    events = "\n".join(lines_of(render_data_model(SCHEMA), "  events:\n", "  messages:"))
    assert events.count('_id: Id<"events">;') == 2
    assert events.lstrip().startswith("| {")


def test_declared_indexes_end_with_the_creation_time() -> None:
    text = render_data_model(SCHEMA)
    assert 'by_city: ["place.city", "kind", "_creationTime"];' in text
    assert 'by_id: ["_id"];' in text
    assert 'search_body: { searchField: "body"; filterFields: "author" | "kind" }' in text
    assert 'near: { vectorField: "vector"; dimensions: number; filterFields: never }' in text


def test_the_order_of_tables_does_not_change_the_file() -> None:
    turned = {**SCHEMA, "tables": SCHEMA["tables"][::-1]}
    assert render_data_model(turned) == render_data_model(SCHEMA)


def test_a_schema_without_tables_has_no_table_names() -> None:
    text = render_data_model({"tables": [], "schemaValidation": True})
    assert "export type TableNames = never;" in text
    assert "type Documents = {};" in text


def test_without_a_schema_every_document_is_any() -> None:
    assert "export type DataModel = AnyDataModel;" in render_data_model(None)
