"""The current run belongs to a thread, and there is none outside of runs."""

from __future__ import annotations

import threading
from pathlib import Path

from rewake.execution.current_run import current
from tests.execution.worker_stage import Stage, play

MAIN = """
    from threading import Thread
    from rewake import MutationCtx, QueryCtx, mutation, query
    from rewake.execution.current_run import current

    @query
    def inner(ctx: QueryCtx) -> list[bool]:
        return [current.run is not None, current.is_guarded]

    @mutation
    def outer(ctx: MutationCtx) -> list[bool]:
        here = ctx.run_query(inner)
        elsewhere = []
        thread = Thread(target=lambda: elsewhere.extend([current.run is not None, current.is_guarded]))
        thread.start()
        thread.join()
        return here + elsewhere + [current.run is not None, current.is_guarded]

    @query
    def failing(ctx: QueryCtx) -> None:
        raise SystemExit
"""


def test_a_run_is_its_threads_alone(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.mutate("main:outer") == [True, True, False, False, True, True]
        for path in ("main:failing", "main:inner", "main:failing", "main:inner"):
            # Whatever ends a run leaves nothing behind for the next.
            _, (run,) = await stage.runs(path)
        assert run.result.value == "[true,true]"

    play(tmp_path, story, main=MAIN)


def test_outside_of_runs_there_is_none() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend([current.run, current.is_guarded]))
    thread.start()
    thread.join()
    assert [current.run, current.is_guarded, *found] == [None, False, None, False]
