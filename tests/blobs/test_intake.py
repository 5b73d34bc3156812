"""The intake: bytes counted and digested on their way in."""

from __future__ import annotations

import base64
import hashlib

import pytest

from rewake.blobs import BlobMissing, BlobStore, ContentDiffers, Intake
from rewake.blobs.store import PIECE_BYTES

KEY = "cd5f4d6e-0000-4000-8000-00000000000a"


def digest_of(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_it_asks_for_a_flush_when_a_piece_is_gathered(store: BlobStore) -> None:
    intake = Intake(store, KEY)
    assert not intake.add(b"a" * (PIECE_BYTES - 1))
    assert intake.add(b"b")
    intake.flush()
    assert not intake.add(b"c")
    data = b"a" * (PIECE_BYTES - 1) + b"bc"
    taken = intake.finish(expected=digest_of(data))
    assert (taken.sha256, taken.size) == (digest_of(data), len(data))
    assert b"".join(store.read(KEY, stop=len(data))) == data


def test_another_digest_than_expected_leaves_nothing(store: BlobStore) -> None:
    intake = Intake(store, KEY)
    intake.add(b"12345")
    with pytest.raises(ContentDiffers) as differs:
        intake.finish(expected=digest_of(b"54321"))
    intake.abort()
    assert differs.value.message == (
        f"Sha256 mismatch. Expected: {digest_of(b'54321')} Actual: {digest_of(b'12345')}"
    )
    with pytest.raises(BlobMissing):
        store.size(KEY)
