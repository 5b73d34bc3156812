"""The survey: counts, numbers, files, and what makes a file unfit before anything is begun."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from rewake.archive import ImportRowInvalid, open_source
from rewake.deployment.import_survey import Survey
from rewake.limits import MIB
from tests.archive.official_zip import id_of, official_zip

pytestmark = pytest.mark.threads_only("no deployment")


def _survey(folder: Path, content: bytes) -> Survey:
    path = folder / "a.zip"
    path.write_bytes(content)
    survey = Survey(open_source(path, format="zip", table=None, bytes_max=MIB))
    while survey.step():
        pass
    survey.source.close()
    return survey


def test_rows_are_counted_and_numbers_read_off(tmp_path: Path) -> None:
    lines = b"".join(b'{"_id":"%s"}\n' % id_of(10_003, n).encode() for n in range(1200))
    survey = _survey(tmp_path, official_zip({"a": (10_001, [{}])}, extra={"b/documents.jsonl": lines}))
    assert [(table.name, table.rows, table.number) for table in survey.tables] == [
        ("a", 1, 10_001),
        ("b", 1200, 10_003),
    ]
    assert (survey.rows, survey.storage_number) == (1201, None)


def test_files_are_found_with_their_bytes(tmp_path: Path) -> None:
    survey = _survey(tmp_path, official_zip({}, {id_of(540, 1): (b"abc", "image/png")}))
    (file,) = survey.files
    assert (file.size, survey.storage_number, survey.rows) == (3, 540, 0)
    assert file.document["contentType"] == "image/png"


HEX = hashlib.sha256(b"abc").hexdigest()
ROW: dict[str, Any] = {"_id": id_of(540, 1), "_creationTime": 1.5, "sha256": HEX, "size": 3}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"_id": id_of(540, 2)}, "the bytes of the file are missing"),
        ({"size": 4}, "the bytes of the file are 3, and not 4"),
        ({"size": 3.5}, "a file has its `sha256` and its `size`"),
        ({"sha256": "x"}, "a file has its `sha256` and its `size`"),
        ({"_id": None}, "its `_id` is no string"),
        ({"_creationTime": None}, "its `_creationTime` is no time"),
    ],
)
def test_broken_file_rows_are_named(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    import json

    row = json.dumps(ROW | change).encode()
    extra = {"_storage/documents.jsonl": row, f"_storage/{id_of(540, 1)}": b"abc"}
    with pytest.raises(ImportRowInvalid, match=r"_storage/documents.jsonl, line 1: ") as refused:
        _survey(tmp_path, official_zip({}, extra=extra))
    assert text in refused.value.message
    good = {**extra, "_storage/documents.jsonl": json.dumps(ROW).encode()}
    assert len(_survey(tmp_path, official_zip({}, extra=good)).files) == 1, "hex digests are taken too"


def test_ids_of_another_table_are_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"_id": id_of(10_002, 1)}]
    with pytest.raises(ImportRowInvalid, match=r"a/documents.jsonl, line 1: its `_id` has the table number"):
        _survey(tmp_path, official_zip({"a": (10_001, rows)}))
