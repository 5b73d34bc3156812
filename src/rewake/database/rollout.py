"""A rollout: the way of a new schema from the first attempt to the switch, decided without doing any of it.

Floor 2, `database`. A state machine: whoever drives it does what it asks for, at the same time where it asks
for several things, and tells what came of each.

    Switch --(done)--> over                                     little or nothing to do: one transaction
       |
       '--(work left)--> LookRound -> Declare --> Build -> Build -> ...    steps on the writer
              ^                           '--> Check -> Check -> ...    pages on a reader
              |                                        |
              '----------(work left again)------ Switch(evidence)       both done, and the log nearly followed

While indexes are still being built the check, done with its pages, goes on following the log: it must not
fall behind what the log keeps. Failing is the driver's business, with what `pending` says.

Not here: the steps themselves (`schema_change.py`, `index_building.py`, `schema_check.py`), the drivers
(`execution/rollout_driver.py`). Source: spec/semantics 2.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from rewake.database.errors import SchemaOutrun
from rewake.database.index_building import BuildingStep
from rewake.database.schema_change import DeclaredSchema
from rewake.database.schema_check import CheckProgress, Evidence, Survey

_ROUNDS_MAX = 8
_CLOSE_ROWS = 256
"""Log rows that the last step of the check found: with so few the switch may look at the rest by itself."""


class Switch(NamedTuple):
    """Try to switch, with what is known of the documents."""

    evidence: Evidence | None


class LookRound(NamedTuple):
    """Survey what there is to do, and begin the check."""


class Declare(NamedTuple):
    """Store the schema as pending and declare its indexes."""

    survey: Survey


class Build(NamedTuple):
    """Do a step of one of these indexes."""

    indexes: tuple[int, ...]


class Check(NamedTuple):
    """Read a page of documents and follow the log."""


class Validated(NamedTuple):
    """Note that every document fits."""

    schema: str


Task = Switch | LookRound | Declare | Build | Check | Validated


class PushProgress(msgspec.Struct, frozen=True):
    """How far a push with background work is."""

    documents_checked: int = 0
    documents_total: int = 0
    tables_checked: int = 0
    tables_total: int = 0
    indexes_complete: int = 0
    indexes_total: int = 0
    documents_indexed: int = 0
    """Of the index that is being built."""
    documents_to_index: int = 0

    @property
    def is_schema_validated(self) -> bool:
        """Whether every document was read."""
        return self.tables_checked >= self.tables_total


OnProgress = Callable[[PushProgress], None]


def no_progress(progress: PushProgress) -> None:
    """For those who do not watch."""


class Rollout:
    """One rollout. `begin`, then an answer for every task; each gives the tasks to do next."""

    def __init__(self) -> None:
        self.pending: str | None = None
        """The document of the pending schema, once there is one: what to fail if the rollout fails."""
        self._rounds = 0
        self._survey: Survey | None = None
        self._building: tuple[int, ...] = ()
        self._indexes = 0
        self._step = BuildingStep()
        self._check: CheckProgress | None = None
        # Which lanes have a task under way; the switch is asked for when neither has.
        self._is_building = False
        self._is_checking = False
        self._is_noted = False

    @property
    def progress(self) -> PushProgress:
        """How far it is."""
        check, survey, left = self._check, self._survey, len(self._building)
        to_check = survey.to_check if survey is not None else ()
        total = sum(survey.documents[name] for name in to_check) if survey is not None else 0
        return PushProgress(
            documents_checked=check.checked if check is not None else 0,
            documents_total=check.total if check is not None else total,
            tables_checked=check.tables_checked if check is not None else 0,
            tables_total=check.tables if check is not None else len(to_check),
            indexes_complete=max(0, self._indexes - left),
            indexes_total=self._indexes,
            documents_indexed=self._step.done if left else 0,
            documents_to_index=self._step.total if left else 0,
        )

    def begin(self) -> tuple[Task, ...]:
        """Perhaps there is nothing to do."""
        return (Switch(None),)

    def work_is_left(self) -> tuple[Task, ...]:
        """The switch refused.

        Raises:
            SchemaOutrun: it did too often.
        """
        self._rounds += 1
        if self._rounds > _ROUNDS_MAX:
            raise SchemaOutrun(rounds=_ROUNDS_MAX)
        return (LookRound(),) if self._survey is None else (Declare(self._survey),)

    def surveyed(self, survey: Survey) -> tuple[Task, ...]:
        """The check has begun."""
        self._survey = survey
        return (Declare(survey),)

    def declared(self, declared: DeclaredSchema) -> tuple[Task, ...]:
        """The schema is pending."""
        self.pending, self._building = declared.id, declared.indexes
        self._indexes = max(self._indexes, declared.indexes_total)
        self._is_checking = True
        if not self._building:
            return (Check(),)
        self._is_building = True
        return (Build(self._building), Check())

    def built(self, step: BuildingStep) -> tuple[Task, ...]:
        """A step was done."""
        self._step = step
        if step.is_over or not step:
            # Without any step none of them has work left.
            self._building = tuple(id for id in self._building if step and id != step.index)
        self._is_building = bool(self._building)
        tasks: list[Task] = [Build(self._building)] if self._is_building else []
        if not self._is_checking:
            # Its pages are read; it only has to keep up with the log.
            self._is_checking = True
            tasks.append(Check())
        return tuple(tasks)

    def checked(self, check: CheckProgress) -> tuple[Task, ...]:
        """A page was read, or the log followed."""
        self._check = check
        evidence = check.evidence
        if evidence is None or check.followed > _CLOSE_ROWS:
            return (Check(),)
        self._is_checking = False
        if self._is_building:
            return ()
        if not self._is_noted and self.pending is not None:
            self._is_noted = True
            self._is_checking = True
            return (Validated(self.pending),)
        return (Switch(evidence),)

    def noted(self) -> tuple[Task, ...]:
        """It is stored that every document fits. One more look at the log, which has this in it."""
        return (Check(),)
