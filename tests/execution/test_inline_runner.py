"""The inline runner as a whole. Its parts have tests of their own; `tests/deployment` drives it harder."""

from __future__ import annotations

import asyncio

import pytest

from rewake.auth import ANONYMOUS
from rewake.database import Database
from rewake.environment import Environment
from rewake.execution import FunctionCall, InlineRunner, QueryJob, RunnerClosed, Visibility
from tests.deployment.stage import NOTES, SCHEMA, load


def test_it_refuses_work_before_its_start_and_after_its_close(tmp_path):
    async def run() -> None:
        database = Database.open(":memory:", environment=Environment())
        runner = InlineRunner(database, load(tmp_path, schema=SCHEMA, notes=NOTES))
        with pytest.raises(RunnerClosed):
            await runner.change(lambda group: None)
        assert await runner.start(lambda report: None) == 0
        await runner.close()
        await runner.close()
        with pytest.raises(RunnerClosed):
            await runner.change(lambda group: None)
        with pytest.raises(RunnerClosed):
            await runner.open_wave([])
        database.close()

    asyncio.run(run())


def test_closing_what_was_never_started_ends_at_once(tmp_path):
    async def run() -> None:
        database = Database.open(":memory:", environment=Environment())
        await asyncio.wait_for(InlineRunner(database, load(tmp_path, notes="")).close(), 2)
        database.close()

    asyncio.run(run())


def test_a_run_tells_what_it_depended_on(tmp_path):
    source = """
        from rewake import QueryCtx, query

        @query
        def plain(ctx: QueryCtx) -> int:
            return 1

        @query
        def looks(ctx: QueryCtx) -> int:
            ctx.auth.get_user_identity()
            return int(ctx.now)
    """

    async def run() -> None:
        database = Database.open(":memory:", environment=Environment())
        registry = load(tmp_path, m=source)
        runner = InlineRunner(database, registry)
        await runner.start(lambda report: None)
        names = ("m:plain", "m:looks", "nothing:f")
        jobs = [QueryJob(FunctionCall(name, "{}"), ANONYMOUS, Visibility.PUBLIC) for name in names]
        wave = await runner.open_wave(jobs)
        plain, looks, missing = wave.runs
        await wave.close()
        assert (plain.read_identity, plain.read_clock) == (False, False)
        assert (looks.read_identity, looks.read_clock) == (True, True)
        assert plain.code_hash == registry.module_hashes["m"]
        assert missing.code_hash == ""
        # Each depends on its module, the missing one too, and on nothing else.
        assert len(plain.read_set) == len(missing.read_set) == 1
        assert plain.read_set != missing.read_set
        await runner.close()
        database.close()

    asyncio.run(run())
