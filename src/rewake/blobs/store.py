"""What a blob store is, and what goes wrong with it.

Floor 1, `blobs`. Two make it true: a directory of this machine (`directory.py`) and a bucket of an object
store that speaks S3 (`bucket.py`); one suite tests both. Not here: which one a deployment has (`place.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rewake.errors import Unavailable

PIECE_BYTES = 1 << 20
"""About how much of a blob is in memory at a time, for each that is read or written."""


class BlobStoreFailed(Unavailable):
    """The place where files are kept does not answer, or is full. Nothing was lost; try again."""

    code = "FileStoreFailed"
    template = "The file store failed: {detail}"


class BlobMissing(Unavailable):
    """A file's document is there and its bytes are not. Restore them from a backup, or delete the file."""

    code = "FileContentMissing"
    template = "The content of this file is missing from the file store (blob {key}{detail})."


class BlobWriter(Protocol):
    """A blob on its way in. Ends with `finish` or `abort`."""

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            BlobStoreFailed: abort it.
        """
        ...

    def finish(self) -> None:
        """Make it durable, and there for everybody. It is there, whole, or not at all.

        Raises:
            BlobStoreFailed: abort it.
        """
        ...

    def abort(self) -> None:
        """Throw away what was written. Never raises."""
        ...


class BlobStore(Protocol):
    """Bytes by key. May be used from any thread."""

    def create(self, key: str) -> BlobWriter:
        """Begin a blob under a key that was never used.

        Raises:
            BlobStoreFailed: nothing was begun.
        """
        ...

    def size(self, key: str) -> int:
        """How many bytes it has.

        Raises:
            BlobMissing, BlobStoreFailed.
        """
        ...

    def read(self, key: str, *, start: int = 0, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in pieces of about `PIECE_BYTES`.

        Raises:
            BlobMissing: before the first piece, or where it ends too early.
            BlobStoreFailed: anywhere.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove a blob, and what a writer may have left of it; harmless where there is none.

        Raises:
            BlobStoreFailed: it may still be there.
        """
        ...
