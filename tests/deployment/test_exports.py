"""Exports of a deployment, in threads and in worker processes: made while it writes, over restarts."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import Admin
from rewake.database import ExportInProgress, ExportNotFound
from rewake.execution import FunctionCall
from rewake.limits import Limits
from rewake.values import decode
from tests.deployment.stage import Stage, play, value_of

BANK = {
    "schema": """
        from rewake import Document

        class Account(Document, table="accounts"):
            balance: int
    """,
    "bank": """
        from rewake import Id, MutationCtx, mutation
        from .schema import Account

        @mutation
        def open_many(ctx: MutationCtx, count: int) -> list[Id[Account]]:
            return [ctx.db.insert(Account(balance=100)) for _ in range(count)]

        @mutation
        def transfer(ctx: MutationCtx, source: Id[Account], target: Id[Account]) -> None:
            a, b = ctx.db.get(source), ctx.db.get(target)
            assert a is not None and b is not None
            ctx.db.patch(source, balance=a.balance - 1)
            ctx.db.patch(target, balance=b.balance + 1)
    """,
}


async def latest(stage: Stage) -> Any:
    call = FunctionCall("_system/cli/exports:getLatest", "{}")
    result, _ = await stage.deployment.query(call, Admin(), request_id="r")
    return value_of(result)


async def over(stage: Stage) -> Any:
    """The latest export, when it is over."""
    while (found := await latest(stage))["state"] in ("requested", "in_progress"):
        await asyncio.wait({asyncio.ensure_future(stage.deployment.latest_ts())})
        await asyncio.to_thread(lambda: None)
    return found


def test_an_export_while_money_moves_is_one_snapshot(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await latest(stage) is None
        ids = await stage.mutate("bank:open_many", count=600)
        id = await stage.deployment.exports.request(has_files=True)
        with pytest.raises(ExportInProgress):
            await stage.deployment.exports.request(has_files=False)
        number = 0
        while (await latest(stage))["state"] in ("requested", "in_progress"):
            source, target = ids[number % 600], ids[-1 - number * 7 % 600]
            if source != target:
                await stage.mutate("bank:transfer", source=source, target=target)
            number += 1
        found = await latest(stage)
        assert found["state"] == "completed", found
        assert found["_id"] == id
        assert number > 3
        export, path = await stage.deployment.exports.find(str(int(found["start_ts"])))
        assert (await stage.deployment.exports.find(id))[0] == export
        assert path.name == f"snapshot_{export.start_ts}.zip"
        with zipfile.ZipFile(path) as archive:
            rows = archive.read("accounts/documents.jsonl").decode().split("\n")[:-1]
        wanted = await stage_at(stage, ids, export.start_ts)
        assert {row["_id"]: row["balance"] for row in map(json.loads, rows)} == wanted
        assert sum(wanted.values()) == 60_000
        # Another may be made now.
        await stage.deployment.exports.request(has_files=False)
        assert (await over(stage))["state"] == "completed"

    play(tmp_path, story, data=tmp_path / "data.sqlite3", **BANK)


async def stage_at(stage: Stage, ids: list[str], ts: int | None) -> dict[str, float]:
    def work(_: Any) -> dict[str, float]:
        database = stage.deployment._database
        reader = database.reader()
        assert ts is not None
        with reader.begin_at(ts) as snapshot:
            texts = snapshot.documents(snapshot.catalog.tables["accounts"], limit=10_000)
        reader.close()
        documents: list[Any] = [decode(text) for _, text in texts]
        return {document["_id"]: document["balance"] for document in documents}

    found = await stage.deployment.read(work)
    assert set(found) == set(ids)
    return found


def test_a_server_that_stops_in_between_leaves_a_failed_one_and_no_file(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"

    async def first(stage: Stage) -> None:
        await stage.mutate("bank:open_many", count=10)
        await stage.deployment.exports.request(has_files=False)

    async def second(stage: Stage) -> None:
        found = await latest(stage)
        assert found["state"] == "failed"
        assert "stopped" in found["error"]
        exports = stage.deployment.exports
        assert not exports.folder.exists() or not list(exports.folder.iterdir())
        await exports.request(has_files=False)
        assert (await over(stage))["state"] == "completed"
        # What a server that was killed leaves behind.
        for name in ("x.draft", "snapshot_1.zip"):
            (exports.folder / name).write_bytes(b"half")

    async def third(stage: Stage) -> None:
        found = await latest(stage)
        names = [path.name for path in stage.deployment.exports.folder.iterdir()]
        assert names == [found["zip_object_key"]]

    for story in (first, second, third):
        play(tmp_path, story, data=data, **BANK)


def test_exports_expire_and_can_be_canceled(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        exports = stage.deployment.exports
        id = await exports.request(has_files=False)
        await exports.cancel(id)
        assert (await latest(stage))["state"] == "canceled"
        assert not list(exports.folder.glob("*")) if exports.folder.exists() else True
        with pytest.raises(ExportNotFound):
            await exports.cancel(id)
        with pytest.raises(ExportNotFound):
            await exports.set_expiration(id, expiration_ts=1)
        id = await exports.request(has_files=False)
        assert (await over(stage))["state"] == "completed"
        _, path = await exports.find(id)
        await exports.tend()
        assert path.exists()
        await exports.set_expiration(id, expiration_ts=1)
        await exports.tend()
        assert not path.exists()
        with pytest.raises(ExportNotFound):
            await exports.find(id)

    play(tmp_path, story, data=tmp_path / "data.sqlite3", keeps_house=False, **BANK)


def test_files_wait_for_an_export_that_wants_them(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        swept: list[bool] = []

        async def sweep() -> None:
            swept.append(True)

        exports = stage.deployment.exports
        await exports.request(has_files=True)
        await exports.unless_reading_files(sweep)
        assert not swept
        await over(stage)
        await exports.close()
        await exports.unless_reading_files(sweep)
        assert swept == [True]

    play(tmp_path, story, data=tmp_path / "data.sqlite3", limits=Limits(), keeps_house=False, **BANK)
