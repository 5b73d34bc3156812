"""Where things lie in an archive."""

from __future__ import annotations

from rewake.archive import STORAGE_ROWS, TABLE_NUMBERS, rows_of, schema_of


def test_every_table_has_a_folder_of_its_own() -> None:
    assert rows_of("users") == "users/documents.jsonl"
    assert schema_of("users") == "users/generated_schema.jsonl"
    assert rows_of("_tables") == TABLE_NUMBERS
    assert rows_of("_storage") == STORAGE_ROWS
