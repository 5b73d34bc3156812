"""The rollout driver: does what a `Rollout` asks for, at the same time where it asks for several things.

Floor 3, `execution`, the same for both runners; what they do differently is behind `RolloutPort`. However a
rollout ends, nothing of it is under way any more when this returns, and if it failed or was cancelled the
pending schema is marked as failed, as far as there is a writer to do it: what is left is found by the next
push, which is at the latest the one that every start begins with.

Not here: what comes when (`database/rollout.py`).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from rewake.database import (
    CheckProgress,
    Evidence,
    OnProgress,
    Rollout,
    SchemaChange,
    SchemaWorkLeft,
    Survey,
    no_progress,
)
from rewake.database import rollout as asked
from rewake.execution.schema_steps import (
    BuildIndexes,
    DeclareSchema,
    NoteValidated,
    SchemaStep,
    Stepped,
    failure_step,
)
from rewake.observability import logger

_log = logger(__name__)

_CHECKPOINT_STEPS = 8
"""Steps on the writer between two checkpoints: some megabytes of the write-ahead log."""


class RolloutPort(Protocol):
    """What a runner does for the rollout of one version of the code."""

    async def switch(self, evidence: Evidence | None) -> SchemaChange:
        """Commit schema and hashes, and serve the new code from then on.

        Raises:
            SchemaWorkLeft: not yet.
        """
        ...

    async def step(self, step: SchemaStep) -> Stepped:
        """Have the writer that serves now do a step."""
        ...

    async def survey(self) -> Survey:
        """Begin the check, where the new code is loaded."""
        ...

    async def check(self) -> CheckProgress:
        """Do a step of the check."""
        ...

    async def checkpoint(self) -> None:
        """Move what the steps wrote into the data file."""
        ...


async def roll_out(port: RolloutPort, on_progress: OnProgress = no_progress) -> SchemaChange:
    """Bring the new code of `port` into service; returns what it changed.

    Raises:
        SchemaMismatch: a document does not fit. Whatever is raised, everything is as it was before.
    """
    driver = _Driver(port, on_progress)
    try:
        return await driver.run()
    except BaseException as error:
        await driver.fail(error)
        raise


class _Driver:
    """One rollout under way."""

    def __init__(self, port: RolloutPort, on_progress: OnProgress) -> None:
        self._port = port
        self._on_progress = on_progress
        self._rollout = Rollout()
        self._running: set[asyncio.Task[tuple[asked.Task, ...]]] = set()
        # Set by the switch that succeeds, which ends the rollout.
        self._change: SchemaChange | None = None
        self._steps = 0

    async def run(self) -> SchemaChange:
        self._begin(self._rollout.begin())
        while self._running:
            done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            # All are asked before one raises: an error that nobody looks at is reported by asyncio.
            failed = [task for task in done if not task.cancelled() and task.exception() is not None]
            for task in failed or done:
                self._begin(task.result())
            if self._rollout.pending is not None:
                self._on_progress(self._rollout.progress)
        assert self._change is not None, "a rollout without tasks is over"
        return self._change

    async def fail(self, error: BaseException) -> None:
        """Wait for what is under way, then take back what was begun."""
        if self._running:
            await asyncio.wait(self._running)
            for task in self._running:
                if not task.cancelled():
                    task.exception()  # The first error is the one that counts.
        if self._rollout.pending is None or self._change is not None:
            return
        try:
            await self._port.step(failure_step(self._rollout.pending, error))
        except Exception as also:
            _log.info("a failed schema is left for the next push to clean up: %s", also)

    def _begin(self, tasks: tuple[asked.Task, ...]) -> None:
        for task in tasks:
            self._running.add(asyncio.ensure_future(self._do(task)))

    async def _do(self, task: asked.Task) -> tuple[asked.Task, ...]:
        port, rollout = self._port, self._rollout
        if isinstance(task, asked.Switch):
            try:
                self._change = await port.switch(task.evidence)
            except SchemaWorkLeft:
                return rollout.work_is_left()
            return ()
        if isinstance(task, asked.LookRound):
            return rollout.surveyed(await port.survey())
        if isinstance(task, asked.Check):
            return rollout.checked(await port.check())
        if isinstance(task, asked.Build):
            built = (await self._step(BuildIndexes(task.indexes))).built
            assert built is not None
            return rollout.built(built)
        if isinstance(task, asked.Declare):
            survey = task.survey
            step = DeclareSchema(survey.schema, survey.marks, survey.documents)
            declared = (await self._step(step)).declared
            assert declared is not None
            return rollout.declared(declared)
        await self._step(NoteValidated(task.schema))
        return rollout.noted()

    async def _step(self, step: SchemaStep) -> Stepped:
        stepped = await self._port.step(step)
        self._steps += 1
        if self._steps % _CHECKPOINT_STEPS == 0:
            await self._port.checkpoint()
        return stepped
