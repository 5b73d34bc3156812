"""A rollout in worker processes: documents are read by a reader of the new code before it takes waves.

Floor 3, `execution`. Steps are done by the writer that serves, between mutations; at the very first push,
when nobody serves yet, by the new one.

Not here: what comes when (`database/rollout.py`), seats and their change (`worker_runner.py`).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from rewake.database import CheckProgress, Database, DeployNote, Evidence, SchemaChange, Survey
from rewake.execution.schema_steps import SchemaStep, Stepped
from rewake.execution.worker_messages import Check, Checked, LookRound, Surveyed
from rewake.execution.worker_process import Template, Worker


class Seats(Protocol):
    """What a rollout asks of the runner."""

    async def step(self, step: SchemaStep, *, unseated: Worker | None = None) -> Stepped:
        """See `WorkerRunner.step`."""
        ...

    async def switch(
        self,
        template: Template,
        writer: Worker,
        readers: list[Worker],
        evidence: Evidence | None,
        *,
        invocation: str,
        deploy: DeployNote | None,
    ) -> SchemaChange:
        """See `WorkerRunner.switch`."""
        ...


class WorkerRollout:
    """One rollout. Implements `RolloutPort`."""

    def __init__(
        self,
        seats: Seats,
        database: Database,
        template: Template,
        writer: Worker,
        readers: list[Worker],
        *,
        invocation: str,
        deploy: DeployNote | None = None,
    ) -> None:
        self._seats = seats
        self._database = database
        self._template = template
        self._writer = writer
        self._readers = readers
        self._invocation = invocation
        self._deploy = deploy

    async def switch(self, evidence: Evidence | None) -> SchemaChange:
        """Have the new writer commit the switch, and seat the new workers."""
        return await self._seats.switch(
            self._template,
            self._writer,
            self._readers,
            evidence,
            invocation=self._invocation,
            deploy=self._deploy,
        )

    async def step(self, step: SchemaStep) -> Stepped:
        """Have the writer that serves now do a step."""
        return await self._seats.step(step, unseated=self._writer)

    async def survey(self) -> Survey:
        """Begin the check."""
        heard = await self._readers[0].ask(LookRound())
        assert isinstance(heard, Surveyed)
        return heard.survey

    async def check(self) -> CheckProgress:
        """Do a step of the check."""
        heard = await self._readers[0].ask(Check())
        assert isinstance(heard, Checked)
        return heard.progress

    async def checkpoint(self) -> None:
        """Move what the steps wrote into the data file."""
        await asyncio.to_thread(self._database.checkpoint)
