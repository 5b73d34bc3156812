"""The contract of a Runner, which threads and worker processes keep alike.

What only one of them promises is told in `test_inline_runner.py` and `test_worker_runner.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rewake.database import SchemaMismatch
from rewake.execution import DocumentSource, ProjectInvalid, RunnerClosed
from rewake.execution.code_switch import CodeReplaced
from rewake.execution.runner import GroupReport
from rewake.storage import LogRow, LogWrite
from tests.execution.worker_stage import MAIN, SCHEMA, CallFailed, Stage, play


@pytest.fixture(params=["threads", "processes"])
def place(request: pytest.FixtureRequest) -> str:
    """Where functions run."""
    place: str = request.param
    return place


def test_a_report_says_which_tables_were_written_to() -> None:
    rows = [LogRow(ts, "", (LogWrite(ts, b"id", None, None, ()),)) for ts in (3, 7)]
    report = GroupReport(tuple(rows), 7)
    assert report.tablets == {3, 7}
    assert GroupReport((), 7).tablets == set()


def test_what_functions_say_comes_with_the_record_of_their_run(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(CallFailed, match="Uncaught ValueError: no\n    at talk"):
            await stage.mutate("main:talk")
        await stage.query("main:get", name="a")
        failed, read = stage.call_log.records
        assert tuple(map(str, failed.log_lines)) == ("[LOG] 'printed' 1", "[WARN] 'logged'")
        assert failed.traceback is not None
        assert 'raise ValueError("no")' in failed.traceback
        assert (read.path, read.kind, read.error) == ("main:get", "query", None)

    play(tmp_path, story, place=place)


def test_new_code_is_taken_without_failing_a_call(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        stopped = False
        counts: list[float] = []

        async def write() -> None:
            while not stopped:
                counts.append(await stage.mutate("main:increment", name="a"))

        async def read() -> None:
            while not stopped:
                assert await stage.query("main:get", name="a") >= 0

        busy = [asyncio.ensure_future(work()) for work in (write, write, read, read)]
        for version in range(3):
            extra = f"\n    @query\n    def version(ctx: QueryCtx) -> float:\n        return {version}\n"
            await stage.push(main=MAIN + extra)
            assert await stage.query("main:version") == version
            assert stage.runner.code_hash("main:version") == stage.runner.analysis.module_hashes["main"]
        stopped = True
        await asyncio.gather(*busy)
        assert sorted(counts) == [float(n) for n in range(1, len(counts) + 1)]

    play(tmp_path, story, place=place)


def test_code_that_cannot_be_loaded_leaves_the_old_serving(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        before = stage.runner.analysis
        with pytest.raises(ProjectInvalid, match=r"main.py cannot be imported. ZeroDivisionError") as caught:
            await stage.push(main="1 / 0")
        assert caught.value.traceback is not None
        assert await stage.mutate("main:increment", name="a") == 1
        assert stage.runner.analysis is before

    play(tmp_path, story, place=place)


def test_a_schema_that_documents_do_not_fit_leaves_the_old_serving(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        with pytest.raises(SchemaMismatch) as caught:
            await stage.push(schema=SCHEMA.replace("value: float", "value: str"))
        annotations = {"name": "str", "value": "str"}
        assert caught.value.fields["source"] == DocumentSource("Counter", "schema", annotations)
        assert await stage.mutate("main:increment", name="a") == 2
        assert await stage.query("main:get", name="a") == 2

    play(tmp_path, story, place=place)


def test_a_push_reports_what_changed(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        more = '\n    class Other(Document, table="others"):\n        a: float\n        by_a = Index("a")\n'
        change = await stage.push(schema=SCHEMA + more)
        assert (change.tables_added, change.indexes_added) == (["others"], ["others.by_a"])

    play(tmp_path, story, place=place)


def test_a_past_snapshot_can_be_read(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        outcome = await stage.outcome("main:increment", name="a")
        await stage.mutate("main:increment", name="a")
        assert await stage.query("main:get", at=outcome.ts, name="a") == 1

    play(tmp_path, story, place=place)


def test_older_data_never_meets_new_code(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        before = await stage.outcome("main:increment", name="a")
        await stage.push()  # Nothing is new, and nothing is refused.
        assert await stage.query("main:get", at=before.ts, name="a") == 1
        await stage.push(main=MAIN.replace("counter.value\n", "counter.value + 100\n"))
        after = await stage.outcome("main:increment", name="a")
        await stage.mutate("main:increment", name="a")
        assert await stage.query("main:get", at=after.ts, name="a") == 102
        assert await stage.query("main:get", at=before.ts, name="a") == 1, "its own code is still here"
        await stage.push(main=MAIN.replace("counter.value\n", "counter.value + 200\n"))
        assert await stage.query("main:get", at=after.ts, name="a") == 102
        if place == "processes":
            # One past is kept. Threads have the code of a few more.
            with pytest.raises(
                CodeReplaced, match=r"Read at a newer timestamp: `/api/query_ts` gives the latest\."
            ):
                await stage.query("main:get", at=before.ts, name="a")
        assert await stage.query("main:get", name="a") == 203, "the reader goes on"

    play(tmp_path, story, place=place)


def test_code_of_an_earlier_life_is_not_run_on_newer_code_s_data(tmp_path: Path, place: str) -> None:
    seen: list[int] = []

    async def first(stage: Stage) -> None:
        seen.append((await stage.outcome("main:increment", name="a")).ts)

    async def second(stage: Stage) -> None:
        assert await stage.query("main:get", at=seen[0], name="a") == 1
        await stage.push(main=MAIN + "\n    # Other code now.\n")

    async def third(stage: Stage) -> None:
        with pytest.raises(CodeReplaced):
            await stage.query("main:get", at=seen[0], name="a")

    for story in (first, second):
        play(tmp_path, story, place=place, data=tmp_path / "data.sqlite3")
    play(tmp_path, third, place=place, data=tmp_path / "data.sqlite3", main=MAIN + "\n    # Third.\n")


def test_closing_finishes_what_was_handed_in_and_takes_nothing_more(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        calls = [asyncio.ensure_future(stage.mutate("main:increment", name="a")) for _ in range(50)]
        await asyncio.wait([asyncio.ensure_future(asyncio.wait(calls[:1]))])
        await stage.runner.close()
        assert await asyncio.gather(*calls) == [float(n) for n in range(1, 51)]
        with pytest.raises(RunnerClosed):
            await stage.mutate("main:increment", name="a")
        with pytest.raises(RunnerClosed):
            await stage.query("main:get", name="a")
        with pytest.raises(RunnerClosed):
            await stage.push()
        with pytest.raises(RunnerClosed):
            await stage.runner.trim()

    play(tmp_path, story, place=place)


def test_trimming_runs_in_the_writer(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        assert (await stage.runner.trim()).log_rows == 0

    play(tmp_path, story, place=place)
