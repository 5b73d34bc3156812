"""What a row must be to become a document."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.archive.documents import document_of
from rewake.archive.errors import ImportRowInvalid
from rewake.archive.rows import Row
from rewake.values import Int64
from tests.archive.official_zip import id_of

ID = id_of(10_001, 1)


def _row(**value: Any) -> Row:
    return Row("t/documents.jsonl", "line 3", value)


def test_ids_and_times_are_kept_or_given() -> None:
    own = document_of(_row(_id=ID, _creationTime=5.5, x=1.0))
    assert own.table_number == 10_001
    assert own.document(id="other", creation_time=9.0) == {"x": 1.0, "_id": ID, "_creationTime": 5.5}
    bare = document_of(_row(x=1.0))
    assert bare.document(id="other", creation_time=9.0) == {"x": 1.0, "_id": "other", "_creationTime": 9.0}
    assert document_of(_row(_creationTime=Int64(7))).creation_time == 7.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"_id": 1.0}, "its `_id` is no string"),
        ({"_id": "x"}, "Unable to decode ID"),
        ({"_creationTime": "now"}, "its `_creationTime` is no time"),
        ({"_creationTime": float("nan")}, "its `_creationTime` is no time"),
        ({"_creationTime": -1.0}, "its `_creationTime` is no time"),
        ({"_creationTime": 2.0**53}, "its `_creationTime` is no time"),
        ({"_other": 1.0}, "starts with an underscore"),
        ({"x": "y" * 2**20}, "Value is too large"),
        ({"x": [[[[[[[[[[[[[[[[1.0]]]]]]]]]]]]]]]]}, "Document is too nested"),
        ({"é": 1.0}, "has invalid character"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(value: dict[str, Any], text: str) -> None:
    with pytest.raises(ImportRowInvalid) as refused:
        document_of(_row(**value))
    assert refused.value.message.startswith("t/documents.jsonl, line 3: ")
    assert text in refused.value.message
