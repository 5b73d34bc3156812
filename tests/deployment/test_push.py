"""A push switches code and schema in one commit, wakes what it changed, and fails nobody."""

from __future__ import annotations

import asyncio

import pytest

from rewake.auth import ANONYMOUS
from rewake.database import SchemaMismatch
from rewake.execution import FunctionCall, Success, Visibility
from tests.deployment.stage import NOTES, RUNS_IN, SCHEMA, CallFailed, Stage, play
from tests.deployment.watcher import Watcher

OTHER = """
    from rewake import QueryCtx, query

    @query
    def answer(ctx: QueryCtx) -> int:
        return 41
"""
CALLER = """
    from rewake import QueryCtx, query

    @query
    def by_name(ctx: QueryCtx) -> float:
        return ctx.run_query("other:answer") + 100

    @query
    def missing(ctx: QueryCtx) -> str:
        try:
            return ctx.run_query("later:answer")
        except Exception:
            return "not yet"
"""
IMPORTS = """
    from rewake import QueryCtx, query
    from .library import FACTOR

    @query
    def times(ctx: QueryCtx) -> int:
        return FACTOR
"""


def test_only_queries_of_changed_modules_wake(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("notes:count")
        watcher.add("other:answer")
        await watcher.reached(0)
        assert not (await stage.push()).functions_changed
        assert stage.deployment.live.wakes == 0
        report = await stage.push(other=OTHER.replace("41", "42"))
        assert report.functions_changed == ("other:answer",)
        assert stage.deployment.live.wakes == 1
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: 0.0, 1: 42.0}

    play(tmp_path, story, schema=SCHEMA, notes=NOTES, other=OTHER)


def test_a_query_depends_on_the_code_that_it_calls_by_name_and_that_it_imports(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("caller:by_name")
        watcher.add("caller:missing")
        watcher.add("imports:times")
        await watcher.reached(0)
        assert watcher.shown == {0: 141.0, 1: "not yet", 2: 2.0}
        later = OTHER.replace("int", "str").replace("41", "'here'")
        await stage.push(other=OTHER.replace("41", "42"), library="FACTOR = 3", later=later)
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: 142.0, 1: "here", 2: 3.0}

    play(tmp_path, story, other=OTHER, caller=CALLER, imports=IMPORTS, library="FACTOR = 2")


def test_a_schema_that_documents_do_not_fit_leaves_the_old_code_serving(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("notes:in_room", room="a")
        id = await stage.mutate("notes:add", room="a", n=1)
        before, wakes = stage.deployment.analysis, stage.deployment.live.wakes
        with pytest.raises(SchemaMismatch) as caught:
            await stage.push(
                schema=SCHEMA.replace("n: int", "n: str"), notes=NOTES.replace("n: int", "n: str")
            )
        assert caught.value.fields["table"] == "notes"
        assert caught.value.fields["id"] == id
        assert caught.value.fields["path"] == ".n"
        assert f'Document with ID "{id}" in table "notes"' in caught.value.message
        assert stage.deployment.analysis is before
        assert stage.deployment.live.wakes == wakes
        await stage.mutate("notes:add", room="a", n=2)
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: [1.0, 2.0]}

    play(tmp_path, story)


def test_a_report_names_what_changed(tmp_path):
    async def story(stage: Stage) -> None:
        report = await stage.push(
            schema=SCHEMA.replace('by_room = Index("room", "n")', 'by_n = Index("n")')
            + "\n    class Extra(Document, table='extras'):\n        x: int\n",
            notes="",
            other=OTHER,
        )
        assert report.tables_added == ("extras",)
        assert [name.split(".")[-1] for name in report.indexes_added] == ["by_n"]
        assert [name.split(".")[-1] for name in report.indexes_removed] == ["by_room"]
        assert report.functions_added == ("other:answer",)
        assert "notes:count" in report.functions_removed
        assert not report.is_empty
        assert (await stage.push()).is_empty

    play(tmp_path, story)


def test_new_code_never_meets_the_old_schema_nor_old_code_the_new(tmp_path):
    old = {"schema": SCHEMA, "notes": NOTES}
    new = {
        "schema": SCHEMA.replace('by_room = Index("room", "n")', 'by_place = Index("room", "n")'),
        "notes": NOTES.replace("by_room", "by_place"),
    }

    async def story(stage: Stage) -> None:
        await stage.mutate("notes:add", room="a", n=1)
        watcher = Watcher(stage.deployment)
        watcher.add("notes:in_room", room="a")
        is_over = False

        async def ask() -> None:
            while not is_over:
                # Past the cache, so that every turn runs on a snapshot of its own.
                result, _ = await stage.deployment.live.read_many(
                    [question], ANONYMOUS, Visibility.PUBLIC, at=None
                )
                assert isinstance(result[0].result, Success), result[0].result
                await stage.mutate("notes:add", room="b", n=1)

        question = FunctionCall("notes:in_room", '{"room":"a"}')
        asking = [asyncio.ensure_future(ask()) for _ in range(4)]
        # Loading takes a process of its own a third of a second.
        for _ in range(15 if RUNS_IN["place"] == "threads" else 3):
            for modules in (new, old):
                await stage.push(**modules)
                await asyncio.sleep(0)
        is_over = True
        await asyncio.gather(*asking)
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.failures == []
        assert watcher.shown == {0: [1.0]}

    play(tmp_path, story, **old)


def test_a_function_that_is_gone_fails_its_watchers_and_recovers_with_it(tmp_path):
    async def story(stage: Stage) -> None:
        watcher = Watcher(stage.deployment)
        watcher.add("other:answer")
        await watcher.reached(0)
        await stage.push(other="")
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.failures == ["Could not find public function for 'other:answer'.\n"]
        with pytest.raises(CallFailed):
            await stage.query("other:answer")
        await stage.push(other=OTHER)
        await watcher.reached(stage.deployment.last_ts)
        assert watcher.shown == {0: 41.0}

    play(tmp_path, story, other=OTHER)
