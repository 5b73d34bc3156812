"""`ctx.storage` as authors see it, with a host that the test plays itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rewake.functions import (
    ActionStorage,
    AsyncActionStorage,
    FileHead,
    StorageReader,
    StorageWriter,
    metadata_of,
)
from rewake.functions.storage import bytes_bound

SHA256 = "WZRHGrsBESr8wYFZ9sx0tPURuZgG2lmzyvWpwXPKz8U="
DOCUMENT = {"_id": "f1", "_creationTime": 1.0, "sha256": SHA256, "size": 5.0}
FACTS = {"id": "f1", "key": "k", "sha256": SHA256, "size": 5.0, "content_type": "text/plain"}


class Run:
    """A mutation's run."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []

    def file_url(self, id: str) -> str | None:
        return f"http://here/{id}" if id == "f1" else None

    def file_document(self, id: str) -> dict[str, Any] | None:
        return DOCUMENT if id == "f1" else None

    def upload_url(self, bytes_max: int) -> str:
        return f"http://here/upload?{bytes_max}"

    def delete_file(self, id: str) -> None:
        self.done.append(("delete", id))


class Action:
    """An action's run."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        self.done.append((name, arguments))
        if name == "facts":
            return FACTS if arguments["id"] == "f1" else None
        return name

    async def begin_ask(self, name: str, arguments: dict[str, Any]) -> Any:
        return self.ask(name, arguments)

    def store(self, data: Any, *, content_type: str | None, sha256: str | None) -> str:
        self.done.append(("store", (data, content_type, sha256)))
        return "f2"

    async def begin_store(self, data: Any, *, content_type: str | None, sha256: str | None) -> str:
        return self.store(data, content_type=content_type, sha256=sha256)

    def reading(self, facts: dict[str, Any]) -> tuple[FileHead, Callable[[], Iterator[bytes]]]:
        head = FileHead(facts["id"], facts["sha256"], int(facts["size"]), facts["content_type"])
        return head, lambda: iter([b"123", b"45"])


def test_a_query_reads_urls_and_metadata() -> None:
    storage = StorageReader(Run())
    assert storage.get_url("f1") == "http://here/f1"
    assert storage.get_url("f2") is None
    assert storage.get_metadata("f2") is None
    assert storage.get_metadata("f1") == {
        "storageId": "f1",
        "sha256": hashlib.sha256(b"12345").hexdigest(),
        "size": 5.0,
        "contentType": None,
    }


def test_metadata_names_the_type_where_there_is_one() -> None:
    assert metadata_of({**DOCUMENT, "contentType": "text/plain"})["contentType"] == "text/plain"


def test_a_mutation_makes_upload_urls_and_deletes() -> None:
    run = Run()
    storage = StorageWriter(run)
    assert storage.generate_upload_url() == "http://here/upload?0"
    assert storage.generate_upload_url(max_bytes=7) == "http://here/upload?7"
    storage.delete("f1")
    assert run.done == [("delete", "f1")]


@pytest.mark.parametrize("bound", [0, -1, True, 1.5, "7", 2**53])
def test_a_bound_is_a_number_of_bytes(bound: Any) -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        bytes_bound(bound)


def test_a_plain_action_waits_for_each() -> None:
    action = Action()
    storage = ActionStorage(action)
    assert storage.get_url("f1") == "url"
    assert storage.get_metadata("f1") == "metadata"
    assert storage.generate_upload_url(max_bytes=7) == "upload_url"
    storage.delete("f1")
    assert storage.store(b"12345", content_type="text/plain", sha256="s") == "f2"
    file = storage.get("f1")
    assert file is not None
    assert (file.id, file.size, file.sha256, file.content_type) == ("f1", 5, SHA256, "text/plain")
    assert (list(file), file.read()) == ([b"123", b"45"], b"12345")
    assert storage.get("f9") is None
    assert action.done[:5] == [
        ("url", {"id": "f1"}),
        ("metadata", {"id": "f1"}),
        ("upload_url", {"max_bytes": 7}),
        ("delete", {"id": "f1"}),
        ("store", (b"12345", "text/plain", "s")),
    ]


def test_an_async_action_awaits_each() -> None:
    async def story() -> None:
        storage = AsyncActionStorage(Action())
        assert await storage.get_url("f1") == "url"
        assert await storage.get_metadata("f1") == "metadata"
        assert await storage.generate_upload_url() == "upload_url"
        assert await storage.delete("f1") == "delete"
        assert await storage.store(b"12345") == "f2"
        file = await storage.get("f1")
        assert file is not None
        assert (file.id, file.size, file.sha256, file.content_type) == ("f1", 5, SHA256, "text/plain")
        assert [piece async for piece in file] == [b"123", b"45"]
        assert await file.read() == b"12345"
        assert await storage.get("f9") is None

    asyncio.run(story())
