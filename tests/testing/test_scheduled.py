"""Scheduled functions in the hand of a test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rewake import (
    ActionCtx,
    Document,
    MutationCtx,
    QueryCtx,
    action,
    internal_action,
    internal_mutation,
    mutation,
    query,
)
from rewake.testing import Backend, RunUnderWay, ScheduledWithoutEnd


class Entry(Document, table="entries"):
    text: str
    at: float


@internal_mutation
def note(ctx: MutationCtx, text: str) -> None:
    ctx.db.insert(Entry(text=text, at=ctx.now))


@internal_mutation
def again(ctx: MutationCtx, seconds: float) -> None:
    ctx.scheduler.run_after(seconds, again, seconds=seconds)


@internal_mutation
def fails(ctx: MutationCtx) -> None:
    raise ValueError("no")


@internal_action
async def relay(ctx: ActionCtx, text: str) -> None:
    await ctx.run_mutation(note, text=text)
    await ctx.scheduler.run_after(0, note, text=text + " once more")


@mutation
def plan(ctx: MutationCtx, text: str, seconds: float) -> str:
    return ctx.scheduler.run_after(seconds, note, text=text)


@mutation
def plan_others(ctx: MutationCtx, name: str, seconds: float) -> str:
    known: dict[str, Any] = {"again": again, "fails": fails, "relay": relay}
    given: dict[str, Any] = {"again": {"seconds": 60.0}, "fails": {}, "relay": {"text": "relayed"}}
    return ctx.scheduler.run_after(seconds, known[name], **given[name])


@query
def texts(ctx: QueryCtx) -> list[str]:
    return [entry.text for entry in ctx.db.query(Entry)]


@query
def states(ctx: QueryCtx) -> list[Any]:
    return [job["state"] for job in ctx.db.system.query("_scheduled_functions").collect()]


@action
async def act(ctx: ActionCtx) -> None:
    await ctx.scheduler.run_after(0, note, text="of an action")


FUNCTIONS = (note, again, fails, relay, plan, plan_others, texts, states, act)


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions(*FUNCTIONS) as made:
        yield made


def test_nothing_runs_by_itself(backend: Backend) -> None:
    backend.mutation(plan, text="now", seconds=0)
    backend.clock.advance(hours=1)
    assert backend.query(texts) == []
    assert backend.run_scheduled() == 1
    assert backend.query(texts) == ["now"]
    assert backend.run_scheduled() == 0


def test_what_is_scheduled_can_be_looked_at(backend: Backend) -> None:
    assert backend.scheduled() == []
    later = backend.mutation(plan, text="later", seconds=90)
    soon = backend.mutation(plan, text="soon", seconds=1)
    one, two = backend.scheduled()
    assert (one.id, two.id) == (soon, later)
    assert one.path == "testing/test_scheduled:note"
    assert one.arguments == {"text": "soon"}
    assert two.at - backend.clock.now == timedelta(seconds=90)


def test_only_what_is_due_runs_and_what_becomes_due_by_it(backend: Backend) -> None:
    backend.mutation(plan_others, name="relay", seconds=5)
    backend.mutation(plan, text="later", seconds=60)
    assert backend.run_scheduled() == 0
    backend.clock.advance(5)
    assert backend.run_scheduled() == 2
    assert backend.query(texts) == ["relayed", "relayed once more"]
    assert [job.arguments for job in backend.scheduled()] == [{"text": "later"}]


def test_live_queries_have_heard_of_it(backend: Backend) -> None:
    with backend.watch(texts) as live:
        backend.mutation(plan, text="now", seconds=0)
        assert live.value == []
        backend.run_scheduled()
        assert live.value == ["now"]


def test_finishing_moves_the_clock_from_job_to_job(backend: Backend) -> None:
    start = backend.clock.now
    backend.mutation(plan, text="day", seconds=86_400)
    backend.mutation(plan, text="minute", seconds=60)
    backend.action(act)
    assert backend.finish_scheduled() == 3
    assert backend.query(texts) == ["of an action", "minute", "day"]
    passed = backend.clock.now - start
    assert timedelta(days=1) <= passed < timedelta(days=1, seconds=1)
    times = backend.run(lambda ctx: [entry.at for entry in ctx.db.query(Entry)])
    assert times[1] - times[0] == pytest.approx(60_000, abs=1)


def test_finishing_without_moving_the_clock_runs_what_is_due(backend: Backend) -> None:
    backend.mutation(plan, text="now", seconds=0)
    backend.mutation(plan, text="later", seconds=1)
    assert backend.finish_scheduled(advance=False) == 1
    assert backend.query(texts) == ["now"]


def test_a_function_that_schedules_itself_again_and_again_is_told_of(backend: Backend) -> None:
    backend.mutation(plan_others, name="again", seconds=0)
    with pytest.raises(ScheduledWithoutEnd) as told:
        backend.finish_scheduled(at_most=10)
    assert told.value.message == (
        "10 scheduled functions ran, and testing/test_scheduled:again is still pending. Raise `at_most`; or, "
        "where a function schedules itself again and again, call `run_scheduled` and move the clock yourself."
    )
    assert backend.query(states).count({"kind": "success"}) == 10
    # Without moving the clock it is one at a time.
    assert backend.run_scheduled() == 0
    backend.clock.advance(60)
    assert backend.run_scheduled() == 1


def test_a_loop_without_pause_is_told_of_as_well(backend: Backend) -> None:
    backend.run(lambda ctx: ctx.scheduler.run_after(0, again, seconds=0.0))
    with pytest.raises(ScheduledWithoutEnd):
        backend.run_scheduled(at_most=20)


def test_exactly_as_many_as_allowed_are_no_trouble(backend: Backend) -> None:
    for n in range(3):
        backend.mutation(plan, text=str(n), seconds=n)
    assert backend.finish_scheduled(at_most=3) == 3
    backend.mutation(plan, text="due", seconds=0)
    backend.mutation(plan, text="later", seconds=9)
    assert backend.run_scheduled(at_most=1) == 1


def test_one_that_fails_says_so_in_its_document(backend: Backend) -> None:
    backend.mutation(plan_others, name="fails", seconds=0)
    assert backend.run_scheduled() == 1
    [state] = backend.query(states)
    assert state["kind"] == "failed"
    assert state["error"].startswith("Uncaught ValueError: no")


def test_a_full_disk_leaves_it_pending_for_another_try(backend: Backend) -> None:
    backend.mutation(plan, text="kept", seconds=0)
    with backend.faults.disk_full():
        assert backend.run_scheduled() == 1
    assert backend.query(states) == [{"kind": "pending"}]
    assert backend.finish_scheduled() == 1
    assert backend.query(texts) == ["kept"]


def test_a_lost_outcome_does_not_run_it_twice(backend: Backend) -> None:
    backend.mutation(plan, text="once", seconds=0)
    backend.faults.arm("group.after_commit_before_outcome")
    backend.finish_scheduled()
    assert backend.query(texts) == ["once"]
    assert backend.query(states) == [{"kind": "success"}]


def test_a_restart_finds_what_was_pending_and_fails_what_was_lost(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite"
    with Backend.from_functions(*FUNCTIONS, data=data) as backend:
        backend.mutation(plan, text="survives", seconds=0)
        backend.mutation(plan_others, name="relay", seconds=0)
        # The action's end cannot be kept: begin, its two calls, and then the disk fails.
        backend.faults.arm("group.before_commit", after=4, times=1000)
        backend.run_scheduled()
        backend.faults.disarm()
    with Backend.from_functions(*FUNCTIONS, data=data, seed=1) as backend:
        backend.finish_scheduled()
        kinds = sorted(state["kind"] for state in backend.query(states))
        assert "pending" not in kinds
        assert "inProgress" not in kinds
        assert backend.query(texts).count("survives") == 1
        assert backend.query(texts).count("relayed") <= 1


def test_inside_a_block_nothing_can_run(backend: Backend) -> None:
    with backend.run(), pytest.raises(RunUnderWay):
        backend.run_scheduled()
