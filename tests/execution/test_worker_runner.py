"""Functions in processes of their own: whatever becomes of those, callers notice nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from rewake.database import ReplayKey
from rewake.environment import KILL_POINT_VARIABLE
from rewake.execution import LimitReached, ProjectInvalid, Success, WorkerLost
from rewake.limits import DEFAULT_LIMITS
from tests.execution.worker_stage import FORGETFUL, MAIN, CallFailed, Stage, play, query_job, value_of

HASTY = replace(DEFAULT_LIMITS, function_seconds_max=0.2)
RUSHED = replace(DEFAULT_LIMITS, system_seconds_max=0.4)


def is_stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def family(process: int | None = None) -> list[int]:
    """The processes below one, of all its threads."""
    found = []
    with suppress(OSError):  # It ends while we look.
        for thread in Path(f"/proc/{process or os.getpid()}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *family(child)]
    return found


def test_functions_run_in_other_processes_and_the_front_imports_none_of_them(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        writer, reader = await stage.mutate("main:writer_process"), await stage.query("main:reader_process")
        assert len({writer, reader, float(os.getpid())}) == 3
        files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
        assert not any(file.startswith(str(tmp_path)) for file in files)
        assert "main:crash" in [facts.path.public for facts in stage.runner.analysis.functions]

    play(tmp_path, story)


COLLECTED = """
    import gc
    from rewake import QueryCtx, query

    WHILE_LOADING, WISH = gc.get_threshold(), {wish}
    if WISH:
        gc.set_threshold(*WISH)

    @query
    def seen(ctx: QueryCtx) -> list[list[int]]:
        return [list(WHILE_LOADING), list(gc.get_threshold())]
"""


@pytest.mark.parametrize("wish", [(), (900, 5, 5)])
def test_garbage_is_looked_for_seldom_while_a_project_loads_and_as_ever_afterwards(
    tmp_path: Path, wish: tuple[int, ...]
) -> None:
    async def story(stage: Stage) -> None:
        await stage.push(m=COLLECTED.format(wish=wish))
        loading, running = await stage.query("m:seen")
        assert loading[0] > usual[0]
        assert running == list(wish or usual)

    usual = gc.get_threshold()
    play(tmp_path, story)


def test_what_is_handed_in_together_goes_to_the_writer_in_one_piece(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert stage.runner._seat.worker is not None
        sending, pieces = stage.runner._seat.worker._sending, []
        write = sending.write

        class Noted:
            """The pipe to the writer, with an ear on it."""

            is_closing, close = sending.is_closing, sending.close
            write_eof = sending.write_eof

            @staticmethod
            def write(data: bytes) -> None:
                pieces.append(data)
                write(data)

        stage.runner._seat.worker._sending = Noted
        values = await asyncio.gather(*(stage.mutate("main:increment", name="a") for _ in range(5)))
        assert values == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert len(pieces) == 1

    play(tmp_path, story)


LIMITED = """
    from rewake import MutationCtx, QueryCtx, mutation, query
    from .schema import Counter

    @mutation
    def write(ctx: MutationCtx, times: int) -> None:
        for n in range(times):
            ctx.db.insert(Counter(name=str(n), value=0.0))

    @query
    def deployment(ctx: QueryCtx) -> str:
        return ctx.meta.get_deployment_metadata().name
"""


def test_limits_hold_in_workers_and_what_was_reached_comes_back(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.push(limited=LIMITED)
        with pytest.raises(
            CallFailed, match=r"Too many writes .*\n\[setting documents_written_max, observed 6,"
        ):
            await stage.mutate("limited:write", times=6)
        assert stage.call_log.records[-1].limit == LimitReached(
            "TooManyWrites", "documents_written_max", observed=6, limit=5
        )
        await stage.mutate("limited:write", times=4)
        (line,) = stage.call_log.records[-1].log_lines
        assert (line.level, line.code) == ("WARN", "warning:TooManyWrites")
        assert await stage.query("limited:deployment") == "app"

    play(tmp_path, story, limits=replace(DEFAULT_LIMITS, documents_written_max=5))


@pytest.mark.parametrize("replayed", [False, True])
def test_deaths_of_the_writer_lose_nothing_and_double_nothing(tmp_path: Path, replayed: bool) -> None:
    clients, calls = 8, 40
    answered: list[float] = []

    async def story(stage: Stage) -> None:
        async def client(number: int) -> None:
            for call in range(calls):
                replay = ReplayKey(f"session {number}", call) if replayed else None
                answered.append(await stage.mutate("main:increment", replay, name="a"))
                if len(answered) % 37 == 0:
                    stage.kill_writer()

        await asyncio.gather(*(client(number) for number in range(clients)))
        total = clients * calls
        # Each answer is the value that one run left: none was run twice, none was told a value not stored.
        assert sorted(answered) == [float(n) for n in range(1, total + 1)]
        assert await stage.query("main:get", name="a") == total
        stamps = [row.ts for row in stage.rows if row.invocation.startswith("call")]
        assert len(stamps) == total
        assert stamps == sorted(set(stamps)), "every row was told once, in order"

    play(tmp_path, story, data=tmp_path / "data.sqlite3")


@pytest.mark.parametrize(
    "point", ["group.after_savepoint:5", "group.before_commit:3", "group.after_commit_before_outcome:3"]
)
def test_a_writer_that_dies_at_the_worst_point_is_noticed_by_nobody(
    tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILL_POINT_VARIABLE, point)

    async def story(stage: Stage) -> None:
        before = await stage.mutate("main:writer_process")
        answered = await asyncio.gather(*(stage.mutate("main:increment", name="a") for _ in range(30)))
        answered += [await stage.mutate("main:increment", name="a") for _ in range(10)]
        assert answered == [float(n) for n in range(1, 41)]
        assert await stage.query("main:get", name="a") == 40
        assert await stage.mutate("main:writer_process") != before, "it did die"

    play(tmp_path, story, data=tmp_path / "data.sqlite3")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the state of a process in /proc")
@pytest.mark.parametrize("point", ["group.after_savepoint", "group.before_commit"])
def test_nothing_of_a_group_is_told_before_it_is_committed(tmp_path: Path, point: str) -> None:
    async def story(stage: Stage) -> None:
        writer = int(await stage.mutate("main:writer_process"))
        await stage.mutate("main:stop_in_next_group", point=point)
        records, reports = len(stage.call_log.records), len(stage.rows)
        calls = [asyncio.ensure_future(stage.mutate("main:increment", name="a")) for _ in range(3)]
        while not is_stopped(writer):
            await asyncio.sleep(0)
        # Whatever it had to say before it was stopped has been heard.
        assert await stage.query("main:get", name="a") == 0
        assert not any(call.done() for call in calls)
        assert len([each for each in stage.call_log.records if each.kind == "mutation"]) == records
        assert len(stage.rows) == reports
        os.kill(writer, signal.SIGCONT)
        assert await asyncio.gather(*calls) == [1, 2, 3]
        assert await stage.mutate("main:writer_process") == writer

    play(tmp_path, story)


@pytest.mark.parametrize("point", ["wave.after_snapshot:3", "wave.before_answer:2"])
def test_a_reader_that_dies_at_the_worst_point_is_noticed_by_nobody(
    tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KILL_POINT_VARIABLE, point)

    async def story(stage: Stage) -> None:
        first = set(stage.runner._readers._current)
        await stage.mutate("main:increment", name="a")
        for _ in range(6):
            _, runs = await stage.runs("main:get", "main:get", name="a")
            assert [run.result for run in runs] == [Success("1.0"), Success("1.0")]
        assert any(not worker.is_alive for worker in first), "one did die"

    play(tmp_path, story)


@pytest.mark.skipif(sys.platform != "linux", reason="counts what is open in /proc")
def test_many_pushes_leave_no_process_and_no_descriptor_behind(tmp_path: Path) -> None:
    others = set(family())  # Of fixtures that outlive a test, and what the test before left to end.

    def count() -> tuple[int, int]:
        return len(set(family()) - others), len(os.listdir("/proc/self/fd"))

    async def story(stage: Stage) -> None:
        first = count()
        assert first[0] == 4, "a template, a writer, two readers"
        for version in range(6):
            await stage.push(main=MAIN + f"\n    # Version {version}.\n")
            if version == 3:
                with pytest.raises(ProjectInvalid):
                    await stage.push(main="1 / 0")
            assert await stage.mutate("main:increment", name="a") == version + 1
            while count() > first:
                await asyncio.sleep(0)  # Those that were replaced are still ending.

    play(tmp_path, story, limits=FORGETFUL)


def test_deaths_of_readers_are_noticed_by_no_wave(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        seen = 0

        async def ask() -> None:
            nonlocal seen
            for _ in range(25):
                _, runs = await stage.runs("main:get", "main:get", name="a")
                assert [run.result for run in runs] == [Success("1.0"), Success("1.0")]
                seen += 1
                if seen % 12 == 0:
                    stage.kill_readers()

        await asyncio.gather(*(ask() for _ in range(4)))

    play(tmp_path, story)


def test_a_wave_goes_on_at_its_own_timestamp_when_its_reader_dies(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        wave = await stage.runner.open_wave([query_job("main:get", name="a")])
        await stage.mutate("main:increment", name="a")
        stage.kill_readers()
        (run,) = await wave.more([query_job("main:get", name="a")])
        assert run.result == Success("1.0")
        await wave.close()
        assert await stage.query("main:get", name="a") == 2

    play(tmp_path, story)


def test_a_wave_without_more_gives_its_reader_back_at_once_and_knows_its_timestamp(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        wave = await stage.runner.open_wave([query_job("main:get", name="a")], is_all=True)
        await stage.mutate("main:increment", name="a")
        # Of the one reader, which the first wave does not hold.
        assert await stage.query("main:get", name="a") == 2
        (run,) = await wave.more([query_job("main:get", name="a")])
        assert run.result == Success("1.0")
        await wave.close()
        assert await stage.query("main:get", name="a") == 2

    play(tmp_path, story, readers=1)


def test_a_reader_whose_caller_went_away_is_at_rest_for_the_next(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for is_all in (False, True):
            opening = asyncio.ensure_future(
                stage.runner.open_wave([query_job("main:get", name="a")], is_all=is_all)
            )
            while not stage.runner._readers.busy:
                await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            wave = await stage.runner.open_wave([query_job("main:get", name="a")])
            assert wave.runs[0].result == Success("0.0")
            await wave.close()
            assert await stage.query("main:get", name="a") == 0

    play(tmp_path, story, readers=1)


def test_a_wave_whose_reader_dies_during_a_push_is_given_up(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        wave = await stage.runner.open_wave([query_job("main:get", name="a")])
        reader = wave._worker  # type: ignore[attr-defined]
        await stage.push(main=MAIN + "\n    # Other code now.\n")
        assert (await wave.more([query_job("main:get", name="a")]))[0].result == Success("0.0")
        os.kill(reader.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            await wave.more([query_job("main:get", name="a")])
        await wave.close()
        assert await stage.query("main:get", name="a") == 0

    play(tmp_path, story)


def test_a_function_that_crashes_its_process_fails_alone(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        crash, *others = await asyncio.gather(
            stage.outcome("main:crash"), *(stage.mutate("main:increment", name="a") for _ in range(5))
        )
        assert crash.result.message.startswith("Function main:crash ended the worker process that ran it")
        assert sorted(others) == [1, 2, 3, 4, 5]
        assert await stage.query("main:get", name="crash") == 0
        _, (bad, good) = await stage.runs("main:crash_reading", "main:reader_process")
        assert bad.result.message.startswith("Function main:crash_reading ended the worker process")
        assert bad.read_set.intervals, "new code is tried"
        assert isinstance(good.result, Success)
        errors = [record.path for record in stage.call_log.records if record.error]
        assert errors == ["main:crash", "main:crash_reading"]

    play(tmp_path, story)


@pytest.mark.parametrize("name", ["spin", "cling"])
def test_a_function_that_computes_for_too_long_is_interrupted_and_its_process_lives(
    tmp_path: Path, name: str
) -> None:
    text = r"^Function execution timed out \(maximum duration: 0.2s\)\n\[setting function_seconds_max, "

    async def story(stage: Stage) -> None:
        writer = await stage.mutate("main:writer_process")
        endless = asyncio.ensure_future(stage.mutate(f"main:{name}"))
        others = [asyncio.ensure_future(stage.mutate("main:increment", name="a")) for _ in range(3)]
        with pytest.raises(CallFailed, match=text):
            await endless
        assert await asyncio.gather(*others) == [1, 2, 3]
        _, (bad, good) = await stage.runs(f"main:{name}_reading", "main:reader_process")
        with pytest.raises(CallFailed, match=text):
            value_of(bad.result)
        assert value_of(good.result) in await asyncio.gather(
            *(stage.query("main:reader_process") for _ in range(2))
        )
        assert await stage.query("main:get", name=name) == 0, "it was rolled back"
        assert await stage.mutate("main:writer_process") == writer
        assert stage.runner._pace.revivals == 0
        failed = [record for record in stage.call_log.records if record.error]
        assert len(failed) == 2
        if name == "spin":
            assert failed[0].traceback is not None
            assert "in spin" in failed[0].traceback
            assert "_tick" not in failed[0].traceback

    play(tmp_path, story, limits=HASTY, readers=1)


def test_a_function_that_never_ends_is_cut_off_with_its_process(tmp_path: Path) -> None:
    text = (
        r"^Your request timed out performing too many system operations.\n"
        r"\[setting system_seconds_max, observed more than 0.4, limit 0.4\]\n$"
    )

    async def story(stage: Stage) -> None:
        waiting = asyncio.ensure_future(stage.mutate("main:wait"))
        others = [asyncio.ensure_future(stage.mutate("main:increment", name="a")) for _ in range(3)]
        with pytest.raises(CallFailed, match=text):
            await waiting
        assert await asyncio.gather(*others) == [1, 2, 3]
        with pytest.raises(CallFailed, match=text):
            await stage.query("main:wait_reading")
        assert await stage.query("main:get", name="wait") == 0

    play(tmp_path, story, limits=RUSHED)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what is meant")
def test_a_worker_is_started_again_with_the_code_that_serves_whatever_lies_on_disk(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.mutate("main:increment", name="a") == 1
        shutil.rmtree(tmp_path / "backend")
        stage.kill_writer()
        stage.kill_readers()
        assert await stage.mutate("main:increment", name="a") == 2
        assert await stage.query("main:get", name="a") == 2

    play(tmp_path, story)


def test_a_lost_template_is_loaded_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("main:increment", name="a")
        template = stage.runner._template
        assert template is not None
        os.kill(template._process.pid, signal.SIGKILL)
        assert await asyncio.gather(*(stage.mutate("main:increment", name="a") for _ in range(3))) == [
            2,
            3,
            4,
        ]
        await template.ended
        async with asyncio.timeout(60):
            while stage.runner._template is template:
                await asyncio.sleep(0)
        assert await stage.query("main:get", name="a") == 4

    play(tmp_path, story)
