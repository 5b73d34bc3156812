"""The files of one deployment, as its front process sees them.

Floor 4, `files`. Bytes pass through in pieces of about a megabyte; whoever sends or takes them slowly holds
one.

    receive: token -> begin (a commit) -> pieces to the store, in threads -> durable -> commit -> id
    read:    pieces from the store, in threads; the last one only where the digest is right
    sweep:   doom what a server from before began, or was begun long ago; remove bytes of what is doomed;
             forget it; each step is a commit or can be done again

A crash anywhere leaves a document that the next sweep meets: see `database/files.py`.

Not here: HTTP (`http_api/files.py`), which answer to give (`answers.py`), actions
(`execution/action_files.py`). Source: semantics 6.8; wire 4.5.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from rewake.auth import UploadSeal
from rewake.blobs import BlobStore, BlobStoreFailed, Intake, Taken, sha256_of_header
from rewake.database import (
    FileFacts,
    UploadLost,
    doomed_blobs,
    file_of_id,
    file_of_key,
    has_stale_blobs,
)
from rewake.environment import Environment
from rewake.errors import INTERNAL_MESSAGE, Internal, InvalidInput, RewakeError, Unavailable
from rewake.execution import Failure, Success
from rewake.limits import Limits
from rewake.observability import logger
from rewake.storage import Reads
from rewake.tallies import Tallies
from rewake.values import decode_stored, encode

T = TypeVar("T")

_log = logger(__name__)

_STEP = 100
_STALE_GRACE_SECONDS = 3600.0
"""Beside the longest time that an upload or an action may take: clocks jump."""
_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{1,255}")


class FileTooLarge(RewakeError):
    """The file is larger than its upload URL allows."""

    code, status = "FileTooLarge", 413
    template = "The file is larger than the {limit} bytes that this upload URL allows."


class UploadTooSlow(RewakeError):
    """The upload did not end within its time. Send the file again, over a better connection."""

    code, status = "UploadTimedOut", 408
    template = "The upload did not end within {seconds:g} s."


class BadContentType(InvalidInput):
    """The Content-Type of an upload is no header value."""

    code = "InvalidContentType"
    template = "The Content-Type of a file is up to 255 printable ASCII characters."


class FileContentDamaged(Unavailable):
    """The bytes of a file are not those that were stored. Restore them from a backup, or delete the file."""

    code = "FileContentDamaged"
    template = "The content of this file is damaged in the file store (blob {key}: {detail})."


class House(Protocol):
    """What files need of a deployment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def limits(self) -> Limits: ...

    async def read(self, work: Callable[[Reads], T]) -> T:
        """Run a short read of the latest snapshot."""
        ...

    async def run_system(self, path: str, args: str) -> Success | Failure:
        """Run a system mutation."""
        ...


class Files:
    """The files of one deployment. Used in its event loop."""

    def __init__(
        self,
        house: House,
        *,
        uploads: UploadSeal,
        blobs: Callable[[], BlobStore],
        tallies: Tallies | None = None,
    ) -> None:
        self._house = house
        self._tallies = tallies or Tallies()
        self.uploads = uploads
        """Signs and checks upload URLs."""
        self._blobs = blobs
        # What was on its way before went down with the server from before.
        self._opened_ms = house.environment.clock.now_ns() / 1e6

    # In.

    async def receive(
        self,
        pieces: AsyncIterator[bytes],
        *,
        token: str,
        content_type: str | None,
        digest: str | None,
        announced: int | None = None,
    ) -> str:
        """Take an upload; returns the id of the new file, whose bytes are durable.

        `digest` is the `Digest` header, `announced` the size that the sender says it has.

        Raises:
            StorageTokenInvalid, StorageTokenExpired, InvalidDigest, BadContentType, FileTooLarge: nothing was
            read.
            ContentDiffers, UploadTooSlow, BlobStoreFailed, FileTooLarge: there is no new file.
        """
        grant = self.uploads.open(token, now_ms=self._house.environment.clock.now_ns() / 1e6)
        expected = sha256_of_header(digest)
        bytes_max = grant.bytes_max or None
        if bytes_max is not None and announced is not None and announced > bytes_max:
            raise FileTooLarge(limit=bytes_max)
        seconds = self._house.limits.upload_seconds_max
        try:
            async with asyncio.timeout(seconds):
                return await self.take(
                    pieces, content_type=content_type, expected=expected, bytes_max=bytes_max
                )
        except TimeoutError:
            raise UploadTooSlow(seconds=seconds) from None

    async def hold(self, pieces: Iterator[bytes], *, wanted_key: str | None, expected: str | None) -> Taken:
        """Make bytes durable that are to become a file later, by somebody else. They lie
        under `wanted_key` where that is free.

        Raises:
            ContentDiffers, BlobStoreFailed: nothing is kept.
        """
        key = str(await self._run("begin", wanted_key=wanted_key))
        try:
            return await asyncio.to_thread(self._hold, key, pieces, expected)
        except BaseException:
            with suppress(Exception):
                await asyncio.shield(self._run("doom", key=key))
            raise

    def _hold(self, key: str, pieces: Iterator[bytes], expected: str | None) -> Taken:
        intake = Intake(self._blobs(), key)
        try:
            for piece in pieces:
                if intake.add(piece):
                    intake.flush()
            return intake.finish(expected=expected)
        except BaseException:
            intake.abort()
            raise

    async def let_go(self, keys: list[str]) -> None:
        """Give up bytes that were held."""
        await self._run("give_up", keys=keys)

    async def take(
        self,
        pieces: AsyncIterator[bytes],
        *,
        content_type: str | None,
        expected: str | None = None,
        bytes_max: int | None = None,
    ) -> str:
        """Store a file; returns its id. `expected` is the digest that it must have, as base64.

        Raises:
            BadContentType, FileTooLarge, ContentDiffers, BlobStoreFailed: there is no new file.
        """
        if content_type is not None and not _CONTENT_TYPE.fullmatch(content_type):
            raise BadContentType()
        reach = self._house.environment.reach
        key = str(await self._run("begin", wanted_key=None))
        reach("files.after_begin")
        intake = await asyncio.to_thread(lambda: Intake(self._blobs(), key))
        try:
            async for piece in pieces:
                is_full = intake.add(piece)
                if bytes_max is not None and intake.size > bytes_max:
                    raise FileTooLarge(limit=bytes_max)
                if is_full:
                    await asyncio.to_thread(intake.flush)
            reach("files.before_durable")
            taken = await asyncio.to_thread(lambda: intake.finish(expected=expected))
        except BaseException:
            intake.abort()
            # Sooner than the sweep would; where this fails too, the sweep does it.
            with suppress(Exception):
                await asyncio.shield(self._run("doom", key=key))
            raise
        reach("files.before_commit")
        # From here on the bytes may be a file's, whatever becomes of us.
        arguments = {"sha256": taken.sha256, "size": float(taken.size), "content_type": content_type}
        try:
            id = str(await self._run("commit", key=key, **arguments))
        except UploadTooSlow:
            # A sweep had given it up: nobody else knows of these bytes any more.
            await asyncio.to_thread(intake.abort)
            raise
        self._tallies.file_bytes_received += taken.size
        reach("files.after_commit")
        return id

    # Out.

    async def find(self, key: str) -> FileFacts | None:
        """The file with this public name."""
        return await self._house.read(lambda reads: file_of_key(reads, key))

    async def find_id(self, id: str) -> FileFacts | None:
        """The file with this id."""
        return await self._house.read(lambda reads: file_of_id(reads, id))

    async def read(self, file: FileFacts, *, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `stop`.

        The first piece is there when this returns, so what is missing is an error and not half an answer.
        Where the whole file is read, its last piece comes only if all have the digest they should have.

        Raises:
            BlobMissing, FileContentDamaged, BlobStoreFailed: here or between pieces.
        """
        pieces = self._checked(file, start, stop)
        first = await asyncio.to_thread(next, pieces, None)
        self._tallies.file_bytes_sent += stop - start
        return _later(first, pieces)

    def _checked(self, file: FileFacts, start: int, stop: int) -> Iterator[bytes]:
        store = self._blobs()
        size = store.size(file.key)
        if size != file.size:
            raise FileContentDamaged(key=file.key, detail=f"{size} bytes instead of {file.size}")
        pieces = store.read(file.key, start=start, stop=stop)
        if (start, stop) != (0, file.size):
            yield from pieces
            return
        digest, held = hashlib.sha256(), b""
        for piece in pieces:
            if held:
                yield held
            digest.update(piece)
            held = piece
        if base64.b64encode(digest.digest()).decode() != file.sha256:
            _log.error("the content of the file %s is damaged (blob %s)", file.id, file.key)
            raise FileContentDamaged(key=file.key, detail="its digest is another")
        if held:
            yield held

    # Away.

    async def sweep(self) -> int:
        """Remove bytes that no file has, for a while; returns how many blobs."""
        now_ms = self._house.environment.clock.now_ns() / 1e6
        before_ms = max(self._opened_ms, now_ms - self._stale_ms)
        if await self._house.read(lambda reads: has_stale_blobs(reads, before_ms=before_ms)):
            await self._run("doom_stale", before_ms=before_ms, limit=float(_STEP))
        keys = await self._house.read(lambda reads: doomed_blobs(reads, limit=_STEP))
        gone: list[str] = []
        try:
            for key in keys:
                self._house.environment.reach("files.before_remove")
                await asyncio.to_thread(self._blobs().delete, key)
                gone.append(key)
        except BlobStoreFailed as error:
            _log.warning("bytes of deleted files cannot be removed, which is tried again: %s", error.message)
        if gone:
            self._house.environment.reach("files.before_forget")
            await self._run("forget", keys=gone)
        return len(gone)

    @property
    def _stale_ms(self) -> float:
        limits = self._house.limits
        longest = max(limits.upload_seconds_max, limits.action_seconds_max)
        return (longest + _STALE_GRACE_SECONDS) * 1e3

    async def _run(self, name: str, **arguments: Any) -> Any:
        result = await self._house.run_system(f"_system/files:{name}", encode(arguments))
        if isinstance(result, Failure):
            if UploadLost.template in result.message:
                raise UploadTooSlow(seconds=self._house.limits.upload_seconds_max)
            _log.error("the system function files:%s failed: %s", name, result.message)
            raise Internal(INTERNAL_MESSAGE)
        return decode_stored(result.value)


async def _later(first: bytes | None, rest: Iterator[bytes]) -> AsyncIterator[bytes]:
    piece = first
    while piece is not None:
        yield piece
        piece = await asyncio.to_thread(next, rest, None)
