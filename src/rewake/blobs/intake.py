"""The intake: bytes of unknown length on their way into a blob, counted and digested.

Floor 1, `blobs`. What uploads over HTTP and `ctx.storage.store` share. Memory holds one piece at a time.

    Intake(store, key) -> add* -> finish -> Taken(sha256, size)       or abort

Not here: the documents around it (`database/files.py`).
"""

from __future__ import annotations

import base64
import hashlib

import msgspec

from rewake.blobs.store import PIECE_BYTES, BlobStore
from rewake.errors import InvalidInput


class ContentDiffers(InvalidInput):
    """The content is not what its digest says. It was damaged on the way; send it again."""

    code = "Sha256Mismatch"
    template = "Sha256 mismatch. Expected: {expected} Actual: {actual}"


class Taken(msgspec.Struct, frozen=True):
    """A blob that is durable."""

    key: str
    sha256: str
    """base64."""
    size: int


class Intake:
    """One blob on its way in. Blocks; used from one thread at a time."""

    def __init__(self, store: BlobStore, key: str) -> None:
        self._key = key
        self._writer = store.create(key)
        self._digest = hashlib.sha256()
        self._pending = bytearray()
        self.size = 0

    def add(self, data: bytes) -> bool:
        """Take bytes; True where enough are gathered that `flush`, which blocks, should follow."""
        self._pending += data
        self.size += len(data)
        return len(self._pending) >= PIECE_BYTES

    def flush(self) -> None:
        """Digest and write what was gathered."""
        data, self._pending = bytes(self._pending), bytearray()
        self._digest.update(data)
        self._writer.write(data)

    def finish(self, *, expected: str | None = None) -> Taken:
        """Make the blob durable. `expected` is the digest that it must have.

        Raises:
            ContentDiffers: it has another; abort it.
            BlobStoreFailed: abort it.
        """
        self.flush()
        actual = base64.b64encode(self._digest.digest()).decode()
        if expected is not None and expected != actual:
            raise ContentDiffers(expected=expected, actual=actual)
        self._writer.finish()
        return Taken(self._key, actual, self.size)

    def abort(self) -> None:
        """Throw it away. Never raises."""
        self._writer.abort()
