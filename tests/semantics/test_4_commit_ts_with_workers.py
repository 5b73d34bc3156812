"""Commit timestamps where functions run in worker processes, and the writer is killed (section 4.6).

Whatever becomes of the writer, the caller is told the timestamp of the commit that is stored, and a repeated
call is told the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rewake.database import ReplayKey
from rewake.environment import KILL_POINT_VARIABLE
from tests.execution.worker_stage import Stage, play, write_project

JOURNAL = """
    from rewake import CommitTs, Document, Index, MutationCtx, QueryCtx, mutation, query

    class Entry(Document, table="entries"):
        name: str
        at: CommitTs
        by_at = Index("at")

    @mutation
    def write(ctx: MutationCtx, name: str) -> CommitTs:
        ctx.db.insert(Entry(name=name, at=ctx.db.vars.commit_ts))
        return ctx.db.vars.commit_ts

    @query
    def entries(ctx: QueryCtx) -> list[list[str]]:
        return [[entry.name, str(entry.at)] for entry in ctx.db.query(Entry).with_index(Entry.by_at)]
"""


@pytest.mark.parametrize(
    "point",
    ["group.after_savepoint:5", "group.before_commit:3", "group.after_commit_before_outcome:3"],
)
def test_4_6_the_timestamp_that_is_told_is_the_one_that_is_stored(
    tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILL_POINT_VARIABLE, point)

    async def story(stage: Stage) -> None:
        before = await stage.mutate("main:writer_process")
        keys = [ReplayKey("session", number) for number in range(30)]

        async def write_all() -> list[int]:
            calls = [stage.outcome("journal:write", key, name=str(key.request)) for key in keys]
            return [outcome.ts for outcome in await asyncio.gather(*calls)]

        told = await write_all()
        expected = sorted((ts, str(number)) for number, ts in enumerate(told))
        assert await stage.query("journal:entries") == [[name, str(ts)] for ts, name in expected]
        assert await write_all() == told
        for key, ts in zip(keys, told, strict=True):
            assert await stage.mutate("journal:write", key, name="again") == ts
        assert len(await stage.query("journal:entries")) == len(keys)
        assert await stage.mutate("main:writer_process") != before, "it did die"

    write_project(tmp_path, journal=JOURNAL)
    play(tmp_path, story, data=tmp_path / "data.sqlite3")
