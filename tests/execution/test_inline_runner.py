"""The inline runner as a whole. Its parts have tests of their own; `tests/deployment` drives it harder."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS
from rewake.database import Database
from rewake.environment import Environment
from rewake.execution import (
    FunctionCall,
    InlineRunner,
    LoadingTooSlow,
    QueryJob,
    RunnerClosed,
    Success,
    Visibility,
    read_settings,
)
from rewake.limits import DEFAULT_LIMITS
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
        asker = ANONYMOUS.fingerprint
        jobs = [QueryJob(FunctionCall(name, "{}"), asker, Visibility.PUBLIC) for name in names]
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


def test_a_push_that_never_ends_loading_is_given_up_and_the_old_code_serves_on(tmp_path):
    source = """
        from rewake import QueryCtx, query

        @query
        def version(ctx: QueryCtx) -> int:
            return {version}
    """

    async def version(runner: InlineRunner) -> object:
        job = QueryJob(FunctionCall("m:version", "{}"), ANONYMOUS.fingerprint, Visibility.PUBLIC)
        wave = await runner.open_wave([job])
        await wave.close()
        return wave.runs[0].result

    async def run() -> None:
        limits = replace(DEFAULT_LIMITS, load_seconds_max=5.0)
        database = Database.open(":memory:", environment=Environment(), limits=limits)
        runner = InlineRunner(database, load(tmp_path / "old", m=source.format(version=1)))
        await runner.start(lambda report: None)
        await runner.push(runner.registry, invocation="first")
        endless = tmp_path / "new"
        load(endless, m=source.format(version=2))
        path = endless / "backend" / "zeal.py"
        path.write_text("while True:\n    pass\n")
        settings = read_settings(endless)
        with pytest.raises(LoadingTooSlow, match=r"while backend/zeal\.py was being imported"):
            await runner.push(settings, invocation="second")
        assert await version(runner) == Success("1.0")
        path.unlink()
        await runner.push(settings, invocation="third")
        assert await version(runner) == Success("2.0")
        await runner.close()
        database.close()

    asyncio.run(run())


def test_every_run_of_a_query_has_an_id_of_its_own(tmp_path):
    # Ids are drawn many at a time: more runs than one draw gives.
    async def run() -> None:
        database = Database.open(":memory:", environment=Environment())
        runner = InlineRunner(database, load(tmp_path, notes=""))
        await runner.start(lambda report: None)
        try:
            unknown = QueryJob(FunctionCall("notes:none", "{}"), ANONYMOUS.fingerprint, Visibility.PUBLIC)
            wave = await runner.open_wave([unknown] * 150)
            ids = [run.result.run_id for run in wave.runs]
            await wave.close()
            assert len(set(ids)) == 150
            assert {len(id) for id in ids} == {16}
        finally:
            await runner.close()
            database.close()

    asyncio.run(run())
