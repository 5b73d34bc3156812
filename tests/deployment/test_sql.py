"""SQL on a deployment that serves: in a process of its own, which is ended when its time is up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from rewake.database import InvalidSql, SqlTookTooLong
from rewake.deployment.sql import Sql, SqlUnavailable
from rewake.errors import RateLimited
from rewake.limits import DEFAULT_LIMITS
from tests.deployment.stage import Stage, play

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"


def test_rows_are_those_that_are_committed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("notes:add", room="r", n=1)
        answer = await stage.deployment.sql.run("SELECT room, n FROM notes")
        assert answer == {"columns": ["room", "n"], "rows": [["r", 1.0]], "isCut": False}
        with pytest.raises(InvalidSql, match="Only reading"):
            await stage.deployment.sql.run("DELETE FROM notes")

    play(tmp_path, story, data=tmp_path / "x.db")


def test_a_statement_without_end_is_ended_and_others_wait_for_its_place(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(SqlTookTooLong, match=r"0\.2 seconds"):
            await stage.deployment.sql.run(ENDLESS)
        with stage.deployment.sql._under_way, pytest.raises(RateLimited, match="sql_under_way_max"):
            await stage.deployment.sql.run("SELECT 1")

    limits = replace(DEFAULT_LIMITS, sql_seconds_max=0.2, sql_under_way_max=1)
    play(tmp_path, story, data=tmp_path / "x.db", limits=limits)


def test_without_a_file_there_is_no_sql(tmp_path: Path) -> None:
    with pytest.raises(SqlUnavailable, match="in memory"):
        asyncio.run(Sql(tmp_path / "none.db", DEFAULT_LIMITS).run("SELECT 1"))
