"""Where things lie in an archive.

Floor 1, `archive`.

    README.md
    _tables/documents.jsonl            a line for each table: its name and number
    {table}/documents.jsonl            a line for each document
    {table}/generated_schema.jsonl     the text "uniform": documents are in the export encoding
    _storage/documents.jsonl           a line for each file
    _storage/{id}{.ext}                its bytes

Not here: what the lines hold.
Source: wire 7.7.
"""

from __future__ import annotations

TABLE_NUMBERS = "_tables/documents.jsonl"
STORAGE_ROWS = "_storage/documents.jsonl"


def rows_of(table: str) -> str:
    """The entry that holds the documents of `table`."""
    return f"{table}/documents.jsonl"


def schema_of(table: str) -> str:
    """The entry that says how the documents of `table` are encoded."""
    return f"{table}/generated_schema.jsonl"
