from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from rewake.environment import Environment
from rewake.storage import (
    DataFileForeign,
    DataFileFromFuture,
    DataFileMissing,
    Inspection,
    Notes,
    open_database,
    pack_writes,
)


def make(path: Path, *, documents: int = 0) -> None:
    engine = open_database(path, environment=Environment())
    writer = engine.writer()
    writer.begin()
    for number in range(documents):
        writer.insert_document(101, f"text {number}", ((1001, number.to_bytes(4)),))
    writer.begin_mutation()
    writer.keep_mutation((7, "i", pack_writes(())), ("s", 1, 7, "1", "[]", 5))
    writer.commit()
    writer.close()
    engine.close()


def test_pages_follow_each_other_without_gap(tmp_path: Path) -> None:
    make(tmp_path / "data", documents=1_100)
    inspection = Inspection(tmp_path / "data", environment=Environment())
    inspection.hold()
    texts = [text for page in inspection.documents() for _, _, text in page]
    assert texts == [f"text {number}" for number in range(1_100)]
    entries = [entry for page in inspection.entries(1001) for entry in page]
    assert [int.from_bytes(key) for key, *_ in entries] == list(range(1_100))
    assert all(tablet == 101 and text == texts[row - 1] for _, row, tablet, text in entries)
    assert list(inspection.index_ids()) == [1001]
    assert inspection.count_entries(1001) == 1_100
    assert inspection.entry_row(1001, (5).to_bytes(4)) == 6
    assert inspection.entry_row(1001, b"none") is None
    assert (inspection.last_row(), inspection.log_size()[0], inspection.count_replays()) == (1_100, 1, 1)
    assert [row[:2] for page in inspection.log() for row in page] == [(7, "i")]
    assert inspection.is_logged(7)
    assert not inspection.is_logged(8)
    assert [row[1:4] for page in inspection.replays() for row in page] == [("s", 1, 7)]
    assert inspection.engine_problems() == []
    assert len(inspection.heads()) == 1
    inspection.close()


def test_a_file_in_use_is_read_without_its_lock_and_cannot_be_written(tmp_path: Path) -> None:
    make(tmp_path / "data")
    owner = open_database(tmp_path / "data", environment=Environment())
    writer = owner.writer()
    writer.begin()
    inspection = Inspection(tmp_path / "data", environment=Environment())
    inspection.hold()
    with pytest.raises(apsw.ReadOnlyError):
        inspection._connection.execute("DELETE FROM _documents")
    inspection.close()
    writer.rollback()
    writer.close()
    owner.close()


def test_what_is_no_data_file_is_refused_and_left(tmp_path: Path) -> None:
    with pytest.raises(DataFileMissing, match="no data file"):
        Inspection(tmp_path / "none", environment=Environment())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(DataFileForeign):
        Inspection(tmp_path / "text", environment=Environment())
    other = apsw.Connection(str(tmp_path / "other"))
    other.execute("CREATE TABLE t(x)")
    with pytest.raises(DataFileForeign):
        Inspection(tmp_path / "other", environment=Environment())
    make(tmp_path / "data")
    apsw.Connection(str(tmp_path / "data")).execute("PRAGMA user_version = 99")
    with pytest.raises(DataFileFromFuture, match="99"):
        Inspection(tmp_path / "data", environment=Environment())


def test_notes_remember_more_than_a_page() -> None:
    with Notes() as notes:
        assert all(notes.swap(f"{number:04}", b"a") is None for number in range(1_100))
        assert notes.swap("0007", b"b") == b"a"
        noted = [each for page in notes.pages() for each in page]
    assert [name for name, _ in noted] == [f"{number:04}" for number in range(1_100)]
    assert dict(noted)["0007"] == b"b"
