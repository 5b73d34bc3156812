"""The driver of scheduled functions, on a real deployment whose house may have trouble."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import AdminKey
from rewake.database import ScheduledJob, next_due_ms, pending_jobs
from rewake.deployment import Deployment
from rewake.environment import Environment, SystemClock
from rewake.errors import RewakeError, Unavailable
from rewake.execution import Failure, RunnerClosed, Success
from rewake.functions import FunctionKind
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.scheduling import Scheduler, lineup, scheduler
from rewake.scheduling.scheduler import LOST
from tests.deployment.stage import Stage as Words
from tests.deployment.stage import load

SOURCE = """
    import asyncio
    from typing import Any
    from rewake import ActionCtx, Document, MutationCtx, QueryCtx, action, internal_mutation, mutation, query

    class Note(Document, table="notes"):
        text: str

    @mutation
    def later(ctx: MutationCtx, seconds: float, text: str, name: str = "m:write") -> str:
        return ctx.scheduler.run_after(seconds, name, text=text)

    @mutation
    def many(ctx: MutationCtx, count: int, seconds: float) -> None:
        for number in range(count):
            ctx.scheduler.run_after(seconds, "m:write", text=str(number))

    @mutation
    def cancel(ctx: MutationCtx, id: str) -> None:
        ctx.scheduler.cancel(id)

    @internal_mutation
    def write(ctx: MutationCtx, text: str) -> None:
        ctx.db.insert(Note(text=text))

    @mutation
    def fail(ctx: MutationCtx, text: str) -> None:
        ctx.db.insert(Note(text="never " + text))
        raise ValueError(text)

    @action
    async def act(ctx: ActionCtx, text: str) -> None:
        await ctx.run_mutation(write, text=text)

    @query
    def notes(ctx: QueryCtx) -> list[str]:
        return [note.text for note in ctx.db.query(Note)]

    @query
    def jobs(ctx: QueryCtx) -> list[Any]:
        return [job["state"] for job in ctx.db.system.query("_scheduled_functions").collect()]
"""
PENDING, SUCCESS = {"kind": "pending"}, {"kind": "success"}


class MovableClock(SystemClock):
    """The clocks of the machine, of which the wall clock can be set."""

    def __init__(self) -> None:
        self.set_by_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.set_by_ns


class House:
    """A deployment as a scheduler sees it, with trouble of the test's making."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.trouble: list[RewakeError | Success | Failure] = []
        """What the next runs come to, instead of running."""
        self.system_trouble: dict[str, list[RewakeError]] = {}
        self.reads = 0
        self.runs: list[str] = []
        self.most_at_once = 0
        self._at_once = 0
        self.gate: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deployment, name)

    async def read(self, work: Callable[[Any], Any]) -> Any:
        self.reads += 1
        return await self._deployment.read(work)

    async def run_scheduled(self, kind: FunctionKind, job: ScheduledJob) -> Success | Failure:
        self.runs.append(job.args)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.trouble:
                result = self.trouble.pop(0)
                if isinstance(result, RewakeError):
                    raise result
                return result
            return await self._deployment.run_scheduled(kind, job)
        finally:
            self._at_once -= 1

    async def run_system(self, path: str, args: str) -> Success | Failure:
        trouble = self.system_trouble.get(path.partition(":")[2])
        if trouble:
            raise trouble.pop(0)
        return await self._deployment.run_system(path, args)


class Stage:
    def __init__(self, deployment: Deployment, clock: MovableClock) -> None:
        self.deployment = deployment
        self.clock = clock
        self.house = House(deployment)
        self.scheduler = Scheduler(self.house)
        self.waits: list[tuple[float | None, float]] = []
        """What the scheduler waited for, each time that it had nothing to do."""
        wait = self.scheduler._wait

        async def told(*, until_ms: float | None, seconds: float) -> None:
            self.waits.append((until_ms, seconds))
            await wait(until_ms=until_ms, seconds=seconds)

        self.scheduler._wait = told  # type: ignore[method-assign]

    async def mutate(self, path: str, /, **args: Any) -> Any:
        return await Words(self.deployment, Path()).mutate(path, **args)

    async def query(self, path: str) -> Any:
        return await Words(self.deployment, Path()).query(path)

    async def later(self, text: str, seconds: float = 0.0, name: str = "m:write") -> str:
        id: str = await self.mutate("m:later", seconds=seconds, text=text, name=name)
        return id

    async def until_waiting(self, due_ms: float | None) -> None:
        """Wait until the scheduler has nothing to do before this time of the wall clock."""
        while not self.waits or self.waits[-1] != (due_ms, 60.0):
            await asyncio.sleep(0)

    async def until(self, path: str, wanted: Any) -> None:
        """Wait until a query answers so."""
        while await self.query(path) != wanted:
            await asyncio.sleep(0)


def play(
    root: Path, story: Callable[[Stage], Coroutine[Any, Any, None]], *, limits: Limits = DEFAULT_LIMITS
) -> None:
    async def run() -> None:
        clock = MovableClock()
        deployment = await Deployment.open(
            data=":memory:",
            registry=load(root, m=SOURCE),
            name="test",
            version="0",
            admin_key=AdminKey("test|aa"),
            environment=Environment(clock=clock),
            limits=limits,
            keeps_house=False,
        )
        stage = Stage(deployment, clock)
        try:
            await asyncio.wait_for(story(stage), 60)
        finally:
            if stage.house.gate is not None:
                stage.house.gate.set()
            await asyncio.wait_for(stage.scheduler.close(), 10)
            await asyncio.wait_for(deployment.close(), 10)

    asyncio.run(run())


# By itself.


def test_it_runs_what_is_due_and_waits_for_what_is_not(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.scheduler.start()
        await stage.later("far", 3600)
        await stage.later("soon", 0.05)
        await stage.later("now")
        await stage.later("acted", 0, "m:act")
        while len(await stage.query("m:notes")) < 3:
            await asyncio.sleep(0)
        assert sorted(await stage.query("m:notes")) == ["acted", "now", "soon"]
        await stage.until("m:jobs", [PENDING, SUCCESS, SUCCESS, SUCCESS])
        assert len(stage.house.runs) == 3

    play(tmp_path, story)


def test_it_waits_for_the_next_due_time_and_does_not_look_at_the_database_meanwhile(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.later("far", 3600)
        await stage.scheduler.start()
        due_ms = await stage.deployment.read(next_due_ms)
        await stage.until_waiting(due_ms)
        before = stage.house.reads
        for _ in range(100):
            await asyncio.sleep(0)
        assert stage.waits == [(due_ms, 60.0)]
        assert stage.house.reads == before

    play(tmp_path, story)


def test_no_more_run_at_once_than_the_limit_says(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.gate = asyncio.Event()
        for n in range(10):
            await stage.later(str(n))
        await stage.scheduler.start()
        while len(stage.house.runs) < 3:
            await asyncio.sleep(0)
        await stage.until_waiting(None)  # There is no place, so no time matters.
        assert stage.house.most_at_once == 3
        assert stage.house.runs == [f'{{"text":"{n}"}}' for n in range(3)], "the one due longest first"
        stage.house.gate.set()
        await stage.until("m:jobs", [SUCCESS] * 10)
        assert stage.house.most_at_once == 3
        assert sorted(await stage.query("m:notes")) == [str(n) for n in range(10)]

    play(tmp_path, story, limits=replace(DEFAULT_LIMITS, scheduled_running_max=3))


def test_a_backlog_of_thousands_is_not_held_in_memory(tmp_path: Path) -> None:
    """Half of it is due and half is not. What is fetched and held follows from how many may run."""
    fetched: list[int] = []

    def jobs_held() -> int:
        gc.collect()
        return sum(isinstance(each, ScheduledJob) for each in gc.get_objects())

    async def story(stage: Stage) -> None:
        read = stage.house.read

        async def counted(work: Callable[[Any], Any]) -> Any:
            found = await read(work)
            fetched.append(len(found) if isinstance(found, list) else 1)
            return found

        stage.house.read = counted  # type: ignore[method-assign]
        for seconds in (0.0, 3600.0):
            for _ in range(10):
                await stage.mutate("m:many", count=1_000, seconds=seconds)
        stage.house.gate = asyncio.Event()
        await stage.scheduler.start()
        while len(stage.house.runs) < 3:
            await asyncio.sleep(0)
        assert jobs_held() <= 9, "those that run, and those of one look"
        stage.house.gate.set()
        while len(stage.house.runs) < 300:
            await asyncio.sleep(0)
        assert jobs_held() <= 9, "those that run, and those of one look"
        stage.scheduler.stop()
        assert max(fetched) <= 6
        pending = await stage.deployment.read(lambda reads: pending_jobs(reads, limit=20_000))
        assert len(pending) > 19_000, "the backlog was there all the time"

    play(tmp_path, story, limits=replace(DEFAULT_LIMITS, scheduled_running_max=3))


# Trouble.


def test_a_job_that_could_not_be_run_is_tried_again_and_holds_up_no_other(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.trouble = [Unavailable("the disk is full"), Unavailable("still")]
        await stage.later("first")
        await stage.scheduler.start()
        while not stage.house.runs:
            await asyncio.sleep(0)
        # While that one waits, the next due time is that of this one.
        stage.house.trouble.append(Success("null"))
        await stage.later("second", 0.05)
        while '{"text":"second"}' not in stage.house.runs:
            await asyncio.sleep(0)
        assert stage.house.runs.count('{"text":"first"}') == 1, "it waits for half a second"
        stage.house.trouble = []
        while "first" not in await stage.query("m:notes"):
            await asyncio.sleep(0)

    play(tmp_path, story)


def test_an_action_without_a_place_goes_back_to_the_line(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.trouble = [Unavailable("too many")]
        await stage.later("acted", 0, "m:act")
        await stage.scheduler.start()
        await stage.until("m:jobs", [SUCCESS])
        assert await stage.query("m:notes") == ["acted"]
        assert len(stage.house.runs) == 2

    play(tmp_path, story)


def test_the_outcome_of_an_action_is_kept_as_soon_as_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_RETRY_SECONDS", 0.01)

    async def story(stage: Stage) -> None:
        stage.house.system_trouble["finish"] = [Unavailable("full"), Unavailable("full")]
        await stage.later("acted", 0, "m:act")
        await stage.scheduler.start()
        await stage.until("m:jobs", [SUCCESS])
        assert len(stage.house.runs) == 1, "an action runs once"

    play(tmp_path, story)


def test_a_mutation_that_was_cut_off_fails_its_job_and_does_not_run_for_ever(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.trouble = [Failure("Your request timed out.\n")]
        await stage.later("hangs")
        assert await stage.scheduler.run_due() == 1
        assert await stage.query("m:jobs") == [{"kind": "failed", "error": "Your request timed out."}]

    play(tmp_path, story)


def test_a_job_that_waited_for_another_try_and_was_cancelled_keeps_nobody_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineup, "_RETRY_SECONDS_MIN", 0.05)

    async def story(stage: Stage) -> None:
        stage.house.trouble = [Unavailable("no")]
        id = await stage.later("gone")
        await stage.scheduler.start()
        while not stage.house.runs:
            await asyncio.sleep(0)
        await stage.mutate("m:cancel", id=id)
        await stage.until_waiting(None)
        assert len(stage.house.runs) == 1

    play(tmp_path, story)


def test_trouble_with_looking_is_got_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_RETRY_SECONDS", 0.01)
    trouble: list[Exception] = [Unavailable("no disk"), ValueError("a mistake of the house")]

    async def story(stage: Stage) -> None:
        read = stage.house.read

        async def troubled(work: Callable[[Any], Any]) -> Any:
            if trouble:
                raise trouble.pop()
            return await read(work)

        monkeypatch.setattr(stage.house, "read", troubled, raising=False)
        await stage.later("now")
        await stage.scheduler.start()
        await stage.until("m:jobs", [SUCCESS])

    play(tmp_path, story)


# Starting and ending.


def test_actions_that_ran_when_the_last_server_ended_have_failed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        id = await stage.later("lost", 0, "m:act")
        other = await stage.later("kept", 3600, "m:act")
        begun = {"id": id, "name": "m.js:act", "args": "{}"}
        await stage.deployment.run_system("_system/scheduler:begin", json.dumps(begun))
        await stage.scheduler.start()
        await stage.until("m:jobs", [{"kind": "failed", "error": LOST}, PENDING])
        assert LOST == "Transient error while executing action"
        assert stage.house.runs == []
        assert other != id

    play(tmp_path, story)


def test_a_stopped_scheduler_begins_nothing_and_waits_for_what_runs(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.house.gate = asyncio.Event()
        await stage.later("runs")
        await stage.scheduler.start()
        while not stage.house.runs:
            await asyncio.sleep(0)
        stage.scheduler.stop()
        await stage.later("waits")
        closing = asyncio.create_task(stage.scheduler.close())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not closing.done()
        stage.house.gate.set()
        await closing
        assert await stage.query("m:jobs") == [SUCCESS, PENDING]

    play(tmp_path, story)


def test_an_action_that_was_refused_because_the_house_closes_is_pending_for_the_next_start(
    tmp_path: Path,
) -> None:
    async def story(stage: Stage) -> None:
        stage.house.trouble = [RunnerClosed()]
        await stage.later("acted", 0, "m:act")
        assert await stage.scheduler.run_due() == 1
        assert await stage.query("m:jobs") == [PENDING]

    play(tmp_path, story)


# The wall clock.


def test_a_clock_that_is_set_forward_makes_due_what_lies_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_CLOCK_SECONDS", 0.01)

    async def story(stage: Stage) -> None:
        await stage.later("tomorrow", 86_400)
        await stage.scheduler.start()
        await stage.until_waiting(await stage.deployment.read(next_due_ms))
        assert await stage.query("m:notes") == []
        stage.clock.set_by_ns = 86_401 * 10**9
        await stage.until("m:notes", ["tomorrow"])

    play(tmp_path, story)


def test_a_clock_that_is_set_back_makes_jobs_wait_for_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_CLOCK_SECONDS", 0.01)

    async def story(stage: Stage) -> None:
        await stage.later("soon", 0.2)
        stage.clock.set_by_ns = -3600 * 10**9
        await stage.scheduler.start()
        await stage.later("now")
        await stage.until("m:notes", ["now"])
        await stage.until_waiting(await stage.deployment.read(next_due_ms))
        assert await stage.query("m:notes") == ["now"]
        stage.clock.set_by_ns = 0
        await stage.until("m:notes", ["now", "soon"])

    play(tmp_path, story)


# Forgetting.


def test_jobs_are_forgotten_when_they_were_over_for_long_enough(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for n in range(250):
            await stage.deployment.run_system(
                "_system/scheduler:schedule",
                json.dumps({"arguments": {}, "at_ms": float(n), "name": "m.js:nothing", "parent": None}),
            )
        await stage.scheduler.run_due()
        stage.clock.set_by_ns = 6 * 86_400 * 10**9
        await stage.scheduler.trim()
        assert len(await stage.query("m:jobs")) == 250
        stage.clock.set_by_ns = 8 * 86_400 * 10**9
        young = await stage.later("young")
        await stage.scheduler.run_due()
        await stage.scheduler.trim()
        assert await stage.query("m:jobs") == [SUCCESS]
        assert young

    play(tmp_path, story)
