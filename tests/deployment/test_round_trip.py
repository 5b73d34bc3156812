"""Moving out and in: an archive of one deployment becomes the tables of another, on both runners."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import Admin
from rewake.database import Selection, TableReplaced, verify
from rewake.environment import Environment
from rewake.execution import FunctionCall
from tests.deployment.stage import Stage, play, value_of

MODULES = {
    "schema": """
        from typing import Any
        from rewake import Document, Id, Index, Int64

        class Author(Document, table="authors"):
            name: str
            by_name = Index("name")

        class Book(Document, table="books"):
            author: Id[Author]
            pages: Int64
            price: float
            cover: bytes
            more: Any
            by_author = Index("author")
    """,
    "library": """
        from typing import Any
        from rewake import Int64, MutationCtx, QueryCtx, mutation, query
        from .schema import Author, Book

        @mutation
        def fill(ctx: MutationCtx, count: int) -> None:
            for n in range(count):
                author = ctx.db.insert(Author(name=f"a\\u2028{n}"))
                more = {"none": None, "deep": [[n], {"x": -0.0}], "odd": float("nan")}
                cover, pages = bytes([n % 256]), Int64(2**62 + n)
                ctx.db.insert(Book(author=author, pages=pages, price=n, cover=cover, more=more))
            ctx.db.insert("drafts", {"text": "without a schema"})

        @query
        def everything(ctx: QueryCtx) -> Any:
            return [ctx.db.query(name).collect() for name in ("authors", "books", "drafts")]

        @query
        def of(ctx: QueryCtx, name: str) -> Any:
            author = ctx.db.query(Author).with_index(Author.by_name, name=name).unique()
            return [book.pages for book in ctx.db.query(Book).with_index(Book.by_author, author=author.id)]
    """,
}


async def exported(stage: Stage) -> Path:
    await stage.deployment.exports.request(has_files=True)
    call = FunctionCall("_system/cli/exports:getLatest", "{}")
    while True:
        found: Any = value_of((await stage.deployment.query(call, Admin(), request_id="r"))[0])
        if found["state"] not in ("requested", "in_progress"):
            break
        await asyncio.to_thread(lambda: None)
    assert found["state"] == "completed", found
    return (await stage.deployment.exports.find(str(int(found["start_ts"]))))[1]


async def pieces(file: Path) -> AsyncIterator[bytes]:
    yield file.read_bytes()


async def imported(stage: Stage, file: Path, mode: str) -> int:
    return await stage.deployment.imports.all_at_once(pieces(file), mode=mode, format="zip", table=None)


def entries(file: Path) -> dict[str, list[str]]:
    """The lines of an archive's tables, whose order means nothing."""
    with zipfile.ZipFile(file) as archive:
        return {
            name: sorted(archive.read(name).decode().split("\n"))
            for name in archive.namelist()
            if name.endswith(".jsonl")
        }


def test_an_archive_becomes_the_same_tables_elsewhere(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}

    async def leave(stage: Stage) -> None:
        await stage.mutate("library:fill", count=300)
        kept["file"] = (await exported(stage)).rename(tmp_path / "archive.zip")
        kept["everything"] = json.dumps(await stage.query("library:everything"), default=repr)

    async def enter(stage: Stage) -> None:
        assert await imported(stage, kept["file"], "requireEmpty") == 601
        assert json.dumps(await stage.query("library:everything"), default=repr) == kept["everything"]
        assert await stage.query("library:of", name="a\u20287") == [2**62 + 7]
        assert entries(await exported(stage)) == entries(kept["file"])
        # New documents get ids of the same tables, and stand beside the others.
        await stage.mutate("library:fill", count=1)
        assert len((await stage.query("library:everything"))[1]) == 301

    play(tmp_path / "out", leave, data=tmp_path / "out.sqlite3", **MODULES)
    play(tmp_path / "in", enter, data=tmp_path / "in.sqlite3", **MODULES)
    for name in ("out", "in"):
        verdict = verify(tmp_path / f"{name}.sqlite3", environment=Environment())
        assert verdict.is_clean, verdict.problems


def test_programs_that_follow_the_tables_are_told_of_an_import(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("library:fill", count=200)
        file = await exported(stage)
        feeds, all_of_it = stage.deployment.feeds, Selection()
        ts, page = await feeds.snapshot(all_of_it, ts=None, start=None)
        assert page.next is not None, "there is more than one page"
        assert await imported(stage, file, "replace") == 401
        with pytest.raises(TableReplaced):
            await feeds.snapshot(all_of_it, ts=ts, start=page.next)
        with pytest.raises(TableReplaced):
            await feeds.changes(all_of_it, after=ts)
        # Begun again, they see what was imported, once.
        ts, page = await feeds.snapshot(all_of_it, ts=None, start=None)
        rows = list(page.rows)
        while page.next is not None:
            _, page = await feeds.snapshot(all_of_it, ts=ts, start=page.next)
            rows += page.rows
        assert len(rows) == 401
        assert entries(await exported(stage)) == entries(file)

    play(tmp_path, story, data=tmp_path / "data.sqlite3", **MODULES)
