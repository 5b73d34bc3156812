"""Semantics 6.6: functions that run again and again, as applications see them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from rewake import (
    ActionCtx,
    BlockingActionCtx,
    Crons,
    Document,
    MutationCtx,
    QueryCtx,
    internal_action,
    internal_mutation,
    query,
)
from rewake.execution import ProjectInvalid, Registry
from rewake.limits import DEFAULT_LIMITS
from rewake.testing import Backend, CronRun
from rewake.testing.collected import collected

HERE = "semantics/test_6_crons"
LIMITS = replace(DEFAULT_LIMITS, cron_splay_seconds=0)
BEGUN, PUSHED = Event(), Event()


class Tick(Document, table="ticks"):
    text: str


@internal_mutation
def tick(ctx: MutationCtx, text: str = "") -> str:
    print("tick", text)
    ctx.db.insert(Tick(text=text))
    return text


@internal_mutation
def fail(ctx: MutationCtx) -> None:
    print("so far")
    ctx.db.insert(Tick(text="never"))
    raise ValueError("no")


@internal_mutation
def read_too_much(ctx: MutationCtx) -> None:
    for _ in range(DEFAULT_LIMITS.documents_read_max + 1):
        ctx.db.query(Tick).first()


@internal_mutation
def who(ctx: MutationCtx) -> None:
    job = ctx.meta.get_request_metadata().scheduled_function_id
    ctx.db.insert(Tick(text=f"{ctx.auth.get_user_identity()} {job}"))


@internal_action
async def act(ctx: ActionCtx, text: str) -> str:
    print("acting")
    await ctx.run_mutation(tick, text=text)
    return text + f" {ctx.meta.get_request_metadata().scheduled_function_id}"


@internal_action
async def look(ctx: ActionCtx) -> None:
    await ctx.run_mutation(tick, text=str([state for _, state, _ in await ctx.run_query(states)]))


@internal_action
def hold(ctx: BlockingActionCtx, text: str) -> None:
    ctx.run_mutation(tick, text=text)
    BEGUN.set()
    assert PUSHED.wait(10)


@internal_mutation
def plan(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(0, tick, text="planned")


@query
def texts(ctx: QueryCtx) -> list[str]:
    return [tick.text for tick in ctx.db.query(Tick)]


@query
def states(ctx: QueryCtx) -> list[Any]:
    return [
        [cron["identifier"], cron["state"]["kind"], cron["scheduledTime"]]
        for cron in ctx.db.system.query("_crons").collect()
    ]


def project(listed: Callable[[Crons], None]) -> list[ModuleType]:
    module = ModuleType("backend.crons")
    module.crons = Crons()  # type: ignore[attr-defined]
    listed(module.crons)
    return [sys.modules[__name__], module]


def code(listed: Callable[[Crons], None]) -> Registry:
    return collected(project(listed), schema=None, documents=())


Made = Callable[..., Backend]


@pytest.fixture
def make() -> Iterator[Made]:
    made: list[Backend] = []

    def make(listed: Callable[[Crons], None], **options: Any) -> Backend:
        backend = Backend.from_modules(*project(listed), **({"limits": LIMITS} | options))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        backend.close()


def next_times(backend: Backend) -> dict[str, datetime]:
    return {cron.name: cron.at for cron in backend.crons()}


def last_run(backend: Backend) -> CronRun:
    [cron] = backend.crons()
    return cron.runs[-1]


def outcomes(backend: Backend) -> list[str]:
    [cron] = backend.crons()
    return [run.outcome for run in cron.runs]


def at(backend: Backend, *clock: int, day: int = 22) -> None:
    """Move to a time of 22 November 2026, a Sunday."""
    backend.clock.move_to(datetime(2026, 11, day, *clock, tzinfo=UTC))


def day(*clock: int, month: int = 11, day: int = 22) -> datetime:
    return datetime(2026, month, day, *clock, tzinfo=UTC)


# When.


def test_6_6_an_interval_runs_at_deploy_and_then_after_the_time_of_the_run_before(make: Made) -> None:
    backend = make(lambda crons: crons.interval("often", minutes=5).run(tick, text="a"))
    start = backend.clock.now
    assert backend.query(texts) == [], "nothing runs by itself in a test"
    assert backend.run_crons() == 1
    assert backend.run_crons() == 0
    assert next_times(backend) == {"often": start + timedelta(minutes=5)}
    backend.clock.advance(minutes=6)
    assert backend.run_crons() == 1
    assert next_times(backend) == {"often": start + timedelta(minutes=10)}, "not eleven"
    assert backend.query(texts) == ["a", "a"]


def test_6_6_calendar_kinds_run_at_the_next_matching_instant_in_utc(make: Made) -> None:
    backend = make(lambda crons: None)
    at(backend, 12, 30)

    def listed(crons: Crons) -> None:
        crons.hourly("hourly", minute_utc=15).run(tick)
        crons.daily("daily", hour_utc=12, minute_utc=30).run(tick)
        crons.weekly("weekly", day_of_week="monday", hour_utc=0, minute_utc=0).run(tick)
        crons.monthly("monthly", day=31, hour_utc=4, minute_utc=5).run(tick)
        crons.cron("cron", "*/20 13 * * *").run(tick)

    backend.push(code(listed))
    assert next_times(backend) == {
        "hourly": day(13, 15),
        "daily": day(12, 30, day=23),
        "weekly": day(0, 0, day=23),
        "monthly": day(4, 5, month=12, day=31),
        "cron": day(13, 0),
    }
    assert backend.run_crons() == 0, "only intervals run at deploy"
    at(backend, 13, 15)
    assert backend.run_crons() == 2
    assert next_times(backend)["hourly"] == day(14, 15)
    assert next_times(backend)["cron"] == day(13, 20)


def test_6_6_months_that_lack_the_day_are_skipped(make: Made) -> None:
    backend = make(lambda crons: crons.monthly("last", day=31, hour_utc=0, minute_utc=0).run(tick))
    backend.clock.move_to(day(0, 0, month=12, day=31))
    backend.run_crons()
    assert next_times(backend) == {"last": datetime(2027, 1, 31, tzinfo=UTC)}
    backend.clock.move_to(datetime(2027, 1, 31, tzinfo=UTC))
    backend.run_crons()
    assert next_times(backend) == {"last": datetime(2027, 3, 31, tzinfo=UTC)}


def test_6_6_a_minute_left_out_is_a_random_one_that_stays(make: Made) -> None:
    def listed(crons: Crons) -> None:
        for n in range(30):
            crons.daily(f"cron {n}", hour_utc=4).run(tick)

    backend = make(listed, limits=DEFAULT_LIMITS)
    first = next_times(backend)
    assert {moment.hour for moment in first.values()} == {4}
    assert len({moment.minute for moment in first.values()}) > 5
    backend.clock.advance(days=1)
    assert backend.run_crons() == 30
    for name, moment in next_times(backend).items():
        assert moment - first[name] in (timedelta(days=1), timedelta(days=2)), "sticky"


def test_6_6_runs_are_splayed_over_their_minute(make: Made) -> None:
    def listed(crons: Crons) -> None:
        for n in range(30):
            crons.hourly(f"cron {n}", minute_utc=7).run(tick)

    backend = make(listed, limits=DEFAULT_LIMITS)
    moments = next_times(backend).values()
    assert {moment.minute for moment in moments} == {7}
    assert len({moment.second for moment in moments}) > 5


# Deploys.


def test_6_6_a_push_adds_updates_and_deletes_and_leaves_the_others_their_time(make: Made) -> None:
    def first(crons: Crons) -> None:
        crons.interval("kept", hours=1).run(tick, text="kept")
        crons.interval("changed", hours=1).run(tick, text="old")
        crons.interval("deleted", hours=1).run(tick, text="deleted")

    def second(crons: Crons) -> None:
        crons.interval("kept", hours=1).run(tick, text="kept")
        crons.interval("changed", hours=1).run(tick, text="new")
        crons.interval("added", hours=2).run(act, text="added")

    backend = make(first)
    start = backend.clock.now
    assert backend.run_crons() == 3
    backend.clock.advance(minutes=10)
    backend.push(code(second))
    now = start + timedelta(minutes=10)
    assert next_times(backend) == {"added": now, "changed": now, "kept": start + timedelta(hours=1)}
    assert backend.run_crons() == 2
    assert sorted(backend.query(texts)) == ["added", "deleted", "kept", "new", "old"]
    report = backend.loop.run(backend.deployment.push(code(first)))
    assert (report.crons_added, report.crons_updated, report.crons_deleted) == (
        ("deleted",),
        ("changed",),
        ("added",),
    )


def test_6_6_a_push_that_fails_changes_no_cron(make: Made) -> None:
    backend = make(lambda crons: crons.interval("often", minutes=5).run(tick, text="old"))
    before = backend.crons()
    backend.faults.arm("group.before_commit")
    with pytest.raises(Exception, match="armed"):
        backend.push(code(lambda crons: crons.interval("often", minutes=5).run(tick, text="new")))
    assert backend.crons() == before


def test_6_6_crons_are_part_of_the_analysis_and_exported(make: Made) -> None:
    def listed(crons: Crons) -> None:
        crons.interval("often", minutes=5).run(tick, text="a")
        crons.weekly("seldom", day_of_week="friday", hour_utc=9).run(f"{HERE}:act", text="b")

    assert code(listed).analysis().export_crons() == {
        "often": {
            "name": f"{HERE}:tick",
            "args": [{"text": "a"}],
            "schedule": {"type": "interval", "minutes": 5},
        },
        "seldom": {
            "name": f"{HERE}:act",
            "args": [{"text": "b"}],
            "schedule": {"type": "weekly", "dayOfWeek": "friday", "hourUTC": 9},
        },
    }


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        (lambda crons: crons.hourly("x"), "The cron x runs nothing: say what with `.run(function, ...)`."),
        (lambda crons: crons.hourly("x").run(texts), "is a query, and only mutations and actions can be"),
        (lambda crons: crons.hourly("x").run("no:where"), "nonexistent path: no.js:where"),
        (lambda crons: crons.hourly("x").run(tick, text=object()), "The cron x cannot run. "),
        (lambda crons: crons.hourly("x").run(len), "The cron x cannot run. "),
    ],
)
def test_6_6_a_cron_that_cannot_run_is_refused_before_anything_is_deployed(
    listed: Callable[[Crons], None], text: str
) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        code(listed)
    assert text in refused.value.message
    assert refused.value.message.startswith("backend/crons.py: ")


# Runs.


def test_6_6_the_last_five_runs_are_kept_with_status_log_lines_and_result(make: Made) -> None:
    backend = make(lambda crons: crons.interval("often", minutes=5).run(tick, text="x" * 2_000))
    start = backend.clock.now
    for _ in range(7):
        assert backend.run_crons() == 1
        backend.clock.advance(minutes=5)
    [cron] = backend.crons()
    assert [run.due for run in cron.runs] == [start + timedelta(minutes=5 * n) for n in range(2, 7)]
    assert {run.outcome for run in cron.runs} == {"success"}
    assert cron.runs[0].log_lines == (f"[LOG] 'tick' '{'x' * 2_000}'",)
    with backend.run() as ctx:
        runs = ctx.db.system.query("_cron_runs").collect()
    assert [len(run["status"]["result"]) for run in runs] == [1_000] * 5
    assert runs[0]["status"]["isTruncated"] is True


def test_6_6_a_failed_mutation_left_nothing_and_the_cron_goes_on(make: Made) -> None:
    backend = make(lambda crons: crons.interval("fails", minutes=5).run(fail))
    for _ in range(2):
        assert backend.run_crons() == 1
        backend.clock.advance(minutes=5)
    run = last_run(backend)
    assert run.outcome == "failed"
    assert run.error is not None
    assert run.error.startswith("Uncaught ValueError: no")
    assert run.log_lines == ("[LOG] 'so far'",)
    assert outcomes(backend) == ["failed", "failed"]
    assert backend.query(texts) == []


def test_6_6_one_that_used_up_its_limits_fails_once_as_well(make: Made) -> None:
    backend = make(lambda crons: crons.interval("reads", minutes=5).run(read_too_much))
    backend.run(lambda ctx: ctx.db.insert(Tick(text="a")))
    assert backend.run_crons() == 1
    assert backend.run_crons() == 0
    assert "Too many documents read" in str(last_run(backend).error)


def test_6_6_arguments_are_checked_when_it_runs(make: Made) -> None:
    backend = make(lambda crons: crons.interval("wrong", minutes=5).run(f"{HERE}:tick", text=5))
    backend.run_crons()
    assert "ArgumentValidationError" in str(last_run(backend).error)


def test_6_6_actions_run_and_nobody_is_signed_in(make: Made) -> None:
    def listed(crons: Crons) -> None:
        crons.interval("acts", minutes=5).run(act, text="acted")
        crons.interval("who", minutes=5).run(who)

    backend = make(listed)
    assert backend.run_crons() == 2
    acts, _ = backend.crons()
    assert acts.runs[0].result == "acted None"
    assert acts.runs[0].log_lines == ("[LOG] 'acting'",)
    assert sorted(backend.query(texts)) == ["None None", "acted"]


def test_6_6_what_a_cron_schedules_runs_as_anything_scheduled(make: Made) -> None:
    backend = make(lambda crons: crons.interval("plans", minutes=5).run(plan))
    backend.run_crons()
    assert backend.finish_scheduled() == 1
    assert backend.query(texts) == ["planned"]


def test_6_6_runs_that_were_missed_are_skipped_and_said_to_be(make: Made, caplog: Any) -> None:
    backend = make(lambda crons: crons.interval("often", minutes=5).run(tick))
    start = backend.clock.now
    backend.run_crons()
    backend.clock.advance(minutes=32)
    assert backend.run_crons() == 1, "the one that was due first, late"
    assert backend.query(texts) == ["", ""]
    assert next_times(backend) == {"often": start + timedelta(minutes=35)}
    assert outcomes(backend) == ["success", "success", "canceled"]
    [cron] = backend.run(lambda ctx: ctx.db.system.query("_crons").collect())
    line = f"Skipping 5 run(s) of job {cron['_id']} because multiple scheduled runs are in the past"
    run = last_run(backend)
    assert (run.skipped, run.log_lines, run.due) == (5, (line,), start + timedelta(minutes=10))
    assert line in caplog.messages


def test_6_6_a_downtime_skips_and_keeps_the_times(tmp_path: Path) -> None:
    def listed(crons: Crons) -> None:
        crons.daily("nightly", hour_utc=4, minute_utc=0).run(tick, text="night")

    options: Any = {"data": tmp_path / "data.sqlite", "limits": LIMITS}
    with Backend.from_modules(*project(listed), **options) as backend:
        at(backend, 5)
        backend.run_crons()
        before = next_times(backend)
    with Backend.from_modules(*project(listed), seed=1, **options) as backend:
        assert next_times(backend) == before, "a start is a push, and nothing has changed"
        at(backend, 12, day=25)
        assert backend.run_crons() == 1
        assert outcomes(backend)[-1] == "canceled"
        assert last_run(backend).skipped == 2
        assert next_times(backend) == {"nightly": day(4, 0, day=26)}


def test_6_6_a_slow_run_is_not_joined_by_the_next(make: Made) -> None:
    """The run under way is found in progress, and what came due meanwhile is skipped at its end."""
    backend = make(lambda crons: crons.interval("looks", seconds=10).run(look))
    backend.deployment.environment.reach = (  # type: ignore[misc]
        lambda point: backend.clock.advance(35) if point == "scheduler.action_ran" else None
    )
    assert backend.run_crons() == 1
    # It looks for itself: a screen may be shown the state before and the state after, and none between.
    assert backend.query(texts) == ["['inProgress']"]
    assert last_run(backend).skipped == 3


def test_6_6_a_run_under_way_at_a_push_ends_and_then_the_new_plan_holds(make: Made) -> None:
    backend = make(lambda crons: crons.interval("acts", seconds=10).run(hold, text="old"))
    start = backend.clock.now
    new = code(lambda crons: crons.interval("acts", hours=1).run(tick, text="new"))
    PUSHED.clear()
    running = backend.loop.begin(backend.deployment.crons.run_due())
    assert BEGUN.wait(10)
    backend.push(new)
    [cron] = backend.run(lambda ctx: ctx.db.system.query("_crons").collect())
    assert cron["state"] == {"kind": "inProgress"}
    PUSHED.set()
    assert running.result(10) == 2
    assert backend.query(texts) == ["old", "new"]
    assert next_times(backend) == {"acts": start + timedelta(hours=1)}
