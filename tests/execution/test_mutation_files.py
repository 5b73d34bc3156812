"""Files of one run of a mutation: keys in order, and nothing without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.blobs.directory import DirectoryStore
from rewake.database import WriteTransaction, begin_blob
from rewake.execution.mutation_files import FilesOutOfPlace, KeysUsedUp, MutationFiles
from rewake.functions import Content
from tests.database.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def test_each_file_takes_the_next_key_and_one_more_ends_the_run(world: World, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, is_synced=False)
    world.mutate(lambda tx: [begin_blob(tx, key) for key in ("aa1", "bb2")])
    files = MutationFiles(lambda: store, ("aa1", "bb2"))

    def work(transaction: WriteTransaction) -> None:
        contents: tuple[Content, ...] = (b"one", [b"t", b"wo"])
        ids = [files.store(transaction, content, content_type=None, sha256=None) for content in contents]
        for id, content in zip(ids, (b"one", b"two"), strict=True):
            found = files.reading(transaction, id)
            assert found is not None
            head, read = found
            assert (head.id, head.size, b"".join(read())) == (id, 3, content)
        assert files.wanted == 0
        with pytest.raises(KeysUsedUp):
            files.store(transaction, b"three", content_type=None, sha256=None)
        assert files.wanted == 3
        assert transaction.usage.files_written == 3
        assert transaction.usage.file_read_bytes == 6

    world.mutate(work)
    assert sorted(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()) == [b"one", b"two"]


def test_where_nobody_reserves_keys_nothing_is_stored(world: World, tmp_path: Path) -> None:
    files = MutationFiles(lambda: DirectoryStore(tmp_path), None)
    with pytest.raises(FilesOutOfPlace, match=r"backend\.store"):
        world.mutate(lambda tx: files.store(tx, b"", content_type=None, sha256=None))
