"""A rollout in worker processes: what dies, and what becomes of the push then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rewake.database import SchemaMismatch
from rewake.environment import KILL_POINT_VARIABLE
from rewake.execution import WorkerLost
from tests.execution.worker_stage import MAIN, SCHEMA, Stage, play

FILL = (
    MAIN
    + """
    @mutation
    def fill(ctx: MutationCtx, count: int) -> None:
        for number in range(int(count)):
            ctx.db.insert(Counter(name=f"n{number}", value=number))
"""
)
INDEXED = SCHEMA + '        by_value = Index("value", "name")\n'
READS = (
    FILL
    + """
    @query
    def top(ctx: QueryCtx) -> float:
        return ctx.db.query(Counter).with_index(Counter.by_value).order("desc").first().value
"""
)


def states(stage: Stage) -> list[str]:
    connection = stage.database.engine.connect()
    select = "SELECT json_extract(json, '$.state') FROM _documents WHERE tablet = 3 ORDER BY 1"
    found = [state for (state,) in connection.execute(select)]
    connection.close()
    return found


@pytest.mark.parametrize("point", ["schema.after_start:1", "schema.in_backfill:2"])
def test_a_writer_that_dies_in_a_step_is_replaced_and_the_push_goes_on(
    tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILL_POINT_VARIABLE, point)

    async def story(stage: Stage) -> None:
        await stage.push(main=FILL)
        before = await stage.mutate("main:writer_process")
        # Only the first workers of a server are armed, and they serve no more after the first push.
        stage.runner._is_armed = True
        await stage.push(main=FILL)
        stage.runner._is_armed = False
        armed = await stage.mutate("main:writer_process")
        assert armed != before
        await stage.mutate("main:fill", count=3_000)
        change = await stage.push(schema=INDEXED, main=READS)
        assert change.indexes_added == ["counters.by_value"]
        assert await stage.query("main:top") == 2_999
        assert states(stage) == ["active"]

    play(tmp_path, story)


def test_a_new_writer_that_dies_in_the_switch_fails_the_push_and_the_old_code_serves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILL_POINT_VARIABLE, "schema.before_finish:1")

    async def story(stage: Stage) -> None:
        await stage.push(main=FILL)
        await stage.mutate("main:fill", count=3_000)
        stage.runner._is_armed = True
        with pytest.raises(WorkerLost):
            await stage.push(schema=INDEXED, main=READS)
        stage.runner._is_armed = False
        assert states(stage) == ["active", "failed"]
        assert await stage.mutate("main:increment", name="a") == 1
        assert stage.runner.code_hash("main:top") == stage.runner.code_hash("main:fill")
        await stage.push(schema=INDEXED, main=READS)
        assert await stage.query("main:top") == 2_999

    play(tmp_path, story)


def test_a_template_that_dies_during_a_push_fails_it_and_is_loaded_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.push(main=FILL)
        await stage.mutate("main:fill", count=3_000)
        original = stage.runner.step
        killed = []

        async def step(work, *, unseated=None):  # type: ignore[no-untyped-def]
            if type(work).__name__ == "BuildIndexes" and not killed:
                killed.append(work)
                stage.runner._template.kill()  # type: ignore[union-attr]
            return await original(work, unseated=unseated)

        stage.runner.step = step  # type: ignore[method-assign]
        with pytest.raises(WorkerLost):
            await stage.push(schema=INDEXED, main=READS)
        assert killed
        # What is on disk now is the new code, and that is what is loaded again.
        assert await stage.mutate("main:increment", name="a") == 1
        assert await stage.query("main:top") == 2_999

    play(tmp_path, story)


def test_calls_go_on_while_documents_are_checked_and_indexes_built(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.push(main=FILL)
        for _ in range(4):
            await stage.mutate("main:fill", count=3_000)
        is_over = False
        counts = []

        async def write() -> None:
            while not is_over:
                counts.append(await stage.mutate("main:increment", name="a"))

        writing = asyncio.ensure_future(write())
        strict = INDEXED.replace("value: float", "value: float | None").replace(
            "name: str", "name: str | None"
        )
        await stage.push(schema=strict, main=READS)
        with pytest.raises(SchemaMismatch) as caught:
            await stage.push(schema=INDEXED.replace("name: str", "name: float"), main=READS)
        is_over = True
        await writing
        assert counts == [float(n) for n in range(1, len(counts) + 1)]
        assert len(counts) > 3
        assert caught.value.fields["source"].class_name == "Counter"

    play(tmp_path, story)
