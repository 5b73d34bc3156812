"""Jobs as documents: what is stored, who may move them, and what a look at the backlog costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from rewake.database import (
    CannotCancelItself,
    InvalidScheduledId,
    ScheduledJob,
    SystemTableRefused,
    WriteTransaction,
    begun_jobs,
    cancel_scheduled,
    claim_scheduled,
    due_jobs,
    finish_scheduled,
    has_finished_scheduled,
    next_due_ms,
    pending_jobs,
    put_back_scheduled,
    schedule,
    scheduled_state,
    trim_scheduled,
)
from rewake.environment import ManualClock, seeded_environment
from rewake.storage import Reads
from rewake.values import decode_stored
from tests.database.world import START_NS, World

T = TypeVar("T")
START_MS = START_NS / 1e6


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(clock: ManualClock) -> Iterator[World]:
    world = World(environment=seeded_environment(3, clock=clock))
    yield world
    world.close()


def do(world: World, body: Callable[[WriteTransaction], T]) -> T:
    answers: list[T] = []
    world.mutate(lambda tx: answers.append(body(tx)))
    return answers[0]


def add(world: World, at_ms: float = START_MS, **args: Any) -> str:
    return do(world, lambda tx: schedule(tx, "m.js:f", args, at_ms=at_ms))


def look(world: World, work: Callable[[Reads], T]) -> T:
    with world.reader.begin() as snapshot:
        return work(snapshot.reads)


def document(world: World, id: str) -> dict[str, Any] | None:
    def read(tx: WriteTransaction) -> dict[str, Any] | None:
        text = tx.system.get(id)
        fields: Any = None if text is None else decode_stored(text)
        return fields

    return do(world, read)


def state(world: World, id: str) -> Any:
    found = document(world, id)
    return None if found is None else found["state"]


def due(world: World, until_ms: float = START_MS, limit: int = 100) -> list[str]:
    return [job.id for job in look(world, lambda reads: due_jobs(reads, until_ms=until_ms, limit=limit))]


# Documents.


def test_a_job_is_the_document_that_authors_know(world: World) -> None:
    id = add(world, START_MS + 5, a=1.0)
    found = document(world, id)
    assert found is not None
    assert found.pop("_creationTime") >= START_MS
    assert found == {
        "_id": id,
        "name": "m.js:f",
        "args": [{"a": 1.0}],
        "scheduledTime": START_MS + 5,
        "state": {"kind": "pending"},
    }


def test_authors_cannot_write_it(world: World) -> None:
    id = add(world)
    for write in (lambda tx: tx.delete(id), lambda tx: tx.patch(id, {"name": "other"})):
        with pytest.raises(SystemTableRefused, match="read-only"):
            do(world, write)


@pytest.mark.parametrize("error", [None, "no"])
def test_a_job_goes_from_pending_over_in_progress_to_its_end(
    world: World, clock: ManualClock, error: str | None
) -> None:
    id = add(world)
    assert do(world, lambda tx: claim_scheduled(tx, id)) is True
    assert state(world, id) == {"kind": "inProgress"}
    assert do(world, lambda tx: claim_scheduled(tx, id)) is False, "nobody else may run it"
    clock.advance(2)
    do(world, lambda tx: finish_scheduled(tx, id, error=error))
    assert state(world, id) == ({"kind": "success"} if error is None else {"kind": "failed", "error": "no"})
    found = document(world, id)
    assert found is not None
    assert found["completedTime"] == START_MS + 2_000
    assert do(world, lambda tx: claim_scheduled(tx, id)) is False


def test_a_pending_job_can_fail_and_not_succeed(world: World) -> None:
    failing, other = add(world), add(world)
    do(world, lambda tx: finish_scheduled(tx, failing, error="cut off"))
    do(world, lambda tx: finish_scheduled(tx, other, error=None))
    assert (state(world, failing), state(world, other)) == (
        {"kind": "failed", "error": "cut off"},
        {"kind": "pending"},
    )


def test_a_begun_job_is_put_back_and_no_other(world: World) -> None:
    begun, over = add(world), add(world)
    do(world, lambda tx: [claim_scheduled(tx, id) for id in (begun, over)])
    do(world, lambda tx: finish_scheduled(tx, over, error=None))
    do(world, lambda tx: [put_back_scheduled(tx, id) for id in (begun, over)])
    assert (state(world, begun)["kind"], state(world, over)["kind"]) == ("pending", "success")
    assert due(world) == [begun]


# Cancelling.


def test_cancelling_ends_what_is_not_over_and_leaves_the_rest(world: World) -> None:
    pending, begun, done = add(world), add(world), add(world)
    do(world, lambda tx: [claim_scheduled(tx, id) for id in (begun, done)])
    do(world, lambda tx: finish_scheduled(tx, done, error=None))
    do(world, lambda tx: [cancel_scheduled(tx, id, own=None) for id in (pending, begun, done)])
    assert [state(world, id)["kind"] for id in (pending, begun, done)] == ["canceled", "canceled", "success"]
    # What the action comes to afterwards changes nothing.
    do(world, lambda tx: finish_scheduled(tx, begun, error=None))
    do(world, lambda tx: finish_scheduled(tx, begun, error="late"))
    assert state(world, begun) == {"kind": "canceled"}
    assert due(world) == []


def test_a_job_that_was_forgotten_is_cancelled_without_a_word(world: World) -> None:
    id = add(world)
    do(world, lambda tx: cancel_scheduled(tx, id, own=None))
    do(world, lambda tx: trim_scheduled(tx, before_ms=START_MS + 1, limit=10))
    do(world, lambda tx: cancel_scheduled(tx, id, own=None))
    assert document(world, id) is None
    assert do(world, lambda tx: scheduled_state(tx, id)) is None


def test_an_id_may_be_of_a_subclass_of_str(world: World) -> None:
    class JobId(str):
        pass

    id = add(world)
    do(world, lambda tx: cancel_scheduled(tx, JobId(id), own=None))
    assert do(world, lambda tx: scheduled_state(tx, id)) == "canceled"


def test_only_ids_of_jobs_can_be_cancelled(world: World) -> None:
    [stranger] = world.insert("notes", {"n": 1.0})
    wrong: Any
    for wrong in (stranger, "nonsense", "", None, 7):
        with pytest.raises(InvalidScheduledId) as refused:
            do(world, lambda tx, id=wrong: cancel_scheduled(tx, id, own=None))  # type: ignore[misc]
        assert refused.value.message == (
            "Invalid scheduled function ID. The ID must be an ID on the '_scheduled_functions' table."
        )


def test_a_mutation_cannot_cancel_its_own_job(world: World) -> None:
    id = add(world)
    with pytest.raises(CannotCancelItself) as refused:
        do(world, lambda tx: cancel_scheduled(tx, id, own=id))
    assert refused.value.message == "A mutation cannot cancel itself"
    assert state(world, id) == {"kind": "pending"}


def test_a_job_can_be_born_cancelled(world: World) -> None:
    id = do(world, lambda tx: schedule(tx, "m.js:f", {}, at_ms=START_MS, is_canceled=True))
    assert do(world, lambda tx: scheduled_state(tx, id)) == "canceled"
    assert due(world) == []
    assert look(world, lambda reads: has_finished_scheduled(reads, before_ms=START_MS + 1))


# The backlog.


def test_due_jobs_come_in_the_order_of_their_times_and_no_more_than_asked_for(world: World) -> None:
    late, early, later = add(world, START_MS - 1), add(world, START_MS - 9), add(world, START_MS + 1)
    assert due(world) == [early, late]
    assert due(world, limit=1) == [early]
    assert due(world, START_MS + 1) == [early, late, later]
    jobs = look(world, lambda reads: pending_jobs(reads, limit=9))
    assert [job.id for job in jobs] == [early, late, later]
    assert jobs[0] == ScheduledJob(early, "m.js:f", "{}", START_MS - 9)


def test_the_next_due_time_is_of_the_first_pending_job_after_a_moment(world: World) -> None:
    assert look(world, next_due_ms) is None
    first, _ = add(world, START_MS + 1), add(world, START_MS + 2)
    assert look(world, next_due_ms) == START_MS + 1
    assert look(world, lambda reads: next_due_ms(reads, after_ms=START_MS + 1)) == START_MS + 2
    assert look(world, lambda reads: next_due_ms(reads, after_ms=START_MS + 2)) is None
    do(world, lambda tx: claim_scheduled(tx, first))
    assert look(world, next_due_ms) == START_MS + 2


def test_begun_jobs_are_those_in_progress(world: World) -> None:
    begun, _ = add(world), add(world)
    do(world, lambda tx: claim_scheduled(tx, begun))
    assert [job.id for job in look(world, lambda reads: begun_jobs(reads, limit=9))] == [begun]


# Trimming.


def test_trimming_forgets_jobs_that_were_over_long_ago_a_few_at_a_time(
    world: World, clock: ManualClock
) -> None:
    old = [add(world) for _ in range(5)]
    waiting = add(world)
    do(world, lambda tx: [claim_scheduled(tx, id) for id in old])
    do(world, lambda tx: [finish_scheduled(tx, id, error=None) for id in old])
    clock.advance(10)
    young = add(world)
    do(world, lambda tx: cancel_scheduled(tx, young, own=None))
    before_ms = START_MS + 10_000

    def trim() -> int:
        return do(world, lambda tx: trim_scheduled(tx, before_ms=before_ms, limit=3))

    assert not look(world, lambda reads: has_finished_scheduled(reads, before_ms=START_MS))
    assert look(world, lambda reads: has_finished_scheduled(reads, before_ms=before_ms))
    assert (trim(), trim(), trim()) == (3, 2, 0)
    assert not look(world, lambda reads: has_finished_scheduled(reads, before_ms=before_ms))
    assert [document(world, id) for id in old] == [None] * 5
    assert (state(world, waiting), state(world, young)) == ({"kind": "pending"}, {"kind": "canceled"})


def test_a_step_of_trimming_ends_early_where_jobs_are_large(world: World) -> None:
    for _ in range(5):
        id = add(world, text="x" * 600_000)
        do(world, lambda tx, id=id: finish_scheduled(tx, id, error="no"))  # type: ignore[misc]
    steps = []
    while count := do(world, lambda tx: trim_scheduled(tx, before_ms=START_MS + 1, limit=100)):
        steps.append(count)
    assert steps == [2, 2, 1]
