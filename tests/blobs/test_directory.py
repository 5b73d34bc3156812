"""A directory as a blob store: what only a directory has. The rest is in `test_store.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.blobs import BlobStoreFailed
from rewake.blobs.directory import DirectoryStore

KEY = "ab5f4d6e-0000-4000-8000-00000000000a"


def test_delete_removes_what_a_crash_left_of_a_writer(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "files")
    store.create(KEY).write(b"half")
    left = tmp_path / "files" / "incoming" / KEY
    assert left.exists()
    DirectoryStore(tmp_path / "files").delete(KEY)
    assert not left.exists()


def test_a_place_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file, and no folder")
    with pytest.raises(BlobStoreFailed):
        DirectoryStore(tmp_path / "files").create(KEY)


def test_without_syncing_all_else_is_the_same(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, is_synced=False)
    writer = store.create(KEY)
    writer.write(b"12345")
    writer.finish()
    assert (tmp_path / "ab" / KEY).read_bytes() == b"12345"
