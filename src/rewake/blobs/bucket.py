"""A bucket of an S3-compatible object store as a blob store, through `obstore`.

Floor 1, `blobs`. Large blobs go up in parts, of which few are in memory; an upload that is not finished is no
object. What a crash leaves of one is for the bucket's own rule (`AbortIncompleteMultipartUpload`), which
every such store has.

Keys, region, endpoint and the rest come from the variables that every S3 tool reads (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, ...). The library starts threads with its first
request, so a store is made in the process that uses it, after forking.

Not here: directories (`directory.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from rewake.blobs.store import PIECE_BYTES, BlobMissing, BlobStoreFailed, BlobWriter

_PART_BYTES = 8 << 20
"""At most 10,000 parts make an object, so at most about 80 GB."""
_PARTS_AT_ONCE = 2
_RETRY_SECONDS = 20


class BucketStore:
    """Blobs as objects of one bucket, below `prefix`. Implements `BlobStore`."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        options = {"endpoint": endpoint} if endpoint else {}
        with _failures():
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                client_options={"allow_http": bool(endpoint and endpoint.startswith("http:"))},
                retry_config={"retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
                **options,  # type: ignore[arg-type]
            )

    def create(self, key: str) -> BlobWriter:
        """See `BlobStore.create`."""
        with _failures():
            return _ObjectWriter(self._store, key)

    def size(self, key: str) -> int:
        """See `BlobStore.size`."""
        with _failures(key):
            return int(obstore.head(self._store, key)["size"])

    def read(self, key: str, *, start: int = 0, stop: int) -> Iterator[bytes]:
        """See `BlobStore.read`."""
        with _failures(key):
            if start >= stop:
                obstore.head(self._store, key)
                return
            at = start
            got = obstore.get(self._store, key, options={"range": (start, stop)})
            for piece in got.stream(min_chunk_size=PIECE_BYTES):
                at += len(piece)
                yield bytes(piece)
            if at < stop:
                raise BlobMissing(key=key, detail=f": it ends at byte {at}, before {stop}")

    def delete(self, key: str) -> None:
        """See `BlobStore.delete`."""
        with _failures(), suppress(FileNotFoundError):
            obstore.delete(self._store, key)


class _ObjectWriter:
    """Implements `BlobWriter`."""

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._key = key
        self._writer = obstore.open_writer(
            store, key, buffer_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
        )
        self._is_finished = False

    def write(self, data: bytes) -> None:
        with _failures():
            self._writer.write(data)

    def finish(self) -> None:
        with _failures():
            self._writer.close()
            self._is_finished = True

    def abort(self) -> None:
        # Without `close` there is no object; the parts go by the bucket's own rule.
        if self._is_finished:
            with suppress(BaseError, OSError):
                obstore.delete(self._store, self._key)


@contextmanager
def _failures(key: str | None = None) -> Iterator[None]:
    """Errors of the library as those of a blob store; an object that is not there is one where a `key` is
    given.
    """
    try:
        yield
    except FileNotFoundError as error:
        if key is None:
            raise BlobStoreFailed(detail=_first_line(error)) from error
        raise BlobMissing(key=key, detail="") from None
    except (BaseError, OSError, ValueError) as error:
        if key is not None and "range" in str(error).lower() and "416" in str(error):
            raise BlobMissing(key=key, detail=": it is shorter than it should be") from None
        raise BlobStoreFailed(detail=_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:300]
