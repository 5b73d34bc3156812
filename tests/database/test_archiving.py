"""Archives of everything: read back with the standard library, under writers, with files."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.blobs import BlobStore, Intake, open_blobs
from rewake.database import (
    PastTables,
    begin_blob,
    commit_file,
    delete_file,
)
from rewake.database.archiving import ArchivedFileDamaged, write_archive
from rewake.values import Int64, Value, encode
from tests.database.world import World
from tests.values.strategies import documents

KEY = "0b9a7f2e-1111-4222-8333-444455556666"


def archive_of(world: World, blobs: BlobStore | None = None, on_rows: Any = None) -> zipfile.ZipFile:
    past, file = PastTables(world.database.reader()), io.BytesIO()
    try:
        write_archive(past, blobs, file, on_rows=on_rows or (lambda done, total: None))
    finally:
        past.close()
    return zipfile.ZipFile(file)


def lines(archive: zipfile.ZipFile, name: str) -> list[str]:
    # Not `splitlines`: a text may hold U+2028, and a line ends with a newline only.
    *found, rest = archive.read(name).decode().split("\n")
    assert rest == ""
    return found


def value_of_export(text: str) -> Value:
    """A value as `export_json` says it: what an importer does, written anew."""

    def revive(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"$bytes"}:
                return base64.b64decode(value["$bytes"])
            if set(value) == {"$float"}:
                import struct

                return struct.unpack("<d", base64.b64decode(value["$float"]))[0]
            return {name: revive(field) for name, field in value.items()}
        if isinstance(value, list):
            return [revive(element) for element in value]
        return value

    revived: Value = revive(json.loads(text, parse_int=lambda digits: Int64(int(digits)), parse_float=float))
    return revived


@settings(max_examples=80, deadline=None)
@given(st.lists(documents(), max_size=3))
def test_every_value_survives(stored: list[dict[str, Value]]) -> None:
    world = World()
    fields = [{name: each[name] for name in each if name not in ("_id", "_creationTime")} for each in stored]
    try:
        world.insert("notes", {"first": True}, *fields)
        archive = archive_of(world)
        found = [value_of_export(line) for line in lines(archive, "notes/documents.jsonl")]
        assert len(found) == 1 + len(fields)
        for document, wanted in zip(found[1:], fields, strict=True):
            assert isinstance(document, dict)
            assert isinstance(document.pop("_id"), str)
            assert isinstance(document.pop("_creationTime"), float)
            assert encode(document) == encode(wanted)
    finally:
        world.close()


def test_the_layout_is_the_official_one(world: World) -> None:
    world.insert("notes", {"n": 1.0, "big": Int64(7), "nan": math.nan})
    world.insert("empty", {"n": 1.0})
    world.mutate(lambda tx: [tx.delete(id) for id in ids_of(tx, "empty")])
    archive = archive_of(world)
    assert archive.namelist() == [
        "README.md",
        "_tables/documents.jsonl",
        "empty/documents.jsonl",
        "empty/generated_schema.jsonl",
        "notes/documents.jsonl",
        "notes/generated_schema.jsonl",
    ]
    assert lines(archive, "notes/generated_schema.jsonl") == ['"uniform"']
    assert lines(archive, "empty/documents.jsonl") == []
    (line,) = lines(archive, "notes/documents.jsonl")
    assert '"big":7,' in line
    assert '"n":1.0,' in line
    assert '"nan":{"$float":"AAAAAAAA+H8="}' in line
    numbers = [json.loads(line) for line in lines(archive, "_tables/documents.jsonl")]
    assert numbers == [{"id": 10_002, "name": "empty"}, {"id": 10_001, "name": "notes"}]
    assert all("." not in line.partition('"id":')[2] for line in lines(archive, "_tables/documents.jsonl"))


def ids_of(tx: Any, table: str) -> list[str]:
    from tests.database.world import query

    return [json.loads(text)["_id"] for text in tx.scan(query(table))]


def test_an_archive_under_writers_is_one_snapshot(world: World) -> None:
    ids = world.insert("accounts", *({"balance": 100.0} for _ in range(700)))
    world.insert("zlog", {"n": 0.0})
    rounds = 0

    def transfer(done: int, total: int) -> None:
        # After each page, money goes from an account that is written to one that is not yet.
        nonlocal rounds
        rounds += 1
        first, last = ids[rounds], ids[-rounds]

        def body(tx: Any) -> None:
            tx.patch(first, {"balance": 0.0})
            tx.patch(last, {"balance": 200.0})
            tx.insert("zlog", {"n": float(rounds)})

        world.mutate(body)

    archive = archive_of(world, on_rows=transfer)
    assert rounds >= 6
    balances = [json.loads(line)["balance"] for line in lines(archive, "accounts/documents.jsonl")]
    assert sum(balances) == 70_000
    assert set(balances) == {100.0}
    assert len(lines(archive, "zlog/documents.jsonl")) == 1


def store_file(world: World, blobs: BlobStore, key: str, content: bytes, kind: str | None) -> str:
    world.mutate(lambda tx: begin_blob(tx, key))
    intake = Intake(blobs, key)
    intake.add(content)
    taken = intake.finish()
    ids: list[str] = []
    world.mutate(
        lambda tx: ids.append(commit_file(tx, key, sha256=taken.sha256, size=taken.size, content_type=kind))
    )
    return ids[0]


def test_files_come_along_where_they_are_asked_for(world: World, tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path))
    world.insert("notes", {"n": 1.0})
    content = bytes(range(256)) * 9_000
    png = store_file(world, blobs, KEY, content, "image/png")
    bare = store_file(world, blobs, KEY.replace("0", "1"), b"", None)
    assert not [name for name in archive_of(world).namelist() if name.startswith("_storage")]

    def delete(done: int, total: int) -> None:
        # It is gone before its bytes are read, and its bytes are not: sweeping waits for exports.
        if done == 1:
            world.mutate(lambda tx: delete_file(tx, bare))

    archive = archive_of(world, blobs, on_rows=delete)
    assert archive.read(f"_storage/{png}.png") == content
    assert archive.read(f"_storage/{bare}") == b""
    first, second = (json.loads(line) for line in lines(archive, "_storage/documents.jsonl"))
    assert second["_id"] == bare
    assert first == {
        "_creationTime": first["_creationTime"],
        "_id": png,
        "contentType": "image/png",
        "internalId": KEY,
        "sha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        "size": len(content),
    }
    assert f'"size":{len(content)}}}' in lines(archive, "_storage/documents.jsonl")[0]


def test_a_damaged_file_is_told_and_not_archived(world: World, tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path))
    store_file(world, blobs, KEY, b"content", None)
    (path,) = tmp_path.glob("0b/*")
    path.write_bytes(b"CONTENT")
    with pytest.raises(ArchivedFileDamaged):
        archive_of(world, blobs)


def test_memory_does_not_grow_with_a_table(world: World) -> None:
    def peak(rows: int) -> int:
        for _ in range(rows // 500):
            world.insert("notes", *({"text": "x" * 200} for _ in range(500)))
        past = PastTables(world.database.reader())
        tracemalloc.start()
        with Path("/dev/null").open("wb") as sink:
            write_archive(past, None, _Counting(sink), on_rows=lambda done, total: None)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        past.close()
        return most

    few = peak(500)
    many = peak(5_000)
    assert many < 2 * few, (few, many)


class _Counting(io.RawIOBase):
    """A sink that knows where it is."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        self._at += len(data)
        return len(data)
