"""Files in actions: bytes go straight between the action and the blob store.

Floor 3, `execution`. Not through the front process, which would only carry them: an action has a process and
threads of its own, and the blob store is there for each.

    store: begin (a commit) -> Intake in pieces -> durable -> commit -> id
    get:   facts (a read)   -> pieces of the blob

An action that ends in the middle leaves bytes that no file has; sweeping finds them.

Not here: uploads over HTTP (`files`), documents (`file_functions.py`).
Source: semantics 6.8.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from rewake.blobs import BlobStore, Intake, Taken, sha256_of_text
from rewake.execution.calls import FunctionCall
from rewake.execution.typed_calls import system_call
from rewake.functions import AsyncContent, Content, FileHead

_PIECE_BYTES = 1 << 20


class AsksHouse(Protocol):
    """A run of an action that can call system functions."""

    def ask_house(self, call: FunctionCall) -> Any: ...
    def begin_ask_house(self, call: FunctionCall, *, name: str) -> Awaitable[Any]: ...


class ActionFiles:
    """Files as one action reaches them. Implements `functions.ActionFilesHost`."""

    def __init__(self, run: AsksHouse, *, blobs: Callable[[], BlobStore]) -> None:
        self._run = run
        self._blobs = blobs

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """See `ActionFilesHost.ask`."""
        return self._run.ask_house(system_call(f"files:{name}", arguments))

    def begin_ask(self, name: str, arguments: dict[str, Any]) -> Awaitable[Any]:
        """See `ActionFilesHost.begin_ask`."""
        return self._run.begin_ask_house(system_call(f"files:{name}", arguments), name=f"storage.{name}")

    def store(self, data: Content, *, content_type: str | None, sha256: str | None) -> str:
        """See `ActionFilesHost.store`."""
        expected = None if sha256 is None else sha256_of_text(sha256)
        pieces = pieces_of(data)
        key = str(self.ask("begin", {}))
        intake = Intake(self._blobs(), key)
        try:
            for piece in pieces:
                if intake.add(piece):
                    intake.flush()
            taken = intake.finish(expected=expected)
        except BaseException:
            intake.abort()
            with suppress(Exception):
                self.ask("doom", {"key": key})
            raise
        # From here on the bytes may be a file's, whatever becomes of us.
        return str(self.ask("commit", _committing(taken, content_type)))

    async def begin_store(self, data: AsyncContent, *, content_type: str | None, sha256: str | None) -> str:
        """See `ActionFilesHost.begin_store`."""
        expected = None if sha256 is None else sha256_of_text(sha256)
        pieces = _pieces_later(data)
        key = str(await self.begin_ask("begin", {}))
        intake = await asyncio.to_thread(lambda: Intake(self._blobs(), key))
        try:
            async for piece in pieces:
                if intake.add(piece):
                    await asyncio.to_thread(intake.flush)
            taken = await asyncio.to_thread(lambda: intake.finish(expected=expected))
        except BaseException:
            intake.abort()
            with suppress(Exception):
                await self.begin_ask("doom", {"key": key})
            raise
        return str(await self.begin_ask("commit", _committing(taken, content_type)))

    def reading(self, facts: dict[str, Any]) -> tuple[FileHead, Callable[[], Iterator[bytes]]]:
        """See `ActionFilesHost.reading`."""
        key, size = str(facts["key"]), int(facts["size"])
        head = FileHead(str(facts["id"]), str(facts["sha256"]), size, facts["content_type"])
        return head, lambda: self._blobs().read(key, stop=size)


def _committing(taken: Taken, content_type: str | None) -> dict[str, Any]:
    return {
        "key": taken.key,
        "sha256": taken.sha256,
        "size": float(taken.size),
        "content_type": content_type,
    }


def pieces_of(data: Content) -> Iterator[bytes]:
    """Content as pieces; refused before anything is begun where it is none."""
    if isinstance(data, bytes | bytearray | memoryview):
        view = memoryview(data).cast("B")
        return (bytes(view[at : at + _PIECE_BYTES]) for at in range(0, len(view), _PIECE_BYTES))
    what: object = data
    if isinstance(what, str) or not isinstance(data, Iterable):
        raise TypeError(
            f"A file is stored from bytes, or from an iterable of bytes; got {type(what).__name__}"
        )
    return _checked(data)


def _checked(pieces: Iterable[Any]) -> Iterator[bytes]:
    for piece in pieces:
        yield _bytes(piece)


def _pieces_later(data: AsyncContent) -> AsyncIterator[bytes]:
    if isinstance(data, AsyncIterable):
        return _awaited(data)
    return _in_turn(pieces_of(data))


async def _awaited(data: AsyncIterable[Any]) -> AsyncIterator[bytes]:
    async for piece in data:
        yield _bytes(piece)


async def _in_turn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # An open file is an iterator too, and reading it blocks.
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _bytes(piece: object) -> bytes:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise TypeError(f"A file is stored from pieces of bytes; got {type(piece).__name__}")
    return bytes(piece)
