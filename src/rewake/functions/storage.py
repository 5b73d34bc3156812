"""`ctx.storage`: files.

Floor 2, `functions`. A file is bytes that never change, with an id of the table `_storage` and a public URL.
In queries there are only its document and its URLs, never its bytes; in actions there are those too, and in
mutations as far as limits go.

    query       get_url, get_metadata
    mutation    + generate_upload_url, delete, store   (transactional), get
    action      the same, at once, and of any size

Not here: what is stored (`database/files.py`), bytes (`blobs`), uploads and downloads over HTTP (`files`).
Source: semantics 6.3, 6.8.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, Protocol

import msgspec

Content = bytes | bytearray | memoryview | Iterable[bytes]
"""What a plain `def` action stores: bytes, or pieces such as those of an open binary file."""
AsyncContent = Content | AsyncIterable[bytes]
"""What an `async def` action stores: pieces may also come from an asynchronous iterator."""


class FileHead(msgspec.Struct, frozen=True):
    """What is known of a file without its bytes."""

    id: str
    sha256: str
    """base64."""
    size: int
    content_type: str | None


class FilesHost(Protocol):
    """A query's or mutation's run, as its storage sees it."""

    def file_url(self, id: str) -> str | None:
        """The public URL of a file."""
        ...

    def file_document(self, id: str) -> dict[str, Any] | None:
        """The document of a file in `_storage`."""
        ...

    def upload_url(self, bytes_max: int) -> str:
        """A URL to send a file to; 0 is any size."""
        ...

    def delete_file(self, id: str) -> None:
        """Remove a file, in the run's transaction."""
        ...

    def store_file(self, data: Content, *, content_type: str | None, sha256: str | None) -> str:
        """Store a file, in the run's transaction; returns its id."""
        ...

    def reading_file(self, id: str) -> tuple[FileHead, Callable[[], Iterator[bytes]]] | None:
        """A file that is there, and how to read it."""
        ...


class ActionFilesHost(Protocol):
    """An action's run, as its storage sees it. Each way comes twice: to wait for, and to await."""

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """Call a system function about files, and wait."""
        ...

    def begin_ask(self, name: str, arguments: dict[str, Any]) -> Awaitable[Any]:
        """Call a system function about files."""
        ...

    def store(self, data: Content, *, content_type: str | None, sha256: str | None) -> str:
        """Store a file, in the thread of the action."""
        ...

    def begin_store(
        self, data: AsyncContent, *, content_type: str | None, sha256: str | None
    ) -> Awaitable[str]:
        """Store a file."""
        ...

    def reading(self, facts: dict[str, Any]) -> tuple[FileHead, Callable[[], Iterator[bytes]]]:
        """A file that was found, and how to read it."""
        ...


class StorageReader:
    """`ctx.storage` of a query."""

    def __init__(self, host: FilesHost) -> None:
        self._host = host

    def get_url(self, id: str, /) -> str | None:
        """The public URL of a file, or None where there is none (any more). It stays the same as long as the
        file is there, and whoever knows it can read the file.

        Raises:
            InvalidArgument: the id is not one of a file.
        """
        return self._host.file_url(id)

    def get_metadata(self, id: str, /) -> dict[str, Any] | None:
        """`{storageId, sha256 (hex), size, contentType}` of a file, or None. `ctx.db.system.get(id)` has the
        same, and is what new code should use.
        """
        document = self._host.file_document(id)
        return None if document is None else metadata_of(document)


class StorageWriter(StorageReader):
    """`ctx.storage` of a mutation."""

    def generate_upload_url(self, *, max_bytes: int | None = None) -> str:
        """A URL to which a client sends a file with POST, for an hour, as often as it likes; each time is
        another file. Give it only to those who may, and let `max_bytes` say how large a file may be.
        """
        return self._host.upload_url(bytes_bound(max_bytes))

    def delete(self, id: str, /) -> None:
        """Remove a file if this mutation commits; its URL then answers 404.

        Raises:
            InvalidArgument: there is no such file.
        """
        self._host.delete_file(id)

    def store(self, data: Content, /, *, content_type: str | None = None, sha256: str | None = None) -> str:
        """Store bytes, or pieces of them, as a file if this mutation commits; returns its id, an `Id` of the
        table `_storage`.

        All other mutations wait while the bytes are written, so this is for small files: limits bound them.
        A mutation may be run again from its beginning when it first stores.

        Raises:
            ContentDiffers: the bytes do not have the digest `sha256` (base64 or hex).
            LimitExceeded: too many files, or too many bytes, in one mutation.
        """
        return self._host.store_file(data, content_type=content_type, sha256=sha256)

    def get(self, id: str, /) -> StoredFile | None:
        """A file with its bytes, or None where there is none (any more).

        Raises:
            InvalidArgument: the id is not one of a file.
        """
        found = self._host.reading_file(id)
        return None if found is None else StoredFile(*found)


class _OpenedFile:
    def __init__(self, head: FileHead, opened: Callable[[], Iterator[bytes]]) -> None:
        self.id = head.id
        self.sha256 = head.sha256
        self.size = head.size
        self.content_type = head.content_type
        self._opened = opened


class StoredFile(_OpenedFile):
    """A file, in a mutation or a plain `def` action: `read()` it, or iterate over its pieces."""

    def __iter__(self) -> Iterator[bytes]:
        return self._opened()

    def read(self) -> bytes:
        """All of it, in memory."""
        return b"".join(self)


class AsyncStoredFile(_OpenedFile):
    """A file, in an `async def` action: `await file.read()`, or `async for piece in file`."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Not loaded with the package: who only declares functions needs no event loop.
        import asyncio

        pieces = self._opened()
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece

    async def read(self) -> bytes:
        """All of it, in memory."""
        return b"".join([piece async for piece in self])


class ActionStorage:
    """`ctx.storage` of a plain `def` action."""

    def __init__(self, host: ActionFilesHost) -> None:
        self._host = host

    def get_url(self, id: str, /) -> str | None:
        """See `StorageReader.get_url`."""
        url: str | None = self._host.ask("url", {"id": id})
        return url

    def get_metadata(self, id: str, /) -> dict[str, Any] | None:
        """See `StorageReader.get_metadata`."""
        metadata: dict[str, Any] | None = self._host.ask("metadata", {"id": id})
        return metadata

    def generate_upload_url(self, *, max_bytes: int | None = None) -> str:
        """See `StorageWriter.generate_upload_url`."""
        return str(self._host.ask("upload_url", {"max_bytes": bytes_bound(max_bytes)}))

    def delete(self, id: str, /) -> None:
        """Remove a file, at once."""
        self._host.ask("delete", {"id": id})

    def store(self, data: Content, /, *, content_type: str | None = None, sha256: str | None = None) -> str:
        """Store bytes, or pieces of them, as a file; returns its id, an `Id` of the table `_storage`. It is
        there, durable, when this returns; or not at all.

        Raises:
            ContentDiffers: the bytes do not have the digest `sha256` (base64 or hex).
        """
        return self._host.store(data, content_type=content_type, sha256=sha256)

    def get(self, id: str, /) -> StoredFile | None:
        """A file with its bytes, or None where there is none (any more)."""
        facts = self._host.ask("facts", {"id": id})
        return None if facts is None else StoredFile(*self._host.reading(facts))


class AsyncActionStorage:
    """`ctx.storage` of an `async def` action: as `ActionStorage`, to be awaited."""

    def __init__(self, host: ActionFilesHost) -> None:
        self._host = host

    def get_url(self, id: str, /) -> Awaitable[str | None]:
        """See `StorageReader.get_url`."""
        return self._host.begin_ask("url", {"id": id})

    def get_metadata(self, id: str, /) -> Awaitable[dict[str, Any] | None]:
        """See `StorageReader.get_metadata`."""
        return self._host.begin_ask("metadata", {"id": id})

    def generate_upload_url(self, *, max_bytes: int | None = None) -> Awaitable[str]:
        """See `StorageWriter.generate_upload_url`."""
        return self._host.begin_ask("upload_url", {"max_bytes": bytes_bound(max_bytes)})

    def delete(self, id: str, /) -> Awaitable[None]:
        """See `ActionStorage.delete`."""
        return self._host.begin_ask("delete", {"id": id})

    def store(
        self, data: AsyncContent, /, *, content_type: str | None = None, sha256: str | None = None
    ) -> Awaitable[str]:
        """See `ActionStorage.store`."""
        return self._host.begin_store(data, content_type=content_type, sha256=sha256)

    async def get(self, id: str, /) -> AsyncStoredFile | None:
        """See `ActionStorage.get`."""
        facts = await self._host.begin_ask("facts", {"id": id})
        return None if facts is None else AsyncStoredFile(*self._host.reading(facts))


def metadata_of(document: dict[str, Any]) -> dict[str, Any]:
    """What `get_metadata` says of a document of `_storage`."""
    return {
        "storageId": document["_id"],
        "sha256": base64.b64decode(document["sha256"]).hex(),
        "size": document["size"],
        "contentType": document.get("contentType"),
    }


def bytes_bound(max_bytes: int | None) -> int:
    """A bound on the size of an upload as it is passed on: 0 where there is none."""
    if max_bytes is None:
        return 0
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or not 0 < max_bytes < 2**53:
        raise ValueError(f"max_bytes is a number of bytes above 0; got {max_bytes!r}")
    return max_bytes
