"""Files in actions: what the house is asked, and what becomes of the bytes."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake.blobs import BlobMissing, BlobStore, ContentDiffers, InvalidDigest, open_blobs
from rewake.execution.action_files import ActionFiles
from rewake.execution.calls import FunctionCall

KEY = "0b5f4d6e-0000-4000-8000-00000000000a"
SHA256 = "WZRHGrsBESr8wYFZ9sx0tPURuZgG2lmzyvWpwXPKz8U="
"""Of `12345`."""


class Run:
    """An action's run whose house the test plays."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask_house(self, call: FunctionCall) -> Any:
        name = call.path.removeprefix("_system/files:")
        self.asked.append((name, json.loads(call.args)))
        return {"begin": KEY, "commit": "f1"}.get(name)

    def begin_ask_house(self, call: FunctionCall, *, name: str) -> Awaitable[Any]:
        assert name == call.path.replace("_system/files:", "storage.")

        async def answer() -> Any:
            return self.ask_house(call)

        return answer()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return open_blobs(str(tmp_path))


def store(run: Run, blobs: BlobStore, data: Any, *, is_async: bool, sha256: str | None = None) -> str:
    files = ActionFiles(run, blobs=lambda: blobs)
    if is_async:
        return asyncio.run(files.begin_store(data, content_type="text/plain", sha256=sha256))
    return files.store(data, content_type="text/plain", sha256=sha256)


def pieces() -> Iterator[bytes]:
    yield b"123"
    yield b"45"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "made", [lambda: b"12345", lambda: bytearray(b"12345"), pieces, lambda: io.BytesIO(b"12345")]
)
def test_bytes_and_pieces_become_a_blob_and_then_a_file(blobs: BlobStore, made: Any, is_async: bool) -> None:
    run = Run()
    assert store(run, blobs, made(), is_async=is_async, sha256=SHA256) == "f1"
    assert b"".join(blobs.read(KEY, stop=5)) == b"12345"
    assert run.asked == [
        ("begin", {}),
        ("commit", {"key": KEY, "sha256": SHA256, "size": 5.0, "content_type": "text/plain"}),
    ]


def test_pieces_may_come_asynchronously(blobs: BlobStore) -> None:
    async def later() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    assert store(Run(), blobs, later(), is_async=True) == "f1"
    assert b"".join(blobs.read(KEY, stop=5)) == b"12345"


@pytest.mark.parametrize("is_async", [False, True])
def test_what_goes_wrong_in_the_middle_leaves_nothing(blobs: BlobStore, is_async: bool) -> None:
    def breaks() -> Iterator[bytes]:
        yield b"123"
        raise ZeroDivisionError

    for data, sha256, error in ((breaks(), None, ZeroDivisionError), (b"other", SHA256, ContentDiffers)):
        run = Run()
        with pytest.raises(error):
            store(run, blobs, data, is_async=is_async, sha256=sha256)
        assert [name for name, _ in run.asked] == ["begin", "doom"]
        with pytest.raises(BlobMissing):
            blobs.size(KEY)


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_no_content_is_refused_before_anything_is_begun(blobs: BlobStore, is_async: bool) -> None:
    for data in ("text", 7, None):
        run = Run()
        with pytest.raises(TypeError, match="A file is stored from bytes"):
            store(run, blobs, data, is_async=is_async)
        assert run.asked == []
    run = Run()
    with pytest.raises(InvalidDigest):
        store(run, blobs, b"12345", is_async=is_async, sha256="nonsense")
    assert run.asked == []
    with pytest.raises(TypeError, match="pieces of bytes; got str"):
        store(run, blobs, iter(["text"]), is_async=is_async)


def test_reading_gives_the_pieces_each_time_anew(blobs: BlobStore) -> None:
    run = Run()
    store(run, blobs, b"12345", is_async=False)
    facts = {"id": "f1", "key": KEY, "sha256": SHA256, "size": 5.0, "content_type": None}
    head, opened = ActionFiles(run, blobs=lambda: blobs).reading(facts)
    assert (head.id, head.size, head.sha256, head.content_type) == ("f1", 5, SHA256, None)
    assert b"".join(opened()) == b"".join(opened()) == b"12345"
