"""Blobs: bytes by key, in a directory or in a bucket.

Floor 1. A blob is written once, from its beginning to its end, and is there when `finish` has returned:
durable, whole, and never changed again. What its bytes mean, who may have them and when they go is for
`files` above.

    open_blobs(place) -> BlobStore     create(key) -> write* -> finish | abort
                                       read(key, start=, stop=) -> pieces      size(key)      delete(key)

Everything blocks; whoever lives in an event loop calls it in a thread. Not here: documents about files
(`database/files.py`).
"""

from rewake.blobs.digests import InvalidDigest, sha256_of_header, sha256_of_text
from rewake.blobs.intake import ContentDiffers, Intake, Taken
from rewake.blobs.place import BlobPlaceInvalid, open_blobs
from rewake.blobs.store import BlobMissing, BlobStore, BlobStoreFailed, BlobWriter

__all__ = [
    "BlobMissing",
    "BlobPlaceInvalid",
    "BlobStore",
    "BlobStoreFailed",
    "BlobWriter",
    "ContentDiffers",
    "Intake",
    "InvalidDigest",
    "Taken",
    "open_blobs",
    "sha256_of_header",
    "sha256_of_text",
]
