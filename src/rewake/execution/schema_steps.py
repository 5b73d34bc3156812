"""The writer's steps of a schema change: what is asked of it, and how it is done as a group for itself.

Floor 3, `execution`. A step holds the writer for `schema_step_seconds` at most; mutations that wait go before
the next one. Each may be done twice: a writer that dies may have committed before it could say so.

    DeclareSchema -> BuildIndexes* -> NoteValidated -> (the switch: `code_switch.py`)
                                   -> FailSchema

Not here: in which order (`database/rollout.py`), reading documents (`database/schema_check.py`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from rewake.database import (
    BuildingStep,
    CallResult,
    Database,
    DeclaredSchema,
    GroupCommit,
    Invocation,
    StoredSchema,
    WriteTransaction,
    declare_schema,
    fail_schema,
    note_validated,
    take_staged_step,
    take_step,
    tend_hidden,
)
from rewake.execution.group_writer import Change


class DeclareSchema(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Make a schema the pending one."""

    schema: str
    marks: dict[str, str]
    totals: dict[str, int]


class BuildIndexes(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Do a step of one of these indexes; None: of whatever there is, removals, staged validators and tables
    that an import has replaced too."""

    indexes: tuple[int, ...] | None


class NoteValidated(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Every document fits the pending schema."""

    schema: str


class FailSchema(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The pending schema came to nothing."""

    schema: str
    error: str
    table: str


SchemaStep = DeclareSchema | BuildIndexes | NoteValidated | FailSchema


class Stepped(msgspec.Struct, frozen=True, array_like=True):
    """What a step came to."""

    declared: DeclaredSchema | None = None
    built: BuildingStep | None = None
    staged: bool = False
    """It checked documents against a staged validator."""
    tended: bool = False
    """It did something with a table that an import has replaced, or given up."""

    @property
    def is_idle(self) -> bool:
        """There was nothing to do."""
        return not self.built and not self.staged and not self.tended


def change_of(step: SchemaStep, database: Database, *, invocation: str) -> Change:
    """The step as a piece of the writer's work."""

    def work(group: GroupCommit) -> Stepped:
        return _run(step, group, database, invocation)

    if isinstance(step, DeclareSchema):
        return Change(work, finish=lambda: database.environment.reach("schema.after_start"))
    return Change(work)


def _run(step: SchemaStep, group: GroupCommit, database: Database, invocation: str) -> Stepped:
    outcomes: list[Stepped] = []
    clock = database.environment.clock
    deadline = clock.monotonic() + database.limits.schema_step_seconds

    def is_up() -> bool:
        return clock.monotonic() >= deadline

    def body(transaction: WriteTransaction) -> CallResult:
        transaction.lift_limits()
        outcome = Stepped()
        if isinstance(step, DeclareSchema):
            stored = StoredSchema(step.schema, step.marks)
            outcome = Stepped(declared=declare_schema(transaction, stored, totals=step.totals))
        elif isinstance(step, BuildIndexes):
            done = take_step(transaction, is_time_up=is_up, only=step.indexes)
            is_idle = not done and step.indexes is None
            staged = is_idle and take_staged_step(transaction, is_time_up=is_up)
            tended = is_idle and not staged and tend_hidden(transaction, is_time_up=is_up)
            outcome = Stepped(built=done, staged=staged, tended=tended)
            if done:
                database.environment.reach("schema.in_backfill")
        elif isinstance(step, NoteValidated):
            note_validated(transaction, step.schema)
        else:
            fail_schema(transaction, step.schema, error=step.error, table=step.table)
        outcomes.append(outcome)
        return CallResult("null")

    performed = group.perform(Invocation(invocation), body)
    if performed.error is not None:
        raise performed.error
    return outcomes[-1]


def failure_step(schema: str, error: BaseException) -> FailSchema:
    """How a rollout that ended with `error` is written down."""
    fields: dict[str, Any] = getattr(error, "fields", {})
    return FailSchema(schema, str(error) or type(error).__name__, str(fields.get("table", "")))
