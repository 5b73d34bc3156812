"""`ctx.meta`, asked by functions of a real deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.limits import DEFAULT_LIMITS
from rewake.values import Int64
from tests.deployment.stage import CallFailed, Stage, play

MODULE = """
    from typing import Any
    from rewake import Document, MutationCtx, QueryCtx, internal_query, mutation, query

    class Note(Document, table="notes"):
        text: str

    @query
    def who(ctx: QueryCtx) -> Any:
        return [ctx.meta.get_function_metadata(), ctx.run_query(inner)]

    @internal_query
    def inner(ctx: QueryCtx) -> Any:
        return ctx.meta.get_function_metadata()

    @mutation
    def who_changes(ctx: MutationCtx) -> Any:
        return [ctx.meta.get_function_metadata(), ctx.meta.get_request_metadata()]

    @query
    def snapshot(ctx: QueryCtx) -> Any:
        return ctx.meta.get_snapshot_ts()

    @mutation
    def used(ctx: MutationCtx, count: int) -> Any:
        for n in range(count):
            ctx.db.insert(Note(text="x" * n))
        ctx.db.query(Note).collect()
        return ctx.meta.get_transaction_metrics()

    @query
    def read(ctx: QueryCtx, count: int) -> None:
        ctx.db.query(Note).take(count)

    @query
    def points(ctx: QueryCtx, ids: list[str]) -> None:
        ctx.db.get_many(ids)

    @mutation
    def fail_near_the_limit(ctx: MutationCtx, count: int) -> None:
        for n in range(count):
            ctx.db.insert(Note(text="x"))
        raise ValueError("no")
"""

SMALL = replace(DEFAULT_LIMITS, documents_read_max=10, bytes_read_max=5_000, documents_written_max=10)
HELP = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a "
    "selective index range expressions."
)


def tell(root: Path, story: Any, **others: Any) -> None:
    play(root, story, schema="", m=MODULE, **others)


def test_a_function_knows_its_own_name(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        outer, inner = await stage.query("m:who")
        assert outer == {"name": "m:who", "componentPath": "", "type": "query", "visibility": "public"}
        assert inner == {"name": "m:inner", "componentPath": "", "type": "query", "visibility": "internal"}
        function, request = await stage.mutate("m:who_changes")
        assert (function["type"], function["name"]) == ("mutation", "m:who_changes")
        assert request == {
            "ip": None, "userAgent": None, "requestId": "r", "scheduledFunctionId": None, "authToken": None,
        }  # fmt: skip

    tell(tmp_path, story)


def test_the_snapshot_has_a_timestamp(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        ts = await stage.query("m:snapshot")
        assert type(ts) is Int64
        assert ts == stage.deployment.last_ts

    tell(tmp_path, story)


def test_the_metrics_say_what_was_used_and_what_is_left(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        metrics = await stage.mutate("m:used", count=4)
        assert set(metrics) == {
            "bytesRead", "bytesWritten", "databaseQueries", "documentsRead", "documentsWritten",
            "functionsScheduled", "scheduledFunctionArgsBytes", "filesRead", "fileReadBytes", "filesWritten",
            "fileWriteBytes",
        }  # fmt: skip
        assert metrics["documentsRead"] == {"used": 4, "remaining": 31_996}
        assert metrics["documentsWritten"] == {"used": 4, "remaining": 15_996}
        assert metrics["functionsScheduled"] == {"used": 0, "remaining": 1_000}
        assert metrics["bytesRead"]["used"] == metrics["bytesWritten"]["used"] > 0
        assert metrics["databaseQueries"]["used"] > 0

    tell(tmp_path, story)


async def lines_of(stage: Stage, path: str, **args: Any) -> tuple[str, ...]:
    try:
        await stage.query(path, **args)
    except CallFailed as failed:
        return failed.failure.log_lines
    return tuple(map(str, stage.deployment.call_log.records[-1].log_lines))


def test_a_run_that_comes_near_a_limit_is_told_and_goes_on(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for _ in range(2):
            await stage.mutate("m:used", count=4)
        assert await lines_of(stage, "m:read", count=7) == ()
        assert await lines_of(stage, "m:read", count=8) == (
            f"[WARN] Many documents read in a single function execution (actual: 8, limit: 10). {HELP}",
        )

    tell(tmp_path, story, limits=SMALL)


def test_writes_are_told_of_too_also_when_the_function_fails(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        outcome = await stage.outcome("m:fail_near_the_limit", count=9)
        assert outcome.result.log_lines == (
            f"[WARN] Many writes in a single function execution (actual: 9, limit: 10). {HELP}",
        )

    tell(tmp_path, story, limits=SMALL)


@pytest.mark.slow
def test_large_arguments_are_told_of(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        (line,) = await lines_of(stage, "m:points", ids=["x" * 1_000_000] * 14)
        assert line.startswith("[WARN] Large size of the function arguments (actual: 140000")
        assert line.endswith(f" bytes, limit: 16777216 bytes). {HELP}")

    tell(tmp_path, story)
