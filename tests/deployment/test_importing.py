"""Imports, in threads and in worker processes: every mode, refusals, and others who write and watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rewake.database import verify
from rewake.deployment.importing import ImportFailed, ImportInvalid
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.values import Int64
from tests.archive.official_zip import OFFICIAL_STORAGE_NUMBER, id_of, official_zip
from tests.deployment.stage import SCHEMA, Stage, play
from tests.deployment.watcher import Watcher

BOXES = """
    from typing import Any
    from rewake import Id, MutationCtx, QueryCtx, mutation, query

    @query
    def all(ctx: QueryCtx, table: str) -> Any:
        return ctx.db.query(table).collect()

    @query
    def one(ctx: QueryCtx, id: str) -> Any:
        return ctx.db.get(id)

    @query
    def file(ctx: QueryCtx, id: str) -> Any:
        return ctx.storage.get_metadata(id)

    @query
    def in_room(ctx: QueryCtx, room: str) -> Any:
        return [n["n"] for n in ctx.db.query("notes").with_index("by_room", room=room)]

    @query
    def totals(ctx: QueryCtx) -> Any:
        notes = ctx.db.query("notes").collect()
        return [len(notes), sum(1 for note in notes if note["room"] == "imported")]

    @mutation
    def add(ctx: MutationCtx, table: str, value: Any) -> str:
        return ctx.db.insert(table, value)

    @mutation
    def remove(ctx: MutationCtx, id: str) -> None:
        ctx.db.delete(id)

    @mutation
    def change(ctx: MutationCtx, id: str, value: Any) -> None:
        ctx.db.patch(id, value)
"""
MODULES = {"schema": SCHEMA, "boxes": BOXES}


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]


async def _import(
    stage: Stage,
    content: bytes,
    *,
    table: str | None = "notes",
    format: str = "jsonLines",
    mode: str = "replace",
) -> int:
    return await stage.deployment.imports.all_at_once(_pieces(content), mode=mode, format=format, table=table)


def _lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _notes(count: int, room: str = "imported") -> bytes:
    return _lines(*({"room": room, "n": n} for n in range(count)))


async def _all(stage: Stage, table: str = "notes") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await stage.query("boxes:all", table=table)
    return found


def _assert_clean(data: Path) -> None:
    verdict = verify(data, environment=Environment())
    assert verdict.is_clean, verdict.problems


def test_the_modes_say_what_becomes_of_documents_that_are_there(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"

    async def story(stage: Stage) -> None:
        assert await _import(stage, _notes(3), mode="requireEmpty") == 3
        assert await stage.query("boxes:in_room", room="imported") == [0, 1, 2]
        with pytest.raises(ImportFailed, match='There are documents already in "notes"'):
            await _import(stage, _notes(1), mode="requireEmpty")
        assert await _import(stage, _notes(2, "added"), mode="append") == 2
        assert [(note["room"], note["n"]) for note in await _all(stage)] == [
            ("imported", 0),
            ("imported", 1),
            ("imported", 2),
            ("added", 0),
            ("added", 1),
        ]
        assert await _import(stage, _lines({"x": 1}), table="others", mode="requireEmpty") == 1
        assert await _import(stage, _notes(1, "new"), mode="replace") == 1
        assert [note["room"] for note in await _all(stage)] == ["new"]
        assert len(await _all(stage, "others")) == 1
        assert await _import(stage, _notes(2, "last"), mode="replaceAll") == 2
        assert await _all(stage, "others") == []
        assert await stage.query("boxes:in_room", room="last") == [0, 1]
        added = await stage.mutate("boxes:add", table="notes", value={"room": "last", "n": 7})
        assert await stage.query("boxes:in_room", room="last") == [0, 1, 7]
        await stage.mutate("boxes:remove", id=added)
        assert await stage.query("boxes:in_room", room="last") == [0, 1]

    play(tmp_path, story, data=data, **MODULES)
    _assert_clean(data)


def test_an_official_snapshot_keeps_ids_times_numbers_and_files(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"
    picture = id_of(OFFICIAL_STORAGE_NUMBER, 1)
    # The numbers of both tables are the other way round here, and one is new.
    notes = [{"_id": id_of(10_002, 1), "_creationTime": 1_700_000_000_000.5, "room": "a", "n": 1.0}]
    others: list[dict[str, Any]] = [
        {
            "_id": id_of(10_001, 1),
            "_creationTime": 1_650_000_000_000.0,
            "note": id_of(10_002, 1),
            "picture": picture,
            "count": Int64(2**60),
            "odd": float("inf"),
            "raw": b"\x00\x01",
        }
    ]
    content = official_zip(
        {"others": (10_001, others), "notes": (10_002, notes)},
        {picture: (b"png bytes", "image/png")},
        folder="snapshot_1/",
    )

    async def story(stage: Stage) -> None:
        assert await _import(stage, content, table=None, format="zip", mode="requireEmpty") == 2
        assert await stage.query("boxes:one", id=id_of(10_002, 1)) == notes[0]
        (other,) = await _all(stage, "others")
        assert other == others[0]
        assert isinstance(other["count"], int)
        assert other["raw"] == b"\x00\x01"
        file = await stage.deployment.files.find_id(picture)
        assert file is not None
        assert file.key == "0f7a21b9-d44e-4c1a-9b7e-3f2a1d0c9b8e"
        read = await stage.deployment.files.read(file, start=0, stop=file.size)
        assert b"".join([piece async for piece in read]) == b"png bytes"
        assert (await stage.query("boxes:file", id=picture))["contentType"] == "image/png"
        fresh = await stage.mutate("boxes:add", table="third", value={})
        assert await stage.query("boxes:one", id=fresh)
        # Once more, over itself: the file is there already, and stays.
        assert await _import(stage, content, table=None, format="zip", mode="replace") == 2
        assert await stage.query("boxes:one", id=id_of(10_002, 1)) == notes[0]

    play(tmp_path, story, data=data, **MODULES)
    _assert_clean(data)


REFUSED: list[tuple[bytes, str]] = [
    (b'{"room":"a","n":1}\n[1]\n', "the file, line 2: a document is an object"),
    (b'{"room":"a","n":1}\n\n{"room":', "the file, line 3: Invalid JSON"),
    (b'{"room":"a","n":"x"}\n', "the file, line 1: it does not match the schema of the table notes: "),
    (b'{"room":"a","n":1,"_x":1}\n', "the file, line 1: Field '_x' starts with an underscore"),
    (b'{"room":"\\ud800","n":1}\n', "the file, line 1: Invalid JSON: a string is not valid Unicode"),
    (b'{"room":"\xff","n":1}\n', "the file, line 1: Invalid JSON"),
    (b'{"room":"a","n":1,"_id":"abc"}\n', "the file, line 1: Unable to decode ID"),
]


@pytest.mark.parametrize(("content", "text"), REFUSED)
def test_what_is_refused_names_the_row_and_changes_nothing(tmp_path: Path, content: bytes, text: str) -> None:
    async def story(stage: Stage) -> None:
        await _import(stage, _notes(2))
        before = await _all(stage)
        with pytest.raises(ImportFailed) as refused:
            await _import(stage, content)
        assert text in refused.value.message
        assert await _all(stage) == before
        assert not list(stage.deployment._database.imports_folder.glob("*"))

    play(tmp_path, story, **MODULES)


def test_ids_are_checked_against_each_other_and_against_the_table(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        twice = {"room": "a", "n": 1, "_id": id_of(10_050, 1)}
        with pytest.raises(ImportFailed, match=r"line 2: the id .* is taken"):
            await _import(stage, _lines(twice, twice))
        with pytest.raises(ImportFailed, match="line 2: its `_id` has the table number 10051"):
            await _import(stage, _lines(twice, {**twice, "_id": id_of(10_051, 1)}))
        assert await _import(stage, _lines(twice)) == 1
        with pytest.raises(ImportFailed, match=r"line 1: the id .* is taken"):
            await _import(stage, _lines(twice), mode="append")
        with pytest.raises(ImportFailed, match="here it has documents, and their number is 10050"):
            await _import(stage, _lines({**twice, "_id": id_of(10_051, 1)}), mode="append")
        with pytest.raises(ImportFailed, match='which is the number of the table "notes" here'):
            await _import(stage, _lines({"_id": id_of(10_050, 9)}), table="others")
        assert await _import(stage, _lines({"_id": id_of(10_050, 9)}), table="others", mode="replaceAll") == 1
        assert await _all(stage) == []
        with pytest.raises(ImportFailed, match="those of applications lie between 10001"):
            await _import(stage, _lines({"_id": id_of(600, 9)}), table="others")

    play(tmp_path, story, **MODULES)


def test_orders_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for mode, format, table in (("x", "csv", "t"), ("append", "x", "t"), ("append", "csv", None)):
            with pytest.raises(ImportInvalid):
                await _import(stage, b"", mode=mode, format=format, table=table)
        with pytest.raises(ImportFailed, match="is a reserved table name"):
            await _import(stage, b"", table="_x")
        with pytest.raises(RewakeError, match="There is no upload"):
            await stage.deployment.imports.begin("x", [], mode="append", format="csv", table="t")

    play(tmp_path, story, **MODULES)


def test_others_write_and_watch_and_never_see_a_part(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"
    rows = 20_000

    async def story(stage: Stage) -> None:
        kept = await stage.mutate("boxes:add", table="notes", value={"room": "here", "n": 0})
        gone = await stage.mutate("boxes:add", table="notes", value={"room": "here", "n": 1})
        importing = asyncio.create_task(_import(stage, _notes(rows), mode="append"))
        seen: list[list[float]] = []
        written = 0
        while not importing.done():
            await stage.mutate("boxes:add", table="notes", value={"room": "meanwhile", "n": written})
            await stage.mutate("boxes:change", id=kept, value={"n": written})
            written += 1
            if written == 5:
                await stage.mutate("boxes:remove", id=gone)
            if written % 10 == 0:
                seen.append(await stage.query("boxes:totals"))
        assert await importing == rows
        assert written > 10, "mutations go on while an import runs"
        assert {imported for _, imported in seen} <= {0.0, float(rows)}
        assert await stage.query("boxes:totals") == [rows + written + 1, rows]
        assert await stage.query("boxes:in_room", room="meanwhile") == list(range(written))
        assert (await stage.query("boxes:one", id=kept))["n"] == written - 1

    limits = _roomy()
    play(tmp_path, story, data=data, limits=limits, seconds=300, **MODULES)
    _assert_clean(data)


def _roomy() -> Any:
    from msgspec.structs import replace

    from rewake.limits import DEFAULT_LIMITS

    return replace(
        DEFAULT_LIMITS, documents_read_max=1_000_000, bytes_read_max=2**30, function_seconds_max=60.0
    )


def test_what_has_served_is_read_at_older_times_and_goes_with_the_log(tmp_path: Path) -> None:
    from msgspec.structs import replace

    from rewake.limits import DEFAULT_LIMITS

    data = tmp_path / "data.sqlite3"

    async def story(stage: Stage) -> None:
        await _import(stage, _notes(3, "old"))
        at = await stage.deployment.latest_ts()
        await _import(stage, _notes(1, "new"))
        assert len(await stage.query("boxes:all", table="notes", at=at)) == 3
        assert len(await _all(stage)) == 1
        assert verify(data, environment=Environment()).documents > 4

    play(tmp_path, story, data=data, **MODULES)
    limits = replace(DEFAULT_LIMITS, log_retention_bytes=0)

    async def after(stage: Stage) -> None:
        while await _hidden(stage):
            await stage.mutate("boxes:add", table="others", value={})
            await stage.deployment._house._do_chores()

    play(tmp_path, after, data=data, limits=limits, **MODULES)
    _assert_clean(data)


async def _hidden(stage: Stage) -> int:
    reader = stage.deployment._database.reader()
    try:
        with reader.begin() as snapshot:
            return len(snapshot.catalog.hidden)
    finally:
        reader.close()


def test_live_queries_wake_at_the_switch_and_see_old_or_new(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await _import(stage, _notes(5, "old"))
        (first, *_) = await _all(stage)
        watcher = Watcher(stage.deployment)
        totals = watcher.add("boxes:totals")
        room = watcher.add("boxes:in_room", room="imported")
        one = watcher.add("boxes:one", id=first["_id"])
        other = watcher.add("boxes:all", table="others")
        await watcher.reached(await stage.deployment.latest_ts())
        assert (watcher.shown[totals], watcher.shown[room]) == ([5.0, 0.0], [])
        assert watcher.shown[one] == first
        seen: list[Any] = []
        importing = asyncio.create_task(_import(stage, _notes(1_000)))
        while not importing.done():
            await watcher.reached(await stage.deployment.latest_ts())
            seen.append((watcher.shown[totals], len(watcher.shown[room]), watcher.shown[one]))
            await asyncio.wait([importing], timeout=0.05)
        assert await importing == 1_000
        await watcher.reached(await stage.deployment.latest_ts())
        seen.append((watcher.shown[totals], len(watcher.shown[room]), watcher.shown[one]))
        assert seen[-1] == ([1_000.0, 1_000.0], 1_000, None)
        assert all(each in (seen[-1], ([5.0, 0.0], 0, first)) for each in seen)
        assert await _import(stage, _lines({"x": 1}), table="others") == 1
        await watcher.reached(await stage.deployment.latest_ts())
        assert [each["x"] for each in watcher.shown[other]] == [1.0]
        assert not watcher.failures
        watcher.session.close()

    play(tmp_path, story, limits=_roomy(), seconds=120, **MODULES)
