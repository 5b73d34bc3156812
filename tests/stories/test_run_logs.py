"""What the call log says of runs, in threads and in worker processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import ANONYMOUS, Admin
from rewake.execution import CallRecord, Failure, FunctionCall, RunProgress
from tests.deployment.stage import RUNS_IN, Stage, play
from tests.deployment.watcher import Watcher

MODULE = """
    import logging
    import os
    from typing import Any
    from rewake import ActionCtx, MutationCtx, QueryCtx, action, internal_query, mutation, query

    @query
    def outer(ctx: QueryCtx) -> int:
        print("before")
        ctx.run_query(inner)
        logging.warning("after")
        return 1

    @internal_query
    def inner(ctx: QueryCtx) -> None:
        print("inside")

    @query
    def broken(ctx: QueryCtx) -> None:
        raise ValueError("no")

    @mutation
    def write(ctx: MutationCtx, text: str) -> None:
        ctx.db.insert("notes", {"text": text})
        ctx.db.query("notes").collect()

    @action
    async def slow(ctx: ActionCtx, gate: str) -> None:
        print("one")
        while not os.path.exists(gate):
            await ctx.run_query(inner)
        print("two")
"""


@pytest.fixture(autouse=True, params=["threads", "processes"])
def place(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where functions run."""
    RUNS_IN["place"] = request.param
    yield
    RUNS_IN["place"] = "threads"


def by_path(stage: Stage, path: str) -> CallRecord:
    return [record for record in stage.deployment.call_log.records if record.path == path][-1]


def test_lines_are_of_the_function_that_printed_them(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        before_ms = stage.deployment.now_ns() / 1e6
        await stage.query("m:outer", Admin())
        record = by_path(stage, "m:outer")
        told = [(line.level, line.text, line.function) for line in record.log_lines]
        assert told == [("LOG", "'before'", ""), ("LOG", "'inside'", "m:inner"), ("WARN", "'after'", "")]
        assert all(line.at_ms >= before_ms for line in record.log_lines)
        assert (record.identity, record.usage.returned_bytes) == ("admin", 3)

    play(tmp_path, story, m=MODULE)


def test_a_record_says_what_was_used(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("m:write", text="hello")
        record = by_path(stage, "m:write")
        usage = record.usage
        assert (usage.documents_read, usage.documents_written) == (1, 1)
        assert usage.bytes_read >= usage.bytes_written > len("hello")
        assert (usage.arguments_bytes, usage.returned_bytes) == (len('{"text": "hello"}'), 4)
        assert (record.request_id, record.identity, record.scheduled) == ("r", "anonymous", "")

    play(tmp_path, story, m=MODULE)


def test_the_id_in_the_text_of_a_failed_query_is_the_id_in_the_log(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("m:broken")
        await watcher.reached(stage.deployment.last_ts)
        call = FunctionCall("m:broken", "{}")
        result, _ = await stage.deployment.query(call, ANONYMOUS, request_id="r")
        assert isinstance(result, Failure)
        runs = [each for each in stage.deployment.call_log.records if each.path == "m:broken"]
        assert result.run_id in [each.request_id for each in runs]
        assert len(result.run_id) == 16
        assert by_path(stage, "m:broken").traceback is not None

    play(tmp_path, story, m=MODULE)


def test_an_action_tells_its_lines_while_it_runs(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        log, gate = stage.deployment.call_log, tmp_path / "gate"
        call = FunctionCall("m:slow", f'{{"gate": "{gate}"}}')
        acting = asyncio.ensure_future(stage.deployment.act(call, ANONYMOUS, request_id="abc"))
        told: list[Any] = []
        cursor = 0.0
        while not told:
            for entry in await log.wait_after(cursor, seconds=10):
                cursor = entry.cursor
                told += [entry.news] if isinstance(entry.news, RunProgress) else []
        assert not acting.done()
        (first,) = told
        assert (first.path, first.kind, first.request_id, str(first.line)) == (
            "m:slow",
            "action",
            "abc",
            "[LOG] 'one'",
        )
        assert first.line.at_ms > 0
        gate.touch()
        await acting
        record = by_path(stage, "m:slow")
        assert [line.text for line in record.log_lines] == ["'one'", "'two'"]
        assert record.request_id == "abc"

    play(tmp_path, story, m=MODULE)
