"""Snapshots and plain files, as one kind of thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.archive import ImportUnreadable, Source, open_source
from rewake.archive.snapshot import Format
from rewake.limits import MIB
from rewake.values import Int64
from tests.archive.official_zip import id_of, official_zip

PICTURE = id_of(540, 1)


def _open(path: Path, content: bytes, format: Format = "zip", table: str | None = None) -> Source:
    path.write_bytes(content)
    return open_source(path, format=format, table=table, bytes_max=MIB)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_an_official_snapshot_has_tables_numbers_and_files(path: Path) -> None:
    content = official_zip(
        {"b": (10_002, [{"a": Int64(1), "b": 1.0}]), "a": (10_001, [])},
        {PICTURE: (b"png", "image/png")},
        folder="snapshot_12/",
        extra={"_components/c/t/documents.jsonl": b"{}\n", "_other/documents.jsonl": b"{}\n"},
    )
    source = _open(path, content)
    assert source.tables == ["b", "a"]
    assert source.numbers == {"a": 10_001, "b": 10_002}
    (row,) = source.rows("b")
    assert [type(value) for value in row.value.values()] == [Int64, float]
    assert (row.entry, row.place) == ("b/documents.jsonl", "line 1")
    (file,) = source.files()
    opened = source.bytes_of(str(file.value["_id"]))
    assert opened is not None
    assert (opened.size, b"".join(opened.pieces(2))) == (3, b"png")
    assert source.bytes_of("other") is None
    assert source.notes == [
        "Left out, since Rewake has no components and fills its own tables: _components/c/t, _other."
    ]
    source.close()


def test_hints_of_older_exports_are_ignored_and_said(path: Path) -> None:
    content = official_zip(
        {}, extra={"t/documents.jsonl": b'{"n":1}', "t/generated_schema.jsonl": b'{"a":1}'}
    )
    source = _open(path, content)
    (row,) = source.rows("t")
    assert type(row.value["n"]) is float
    assert "t/generated_schema.jsonl holds type hints of an older export" in source.notes[0]
    source.close()


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({}, "There is no table in the archive"),
        ({"1t/documents.jsonl": b""}, "Invalid table name"),
        ({"t/documents.jsonl": b"", "_tables/documents.jsonl": b'{"name":1}\n'}, "line 1: "),
        (
            {
                "t/documents.jsonl": b"",
                "_tables/documents.jsonl": b'{"name":"t","id":1}\n{"name":"u","id":1}',
            },
            "line 2: a table or a number is named twice",
        ),
        ({"t/documents.jsonl": b"", "_storage/a.png": b"", "_storage/a.gif": b""}, "are there twice"),
    ],
)
def test_archives_that_make_no_sense_are_refused(path: Path, extra: dict[str, bytes], text: str) -> None:
    from rewake.errors import InvalidInput

    with pytest.raises(InvalidInput) as refused:
        _open(path, official_zip({}, extra=extra))
    assert text in refused.value.message


def test_plain_files_are_one_table_and_can_be_read_twice(path: Path) -> None:
    source = _open(path, b"x\n1\n", "csv", "t")
    assert source.tables == ["t"]
    for _ in range(2):
        assert [row.value for row in source.rows("t")] == [{"x": 1.0}]
    assert (list(source.files()), source.bytes_of("x"), source.notes) == ([], None, [])
    source.close()
    with pytest.raises(ImportUnreadable, match="Say which table"):
        _open(path, b"", "csv")
    with pytest.raises(ImportUnreadable, match="names its tables itself"):
        _open(path, b"", "zip", "t")
