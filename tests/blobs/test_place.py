"""Places for blobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.blobs import BlobPlaceInvalid, open_blobs
from rewake.blobs.bucket import BucketStore
from rewake.blobs.directory import DirectoryStore


def test_a_path_is_a_directory_that_is_not_made_yet(tmp_path: Path) -> None:
    assert isinstance(open_blobs(str(tmp_path / "files")), DirectoryStore)
    assert not (tmp_path / "files").exists()


@pytest.mark.usefixtures("bucket_url")
def test_a_bucket_with_or_without_a_prefix() -> None:
    assert isinstance(open_blobs("s3://bucket"), BucketStore)
    assert isinstance(open_blobs("s3://bucket/a/b/"), BucketStore)


@pytest.mark.parametrize("place", ["gs://bucket", "s3://", "s3:///prefix", "http://here"])
def test_anything_else_is_refused(place: str) -> None:
    with pytest.raises(BlobPlaceInvalid) as refused:
        open_blobs(place)
    assert place in refused.value.message
