"""Crons in the hand of a test."""

from __future__ import annotations

import sys
from datetime import timedelta
from types import ModuleType

import pytest

from rewake import Crons, Document, MutationCtx, QueryCtx, internal_mutation, mutation, query
from rewake.testing import Backend, CronRun, RunUnderWay


class Beat(Document, table="beats"):
    at: float


@internal_mutation
def beat(ctx: MutationCtx, text: str) -> list[str]:
    ctx.db.insert(Beat(at=ctx.now))
    return [text]


@mutation
def later(ctx: MutationCtx) -> None:
    ctx.scheduler.run_after(1, beat, text="scheduled")


@query
def count(ctx: QueryCtx) -> int:
    return len(ctx.db.query(Beat).collect())


def backend() -> Backend:
    module = ModuleType("crons")
    module.crons = crons = Crons()  # type: ignore[attr-defined]
    crons.interval("heart", seconds=10).run(beat, text="a")
    return Backend.from_modules(sys.modules[__name__], module)


def test_a_test_says_when_crons_run_and_sees_what_came_of_it() -> None:
    with backend() as under_test:
        start = under_test.clock.now
        [cron] = under_test.crons()
        assert (cron.name, cron.path, cron.arguments) == ("heart", "testing/test_crons:beat", {"text": "a"})
        assert (cron.at, cron.runs) == (start, ())
        assert under_test.run_crons() == 1
        under_test.clock.advance(25)
        with under_test.watch(count) as live:
            assert under_test.run_crons() == 1
            assert live.value == 2
        [cron] = under_test.crons()
        assert cron.at == start + timedelta(seconds=30)
        done, late, skipped = cron.runs
        assert done == CronRun("success", start, ["a"], None, 0, ())
        assert (late.outcome, late.due) == ("success", start + timedelta(seconds=10))
        assert (skipped.outcome, skipped.skipped) == ("canceled", 1)


def test_scheduled_functions_and_crons_have_steps_of_their_own() -> None:
    with backend() as under_test:
        under_test.mutation(later)
        assert under_test.finish_scheduled() == 1, "it ends, though a cron never does"
        assert under_test.scheduled() == []
        assert under_test.query(count) == 1
        assert under_test.run_crons() == 1


def test_not_inside_a_block() -> None:
    with backend() as under_test, under_test.run(), pytest.raises(RunUnderWay):
        under_test.run_crons()
