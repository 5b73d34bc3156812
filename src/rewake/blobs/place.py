"""Where blobs are kept: the text of the setting, as a store.

Floor 1, `blobs`.

    s3://bucket/prefix     an S3-compatible bucket (`bucket.py`)
    a path                 a directory (`directory.py`)

Not here: where the setting comes from (`cli`).
"""

from __future__ import annotations

from pathlib import Path

from rewake.blobs.directory import DirectoryStore
from rewake.blobs.store import BlobStore
from rewake.errors import InvalidInput

_BUCKET = "s3://"


class BlobPlaceInvalid(InvalidInput):
    """The place for files cannot be read. Give a folder, or `s3://bucket/prefix`."""

    code = "FilePlaceInvalid"
    template = "Files cannot be kept in {place!r}. Give a folder, or s3://bucket/prefix."


def open_blobs(place: str, *, is_synced: bool = True) -> BlobStore:
    """The store at `place`; nothing is made or asked yet. A directory is synced unless nothing has to last.

    Raises:
        BlobPlaceInvalid: it is no place.
    """
    scheme, mark, rest = place.partition("://")
    if not mark:
        return DirectoryStore(Path(place), is_synced=is_synced)
    bucket, _, prefix = rest.partition("/")
    if f"{scheme}{mark}" != _BUCKET or not bucket:
        raise BlobPlaceInvalid(place=place)
    # Imported where it is wanted: a deployment without a bucket does not load the library.
    try:
        from rewake.blobs.bucket import BucketStore
    except ImportError as error:
        raise BlobPlaceInvalid(
            f"Files cannot be kept in {place!r}: {error}. Install what buckets need: pip install 'rewake[s3]'"
        ) from None

    return BucketStore(bucket, prefix.strip("/"))
