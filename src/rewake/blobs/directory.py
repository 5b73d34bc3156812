"""A directory as a blob store.

Floor 1, `blobs`. A blob grows in `incoming/`, is synced, and moves to its place in one step, so a crash
leaves it whole or under `incoming`, where `delete` finds it too.

    incoming/{key} -> fsync -> rename -> {first two letters}/{key} -> fsync of both directories

The directories are made by the first blob. Not here: buckets (`bucket.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rewake.blobs.store import PIECE_BYTES, BlobMissing, BlobStoreFailed, BlobWriter
from rewake.environment import sync_directory

_INCOMING = "incoming"


class DirectoryStore:
    """Blobs as files below one directory. Implements `BlobStore`."""

    def __init__(self, root: Path, *, is_synced: bool = True) -> None:
        self._root = root
        self._is_synced = is_synced

    def create(self, key: str) -> BlobWriter:
        """See `BlobStore.create`."""
        with _failures():
            return _FileWriter(self._incoming(key), self._path(key), is_synced=self._is_synced)

    def size(self, key: str) -> int:
        """See `BlobStore.size`."""
        with _failures(key):
            return self._path(key).stat().st_size

    def read(self, key: str, *, start: int = 0, stop: int) -> Iterator[bytes]:
        """See `BlobStore.read`."""
        with _failures(key), self._path(key).open("rb", buffering=0) as file:
            file.seek(start)
            while start < stop:
                piece = file.read(min(PIECE_BYTES, stop - start))
                if not piece:
                    raise BlobMissing(key=key, detail=f": it ends at byte {start}, before {stop}")
                start += len(piece)
                yield piece

    def delete(self, key: str) -> None:
        """See `BlobStore.delete`."""
        with _failures():
            for path in (self._incoming(key), self._path(key)):
                path.unlink(missing_ok=True)

    def _incoming(self, key: str) -> Path:
        return self._root / _INCOMING / key

    def _path(self, key: str) -> Path:
        assert key.replace("-", "").isalnum(), "keys are made by the house"
        return self._root / key[:2] / key


class _FileWriter:
    """Implements `BlobWriter`."""

    def __init__(self, incoming: Path, path: Path, *, is_synced: bool) -> None:
        self._incoming = incoming
        self._path = path
        self._is_synced = is_synced
        for parent in (incoming.parent, path.parent):
            if not parent.is_dir():
                parent.mkdir(parents=True, exist_ok=True)
                self._sync_directory(parent.parent)
        self._file = incoming.open("wb", buffering=0)

    def write(self, data: bytes) -> None:
        with _failures():
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]

    def finish(self) -> None:
        with _failures():
            if self._is_synced:
                os.fsync(self._file.fileno())
            self._file.close()
            self._incoming.rename(self._path)
            self._sync_directory(self._path.parent)

    def abort(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._incoming.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)

    def _sync_directory(self, directory: Path) -> None:
        if self._is_synced:
            sync_directory(directory)


@contextmanager
def _failures(key: str | None = None) -> Iterator[None]:
    """Errors of the disk as those of a blob store; a file that is not there is one where a `key` is given."""
    try:
        yield
    except FileNotFoundError as error:
        if key is None:
            raise BlobStoreFailed(detail=str(error)) from error
        raise BlobMissing(key=key, detail="") from None
    except OSError as error:
        raise BlobStoreFailed(detail=error.strerror or str(error)) from error
