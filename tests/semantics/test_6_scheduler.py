"""Semantics 3.7, 5.8, 6.5: functions that run later, as applications see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

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
from rewake.limits import DEFAULT_LIMITS
from rewake.testing import Backend, FunctionFailed

HERE = "semantics/test_6_scheduler"


class Note(Document, table="notes"):
    text: str


# Functions.


@internal_mutation
def write(ctx: MutationCtx, text: str) -> None:
    ctx.db.insert(Note(text=text))


@internal_mutation
def fail(ctx: MutationCtx, text: str) -> None:
    ctx.db.insert(Note(text=text))
    ctx.scheduler.run_after(0, write, text="never")
    raise ValueError(text)


@internal_mutation
def read_too_much(ctx: MutationCtx) -> None:
    ctx.db.insert(Note(text="never"))
    for _ in range(DEFAULT_LIMITS.documents_read_max + 1):
        ctx.db.query(Note).first()


@internal_mutation
def look_at_itself(ctx: MutationCtx) -> None:
    id = ctx.meta.get_request_metadata().scheduled_function_id
    assert id is not None
    job = ctx.db.system.get(id)
    assert job is not None
    ctx.db.insert(Note(text=f"{job['state']['kind']} {ctx.auth.get_user_identity()}"))


@internal_mutation
def cancel_itself(ctx: MutationCtx) -> None:
    id = ctx.meta.get_request_metadata().scheduled_function_id
    assert id is not None
    ctx.scheduler.cancel(id)


@internal_action
async def act(ctx: ActionCtx, text: str) -> str | None:
    await ctx.run_mutation(write, text=text)
    return ctx.meta.get_request_metadata().scheduled_function_id


@internal_action
async def act_and_fail(ctx: ActionCtx) -> None:
    await ctx.scheduler.run_after(0, write, text="kept")
    raise ValueError("no")


@internal_action
async def cancel_and_go_on(ctx: ActionCtx) -> None:
    id = ctx.meta.get_request_metadata().scheduled_function_id
    assert id is not None
    await ctx.scheduler.cancel(id)
    await ctx.scheduler.run_after(0, write, text="born cancelled")
    await ctx.run_mutation(write, text="the code goes on")
    await ctx.run_mutation(write_later, text="born cancelled")
    await ctx.run_action(act_later, text="born cancelled")


@internal_mutation
def write_later(ctx: MutationCtx, text: str) -> None:
    ctx.scheduler.run_after(0, write, text=text)


@internal_action
async def act_later(ctx: ActionCtx, text: str) -> None:
    await ctx.scheduler.run_after(0, write, text=text)
    await ctx.run_mutation(write_later, text=text)


@mutation
def plan(ctx: MutationCtx, name: str, arguments: Any, seconds: float = 0.0) -> str:
    return ctx.scheduler.run_after(seconds, name, **arguments)


@mutation
def plan_and_fail(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(0, write, text="never")
    raise ValueError("no")


@mutation
def plan_many(ctx: MutationCtx, count: int, size: int = 0) -> None:
    for n in range(count):
        ctx.scheduler.run_after(n, write, text="x" * size)


@mutation
def cancel(ctx: MutationCtx, id: str) -> None:
    ctx.scheduler.cancel(id)


@action
async def plan_in_action(ctx: ActionCtx, text: str) -> str:
    return await ctx.scheduler.run_after(timedelta(seconds=1), write, text=text)


@query
def jobs(ctx: QueryCtx) -> list[Any]:
    return ctx.db.system.query("_scheduled_functions").collect()


@query
def texts(ctx: QueryCtx) -> list[str]:
    return [note.text for note in ctx.db.query(Note)]


FUNCTIONS = (
    write, fail, look_at_itself, cancel_itself, act, act_and_fail, cancel_and_go_on, write_later, act_later,
    plan, plan_and_fail, plan_many, cancel, plan_in_action, jobs, texts,
    read_too_much,
)  # fmt: skip


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions(*FUNCTIONS) as made:
        yield made


def planned(backend: Backend, name: str, seconds: float = 0.0, /, **arguments: Any) -> str:
    return backend.mutation(plan, name=f"{HERE}:{name}", arguments=arguments, seconds=seconds)


def states(backend: Backend) -> list[Any]:
    return [job["state"] for job in backend.query(jobs)]


def kinds(backend: Backend) -> list[str]:
    return [state["kind"] for state in states(backend)]


def refusal(work: Any, /, *args: Any, **arguments: Any) -> str:
    with pytest.raises(FunctionFailed) as refused:
        work(*args, **arguments)
    return refused.value.message


# Documents and states.


def test_3_7_a_job_is_a_document_that_queries_watch(backend: Backend) -> None:
    with backend.watch(jobs) as live:
        id = planned(backend, "write", 60, text="later")
        [job] = live.value
        assert job["_id"] == id
        assert job["name"] == f"{HERE}.js:write"
        assert job["args"] == [{"text": "later"}]
        assert job["scheduledTime"] == backend.clock.now_ms + 60_000
        assert job["state"] == {"kind": "pending"}
        assert "completedTime" not in job
        backend.finish_scheduled()
        [job] = live.value
        assert job["state"] == {"kind": "success"}
        assert job["completedTime"] == pytest.approx(job["scheduledTime"], abs=1)
        assert len(live.history) == 3, "what happens inside the transaction is not seen"


def test_3_7_an_action_is_seen_in_progress(backend: Backend) -> None:
    with backend.watch(jobs) as live:
        planned(backend, "act", text="a")
        backend.run_scheduled()
        assert [[job["state"]["kind"] for job in each] for each in live.history] == [
            [], ["pending"], ["inProgress"], ["success"],
        ]  # fmt: skip


def test_6_5_a_failed_mutation_leaves_its_error_and_nothing_else(backend: Backend) -> None:
    planned(backend, "fail", text="no")
    backend.run_scheduled()
    [state] = states(backend)
    assert state["kind"] == "failed"
    assert state["error"].startswith("Uncaught ValueError: no\n    at fail (")
    assert backend.query(texts) == []
    assert backend.scheduled() == [], "what it scheduled went with it"


def test_6_5_one_that_used_up_its_limits_fails_once_as_well(backend: Backend) -> None:
    planned(backend, "read_too_much")
    assert backend.run_scheduled() == 1
    assert backend.run_scheduled() == 0
    assert kinds(backend) == ["failed"]
    assert backend.query(texts) == []


def test_6_5_a_failed_action_leaves_its_error_and_all_that_it_did(backend: Backend) -> None:
    planned(backend, "act_and_fail")
    backend.run_scheduled()
    assert kinds(backend) == ["failed", "success"]
    assert backend.query(texts) == ["kept"]


def test_6_5_a_running_mutation_sees_itself_in_progress_and_nobody_signed_in(backend: Backend) -> None:
    backend.as_user("ann").mutation(plan, name=f"{HERE}:look_at_itself", arguments={})
    backend.run_scheduled()
    assert backend.query(texts) == ["inProgress None"]


# Transactions.


def test_6_5_scheduling_is_part_of_the_mutation(backend: Backend) -> None:
    refusal(backend.mutation, plan_and_fail)
    assert backend.query(jobs) == []


def test_6_5_in_an_action_it_takes_effect_at_once(backend: Backend) -> None:
    id = backend.action(plan_in_action, text="later")
    assert [job.id for job in backend.scheduled()] == [id]
    backend.finish_scheduled()
    assert backend.query(texts) == ["later"]


def test_6_5_a_time_that_has_passed_is_as_soon_as_possible(backend: Backend) -> None:
    backend.run(lambda ctx: ctx.scheduler.run_at(datetime(2023, 11, 1, tzinfo=UTC), write, text="past"))
    backend.run(lambda ctx: ctx.scheduler.run_at(ctx.now - 1, write, text="just now"))
    assert backend.run_scheduled() == 2
    assert backend.query(texts) == ["past", "just now"], "the one due longest first"


def test_6_5_functions_are_looked_up_when_they_are_scheduled(backend: Backend) -> None:
    assert refusal(planned, backend, "gone") == (
        "Attempted to schedule function, but no exported function gone found in the file: "
        f"{HERE}.js. Did you forget to export it?"
    )
    with pytest.raises(FunctionFailed, match=r"at nonexistent path: no\.js:f"):
        backend.mutation(plan, name="no:f", arguments={})
    assert refusal(planned, backend, "jobs") == (
        f"{HERE}.js:jobs is a query, and only mutations and actions can be scheduled."
    )


def test_6_5_arguments_are_checked_when_it_runs(backend: Backend) -> None:
    planned(backend, "write", text=3.0)
    backend.run_scheduled()
    [state] = states(backend)
    assert state["error"].startswith("ArgumentValidationError: Value does not match validator.\nPath: .text")


def test_6_5_the_code_of_the_moment_runs(backend: Backend) -> None:
    def push(*functions: Any) -> None:
        with Backend.from_functions(*functions) as other:
            backend.push(other.deployment.registry)

    planned(backend, "write", 60, text="old")
    planned(backend, "act", 60, text="old")

    @internal_mutation(name="write")
    def newer(ctx: MutationCtx, text: str) -> None:
        ctx.db.insert(Note(text=f"newer than {text}"))

    push(newer, jobs, texts)
    backend.finish_scheduled()
    assert backend.query(texts) == ["newer than old"]
    assert states(backend) == [
        {"kind": "success"},
        {
            "kind": "failed",
            "error": f"Could not find function for '{HERE}:act'. Did you forget to run `npx convex dev`?",
        },
    ]


# Cancelling.


def test_6_5_a_pending_job_is_cancelled(backend: Backend) -> None:
    id = planned(backend, "write", 60, text="never")
    backend.mutation(cancel, id=id)
    [job] = backend.query(jobs)
    assert job["state"] == {"kind": "canceled"}
    assert job["completedTime"] == pytest.approx(backend.clock.now_ms, abs=1)
    assert backend.finish_scheduled() == 0
    backend.mutation(cancel, id=id)
    assert kinds(backend) == ["canceled"]


def test_6_5_what_is_over_stays_as_it_is(backend: Backend) -> None:
    id = planned(backend, "write", text="done")
    backend.run_scheduled()
    backend.mutation(cancel, id=id)
    assert kinds(backend) == ["success"]


def test_6_5_only_jobs_can_be_cancelled(backend: Backend) -> None:
    wrong = "Invalid scheduled function ID. The ID must be an ID on the '_scheduled_functions' table."
    note = backend.run(lambda ctx: ctx.db.insert(Note(text="a")))
    assert wrong in refusal(backend.mutation, cancel, id=note)
    assert wrong in refusal(backend.mutation, cancel, id="nonsense")


def test_6_5_a_mutation_cannot_cancel_its_own_job(backend: Backend) -> None:
    planned(backend, "cancel_itself")
    backend.run_scheduled()
    [state] = states(backend)
    assert state == {"kind": "failed", "error": "A mutation cannot cancel itself"}


def test_6_5_a_cancelled_action_goes_on_and_what_it_schedules_is_born_cancelled(backend: Backend) -> None:
    planned(backend, "cancel_and_go_on")
    backend.run_scheduled()
    assert kinds(backend) == ["canceled"] * 5
    assert backend.query(texts) == ["the code goes on"]


# Limits.


def test_5_8_a_mutation_schedules_a_bounded_number(backend: Backend) -> None:
    backend.mutation(plan_many, count=1_000)
    assert len(backend.scheduled()) == 1_000
    assert refusal(backend.mutation, plan_many, count=1_001).startswith(
        "Too many functions scheduled by this mutation (limit: 1000)"
    )
    assert len(backend.scheduled()) == 1_000


def test_5_8_the_arguments_together_are_bounded(backend: Backend) -> None:
    assert refusal(backend.mutation, plan_many, count=20, size=900_000).startswith(
        "Too large total size of the arguments of scheduled functions from this mutation "
        "(limit: 16777216 bytes)"
    )
    assert backend.scheduled() == []


@pytest.mark.parametrize("megabytes", [2, 4])
def test_5_8_large_arguments_of_one_call(backend: Backend, megabytes: int) -> None:
    """One call's arguments may have up to 4 MiB, more than a document of the application's own."""
    backend.mutation(plan_many, count=1, size=megabytes * 2**20 - 100)
    backend.finish_scheduled()
    assert kinds(backend) == ["failed"], "the note is too large"
    assert refusal(backend.mutation, plan_many, count=1, size=4 * 2**20).startswith(
        f"The arguments of the scheduled {HERE}.js:write are too large"
    )


def test_5_8_near_the_limit_there_is_a_warning(backend: Backend) -> None:
    backend.mutation(plan_many, count=850)
    assert backend.log_lines[-1].startswith("[WARN] Many functions scheduled by this mutation (actual: 850")


def test_6_5_no_more_actions_run_at_once_than_the_limit_says() -> None:
    limits = replace(DEFAULT_LIMITS, scheduled_running_max=2)
    with Backend.from_functions(*FUNCTIONS, limits=limits) as backend:
        for n in range(5):
            planned(backend, "act", text=str(n))
        with backend.watch(jobs) as live:
            assert backend.run_scheduled() == 5
            running = [[job["state"]["kind"] for job in each].count("inProgress") for each in live.history]
        assert max(running) <= 2
        assert sorted(backend.query(texts)) == ["0", "1", "2", "3", "4"]


# Retention.


def test_6_5_what_is_over_can_be_looked_at_for_seven_days(backend: Backend) -> None:
    planned(backend, "write", text="a")
    planned(backend, "write", 30 * 86_400, text="in a month")
    backend.run_scheduled()
    scheduler = backend.deployment.scheduler
    backend.clock.advance(days=6, hours=23)
    backend.loop.run(scheduler.trim())
    assert kinds(backend) == ["success", "pending"]
    backend.clock.advance(hours=2)
    backend.loop.run(scheduler.trim())
    assert kinds(backend) == ["pending"]
