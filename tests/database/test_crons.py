"""Crons as documents: what a push makes of them, how a run begins and ends, what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from rewake.database import (
    CRONS,
    CronChange,
    CronFacts,
    InvalidScheduledId,
    JobEnd,
    WriteTransaction,
    begun_jobs,
    cancel_scheduled,
    claim_job,
    due_jobs,
    finish_job,
    is_cron,
    job_end,
    last_skip,
    list_crons,
    next_due_ms,
    pending_jobs,
    put_back_scheduled,
    runs_of_cron,
    schedule,
    store_crons,
)
from rewake.database.crons import skip_line
from rewake.environment import ManualClock, seeded_environment
from rewake.limits import DEFAULT_LIMITS
from rewake.storage import Reads
from tests.database.world import START_NS, World

T = TypeVar("T")
START_MS = START_NS / 1e6
OFTEN = CronFacts("often", "m.js:f", '{"n":1.0}', {"type": "interval", "seconds": 10})
NIGHTLY = CronFacts("nightly", "m.js:g", "{}", {"type": "daily", "hourUTC": 4, "minuteUTC": 30})
DONE = JobEnd(None, '"done"', ("[LOG] a",))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(clock: ManualClock) -> Iterator[World]:
    limits = replace(DEFAULT_LIMITS, cron_splay_seconds=0, cron_runs_kept=3)
    world = World(environment=seeded_environment(3, clock=clock), limits=limits)
    yield world
    world.close()


def do(world: World, body: Callable[[WriteTransaction], T]) -> T:
    answers: list[T] = []
    world.mutate(lambda tx: answers.append(body(tx)))
    return answers[0]


def look(world: World, work: Callable[[Reads], T]) -> T:
    with world.reader.begin() as snapshot:
        return work(snapshot.reads)


def push(world: World, *crons: CronFacts, chance: str = "a") -> CronChange:
    return do(world, lambda tx: store_crons(tx, crons, chance=chance))


def cron(world: World, identifier: str = "often") -> dict[str, Any]:
    return next(each for each in look(world, list_crons) if each["identifier"] == identifier)


def claim(world: World, facts: CronFacts = OFTEN) -> bool:
    id = cron(world, facts.identifier)["_id"]
    return do(world, lambda tx: claim_job(tx, id, name=facts.name, args=facts.args))


def finish(world: World, end: JobEnd = DONE, *, due_ms: float | None = None) -> None:
    id = cron(world)["_id"]
    do(world, lambda tx: finish_job(tx, id, end, due_ms=due_ms))


def runs(world: World) -> list[dict[str, Any]]:
    id = cron(world)["_id"]
    return look(world, lambda reads: runs_of_cron(reads, id))


def statuses(world: World) -> list[Any]:
    return [run["status"] for run in runs(world)]


# Pushes.


def test_a_push_tells_what_it_changed_and_leaves_what_it_did_not(world: World, clock: ManualClock) -> None:
    assert push(world, OFTEN, NIGHTLY) == CronChange(added=("nightly", "often"))
    before = look(world, list_crons)
    clock.advance(5)
    assert push(world, NIGHTLY, OFTEN, chance="b") == CronChange()
    assert look(world, list_crons) == before
    other = CronFacts("often", "m.js:f", '{"n":2.0}', OFTEN.schedule)
    assert push(world, other) == CronChange(updated=("often",), deleted=("nightly",))
    assert cron(world)["scheduledTime"] == START_MS + 5_000, "planned anew"
    assert cron(world)["_id"] == before[1]["_id"]
    assert push(world) == CronChange(deleted=("often",))
    assert look(world, list_crons) == []


def test_an_offset_stays_as_long_as_the_schedule_does(clock: ManualClock) -> None:
    world = World(environment=seeded_environment(3, clock=clock))
    push(world, NIGHTLY, chance="a")
    offset = cron(world, "nightly")["offset"]
    push(world, CronFacts("nightly", "m.js:other", "{}", NIGHTLY.schedule), chance="b")
    assert cron(world, "nightly")["offset"] == offset
    others = set()
    for hour in range(24):
        changed = CronFacts("nightly", "m.js:g", "{}", {"type": "daily", "hourUTC": hour})
        push(world, changed, chance=str(hour))
        others.add(cron(world, "nightly")["offset"])
    assert len(others) > 1
    world.close()


def test_a_cron_that_is_deleted_takes_its_runs_along(world: World) -> None:
    push(world, OFTEN)
    id = cron(world)["_id"]
    claim(world)
    finish(world)
    push(world)
    assert look(world, lambda reads: runs_of_cron(reads, id)) == []


# The backlog.


def test_crons_are_a_backlog_beside_that_of_scheduled_functions(world: World) -> None:
    push(world, OFTEN, NIGHTLY)
    do(world, lambda tx: schedule(tx, "m.js:f", {}, at_ms=START_MS))
    assert len(look(world, lambda reads: pending_jobs(reads, limit=9))) == 1
    [job] = look(world, lambda reads: due_jobs(reads, until_ms=START_MS, limit=9, backlog=CRONS))
    assert (job.name, job.args, job.due_ms) == ("m.js:f", '{"n":1.0}', START_MS)
    assert is_cron(job.id)
    nightly = cron(world, "nightly")["scheduledTime"]
    assert look(world, lambda reads: next_due_ms(reads, after_ms=START_MS, backlog=CRONS)) == nightly
    assert look(world, lambda reads: begun_jobs(reads, limit=9, backlog=CRONS)) == []
    assert claim(world)
    assert [each.id for each in look(world, lambda r: begun_jobs(r, limit=9, backlog=CRONS))] == [job.id]
    assert look(world, lambda reads: begun_jobs(reads, limit=9)) == []
    assert not is_cron("")
    assert not is_cron("no id")


def test_a_cron_cannot_be_cancelled_like_a_scheduled_function(world: World) -> None:
    push(world, OFTEN)
    id = cron(world)["_id"]
    with pytest.raises(InvalidScheduledId):
        do(world, lambda tx: cancel_scheduled(tx, id, own=None))


# Runs.


def test_there_is_one_run_at_a_time(world: World) -> None:
    push(world, OFTEN)
    assert claim(world)
    assert not claim(world)
    id = cron(world)["_id"]
    do(world, lambda tx: put_back_scheduled(tx, id))
    assert cron(world)["state"] == {"kind": "pending"}
    assert claim(world)


def test_a_run_that_was_looked_up_before_a_push_does_not_begin(world: World, clock: ManualClock) -> None:
    push(world, OFTEN, NIGHTLY)
    assert not claim(world, NIGHTLY), "it is not due"
    other = CronFacts("often", "m.js:f", '{"n":2.0}', OFTEN.schedule)
    push(world, other)
    assert not claim(world, OFTEN)
    push(world, CronFacts("often", "m.js:g", '{"n":1.0}', OFTEN.schedule))
    assert not claim(world, OFTEN)
    id = cron(world)["_id"]
    push(world)
    assert not do(world, lambda tx: claim_job(tx, id, name="m.js:f", args='{"n":1.0}'))
    do(world, lambda tx: finish_job(tx, id, DONE))
    assert look(world, list_crons) == []


def test_the_end_of_a_run_plans_the_next_in_the_same_commit(world: World, clock: ManualClock) -> None:
    push(world, OFTEN)
    clock.advance(2)
    claim(world)
    clock.advance(3)
    finish(world)
    assert cron(world)["state"] == {"kind": "pending"}
    assert cron(world)["scheduledTime"] == START_MS + 10_000
    [run] = runs(world)
    assert {name: run[name] for name in run if name[0] != "_"} == {
        "cron": cron(world)["_id"],
        "identifier": "often",
        "name": "m.js:f",
        "scheduledTime": START_MS,
        "startedTime": START_MS + 2_000,
        "completedTime": START_MS + 5_000,
        "status": {"kind": "success", "result": '"done"', "isTruncated": False},
        "logLines": ["[LOG] a"],
    }


def test_an_end_that_comes_twice_counts_once(world: World, clock: ManualClock) -> None:
    push(world, OFTEN)
    claim(world)
    finish(world, due_ms=START_MS)
    finish(world, JobEnd("late"), due_ms=START_MS)
    assert [status["kind"] for status in statuses(world)] == ["success"]
    assert cron(world)["scheduledTime"] == START_MS + 10_000


def test_a_mutation_that_was_cut_off_before_it_began_has_failed(world: World) -> None:
    push(world, OFTEN)
    finish(world, JobEnd("Your request timed out."), due_ms=START_MS)
    assert statuses(world) == [{"kind": "failed", "error": "Your request timed out."}]
    assert cron(world)["scheduledTime"] == START_MS + 10_000


def test_missed_runs_have_one_line_and_few_entries_are_kept(world: World, clock: ManualClock) -> None:
    push(world, OFTEN)
    id = cron(world)["_id"]
    claim(world)
    finish(world)
    assert look(world, lambda reads: last_skip(reads, id, after_ms=0)) is None
    clock.advance(35)
    claim(world)
    finish(world, JobEnd("no"))
    assert statuses(world)[1:] == [{"kind": "failed", "error": "no"}, {"kind": "canceled", "count": 2.0}]
    line = f"Skipping 2 run(s) of job {id} because multiple scheduled runs are in the past"
    assert line == skip_line(id, 2)
    assert runs(world)[-1]["logLines"] == [line]
    assert look(world, lambda reads: last_skip(reads, id, after_ms=START_MS + 10_000)) == line
    assert look(world, lambda reads: last_skip(reads, id, after_ms=START_MS + 20_000)) is None
    assert cron(world)["scheduledTime"] == START_MS + 40_000
    clock.advance(5)
    claim(world)
    finish(world)
    assert [status["kind"] for status in statuses(world)] == ["failed", "canceled", "success"]


def test_a_clock_that_is_set_back_runs_nothing_twice(world: World, clock: ManualClock) -> None:
    push(world, OFTEN)
    claim(world)
    clock.advance(-3600)
    finish(world)
    assert cron(world)["scheduledTime"] == START_MS + 10_000
    assert not claim(world)


def test_a_long_result_and_long_logs_are_cut() -> None:
    end = job_end(error=None, result="x" * 5_000, log_lines=["y" * 40_000, "z" * 40_000, "more"])
    assert len(end.result) == 1_001, "enough to tell that it was cut"
    assert end.log_lines == ("y" * 40_000, "[WARN] Further log lines of this run are not kept.")
