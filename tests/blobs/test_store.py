"""One suite for every blob store."""

from __future__ import annotations

import pytest

from rewake.blobs import BlobMissing, BlobStore
from rewake.blobs.store import PIECE_BYTES

KEY = "0b5f4d6e-0000-4000-8000-00000000000a"


def put(store: BlobStore, key: str, *pieces: bytes) -> None:
    writer = store.create(key)
    for piece in pieces:
        writer.write(piece)
    writer.finish()


def test_what_was_written_is_read_back_in_pieces(store: BlobStore) -> None:
    data = bytes(range(256)) * (3 * PIECE_BYTES // 256 + 1)
    put(store, KEY, data[:100], data[100:])
    assert store.size(KEY) == len(data)
    pieces = list(store.read(KEY, stop=len(data)))
    assert b"".join(pieces) == data
    assert len(pieces) >= 3
    assert max(map(len, pieces)) < len(data)


def test_a_part_is_read_alone(store: BlobStore) -> None:
    put(store, KEY, b"0123456789")
    assert b"".join(store.read(KEY, start=3, stop=7)) == b"3456"
    assert b"".join(store.read(KEY, start=9, stop=10)) == b"9"


def test_an_empty_blob_is_a_blob(store: BlobStore) -> None:
    put(store, KEY)
    assert store.size(KEY) == 0
    assert list(store.read(KEY, stop=0)) == []


def test_more_than_a_part_of_an_upload(store: BlobStore) -> None:
    piece = b"x" * PIECE_BYTES
    put(store, KEY, *[piece] * 18)
    assert store.size(KEY) == 18 * PIECE_BYTES
    assert sum(map(len, store.read(KEY, stop=18 * PIECE_BYTES))) == 18 * PIECE_BYTES


def test_nothing_is_there_before_it_is_finished(store: BlobStore) -> None:
    writer = store.create(KEY)
    writer.write(b"half")
    with pytest.raises(BlobMissing):
        store.size(KEY)
    writer.abort()
    with pytest.raises(BlobMissing) as missing:
        list(store.read(KEY, stop=4))
    assert KEY in missing.value.message


def test_an_aborted_one_is_not_there_even_after_its_end(store: BlobStore) -> None:
    writer = store.create(KEY)
    writer.write(b"whole")
    writer.finish()
    writer.abort()
    with pytest.raises(BlobMissing):
        store.size(KEY)


def test_a_deleted_one_is_gone_and_deleting_again_is_harmless(store: BlobStore) -> None:
    put(store, KEY, b"bytes")
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(BlobMissing):
        store.size(KEY)


def test_one_that_ends_too_early_says_so(store: BlobStore) -> None:
    put(store, KEY, b"short")
    with pytest.raises(BlobMissing, match="it ends at byte 5, before 9"):
        list(store.read(KEY, stop=9))
