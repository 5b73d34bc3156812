"""Each step is a group for itself, bounded by the clock, and may be done twice."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.database import CallResult, Database, GroupCommit, Invocation, SchemaMismatch, stored_form
from rewake.environment import Environment, ManualClock
from rewake.execution.schema_steps import (
    BuildIndexes,
    DeclareSchema,
    FailSchema,
    NoteValidated,
    SchemaStep,
    Stepped,
    change_of,
    failure_step,
)
from rewake.limits import DEFAULT_LIMITS
from rewake.schema import define_schema, define_table, v

STORED = stored_form(define_schema({"t": define_table(v.any()).index("by_n", ["n"])}))
DECLARE = DeclareSchema(STORED.text, dict(STORED.marks), {"t": 1_000})


class TickingClock(ManualClock):
    """Moves by 0.1 ms whenever it is asked."""

    def monotonic(self) -> float:
        self.advance(0.000_1)
        return super().monotonic()


class Stage:
    def __init__(self) -> None:
        self.reached: list[str] = []
        environment = Environment(clock=TickingClock(), reach=self.reached.append)
        self.database = Database.open(":memory:", environment=environment, limits=DEFAULT_LIMITS)
        self.group: GroupCommit = self.database.group_commit()
        self.number = 0
        self.group.begin()
        self.group.perform(
            Invocation("fill"),
            lambda tx: CallResult(str([tx.insert("t", {"n": n}) for n in range(1_000)])),
        )
        self.group.commit()

    def do(self, step: SchemaStep) -> Stepped:
        self.number += 1
        change = change_of(step, self.database, invocation=f"step {self.number}")
        self.group.begin()
        outcome: Stepped = change.work(self.group)
        self.group.commit()
        change.finish()
        return outcome

    def close(self) -> None:
        self.group.close()
        self.database.close()


def test_a_step_ends_when_its_time_is_up_and_the_next_goes_on() -> None:
    stage = Stage()
    declared = stage.do(DECLARE).declared
    assert declared is not None
    assert stage.do(DECLARE).declared == declared, "done twice is done once"
    done = []
    while (built := stage.do(BuildIndexes(declared.indexes)).built) and not built.is_over:
        done.append(built.done)
        assert built.total == 1_000
    # 10 ms at 0.1 ms a look at the clock, one after each document.
    sizes = [after - before for before, after in zip([0, *done], done, strict=False)]
    assert all(99 <= size <= 102 for size in sizes)
    assert len(sizes) == 9
    assert not stage.do(BuildIndexes(None)).built
    assert stage.do(NoteValidated(declared.id)) == Stepped()
    assert stage.do(FailSchema(declared.id, "no", "t")) == Stepped()
    points = set(stage.reached)
    assert {"schema.after_start", "schema.in_backfill"} <= points
    stage.close()


def test_limits_of_functions_are_not_those_of_the_house() -> None:
    stage = Stage()
    stage.database.limits = replace(DEFAULT_LIMITS, documents_read_max=1, intervals_read_max=1)
    stage.group.close()
    stage.group = stage.database.group_commit()
    many = {f"t{n}": define_table(v.any()).index("by_n", ["n"]) for n in range(5)}
    stored = stored_form(define_schema({"t": define_table(v.any()).index("by_n", ["n"]), **many}))
    declared = stage.do(DeclareSchema(stored.text, dict(stored.marks), {})).declared
    assert declared is not None
    while stage.do(BuildIndexes(declared.indexes)).built:
        pass
    stage.close()


def test_a_step_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    monkeypatch.setattr("rewake.execution.schema_steps.take_step", lambda *a, **k: 1 / 0)
    last_ts = stage.database.last_ts()
    with pytest.raises(ZeroDivisionError):
        stage.do(BuildIndexes(None))
    stage.group.rollback()
    assert stage.database.last_ts() == last_ts
    stage.close()


def test_what_is_written_down_of_a_failure() -> None:
    mismatch = SchemaMismatch(table="t", id="1", path="", detail="no")
    assert failure_step("s", mismatch) == FailSchema("s", str(mismatch), "t")
    assert failure_step("s", KeyboardInterrupt()) == FailSchema("s", "KeyboardInterrupt", "")
