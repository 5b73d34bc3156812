"""However a rollout ends, nothing of it goes on, and what was begun is taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rewake.database import (
    BuildingStep,
    CheckProgress,
    DeclaredSchema,
    Evidence,
    PushProgress,
    SchemaChange,
    SchemaMismatch,
    SchemaWorkLeft,
    Survey,
)
from rewake.execution.rollout_driver import roll_out
from rewake.execution.schema_steps import BuildIndexes, DeclareSchema, FailSchema, SchemaStep, Stepped

MISMATCH = SchemaMismatch(table="t", id="1", path="", detail="no")


class Port:
    """A rollout of one index of 20 steps, and three pages."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.under_way = 0
        self.steps = self.pages = 0
        self.failed: list[FailSchema] = []
        self.error: dict[str, BaseException] = {}
        self.is_small = False

    async def _work(self, name: str) -> None:
        self.did.append(name)
        self.under_way += 1
        for _ in range(3):
            await asyncio.sleep(0)
        self.under_way -= 1
        if name in self.error:
            raise self.error[name]

    async def switch(self, evidence: Evidence | None) -> SchemaChange:
        await self._work("switch")
        if evidence is None and not self.is_small:
            raise SchemaWorkLeft(what="all")
        return SchemaChange(tables_added=["t"])

    async def step(self, step: SchemaStep) -> Stepped:
        await self._work(type(step).__name__)
        if isinstance(step, DeclareSchema):
            return Stepped(declared=DeclaredSchema("s", (1,), 1))
        if isinstance(step, BuildIndexes):
            self.steps += 1
            return Stepped(built=BuildingStep(1, self.steps, 20, is_over=self.steps == 20))
        if isinstance(step, FailSchema):
            self.failed.append(step)
        return Stepped()

    async def survey(self) -> Survey:
        await self._work("survey")
        return Survey({"t": 20}, ("t",), "{}", {})

    async def check(self) -> CheckProgress:
        await self._work("check")
        self.pages += 1
        evidence = Evidence(1, "", (), 1) if self.pages >= 3 else None
        return CheckProgress(min(self.pages, 3), 3, int(self.pages >= 3), 1, 0, evidence)

    async def checkpoint(self) -> None:
        await self._work("checkpoint")


def test_little_to_do_is_one_switch() -> None:
    port = Port()
    port.is_small = True
    heard: list[PushProgress] = []
    assert asyncio.run(roll_out(port, heard.append)).tables_added == ["t"]
    assert (port.did, heard) == (["switch"], [])


def test_much_to_do_goes_in_steps_with_progress_and_checkpoints() -> None:
    port = Port()
    heard: list[PushProgress] = []
    assert asyncio.run(roll_out(port, heard.append))
    assert port.did[:3] == ["switch", "survey", "DeclareSchema"]
    assert port.did[-1] == "switch"
    assert port.did.count("BuildIndexes") == 20
    assert port.did.count("checkpoint") == 2
    assert port.did.index("check") < port.did.index("checkpoint"), "pages are read meanwhile"
    assert heard[0].documents_total == 20
    assert (heard[-1].documents_checked, heard[-1].indexes_complete) == (heard[-1].documents_total, 1)
    assert not port.failed


@pytest.mark.parametrize("where", ["check", "BuildIndexes", "NoteValidated", "checkpoint"])
@pytest.mark.parametrize("error", [MISMATCH, OSError("disk")])
def test_an_error_anywhere_takes_back_what_was_begun(where: str, error: Exception) -> None:
    port = Port()
    port.error[where] = error
    with pytest.raises(type(error)):
        asyncio.run(roll_out(port))
    assert port.under_way == 0
    assert [(step.schema, step.error) for step in port.failed] == [("s", str(error))]
    assert port.did[-1] == "FailSchema"


@pytest.mark.parametrize("where", ["switch", "survey"])
def test_nothing_is_taken_back_where_nothing_was_begun(where: str) -> None:
    port = Port()
    port.error[where] = MISMATCH
    with pytest.raises(SchemaMismatch):
        asyncio.run(roll_out(port))
    assert not port.failed


def test_an_error_while_taking_back_does_not_hide_the_first() -> None:
    port = Port()
    port.error |= {"check": MISMATCH, "FailSchema": OSError("disk")}
    with pytest.raises(SchemaMismatch):
        asyncio.run(roll_out(port))


@pytest.mark.parametrize("turns", range(0, 60, 4))
def test_a_cancelled_rollout_leaves_nothing_under_way(turns: int) -> None:
    port = Port()

    async def run() -> None:
        task: asyncio.Task[Any] = asyncio.ensure_future(roll_out(port))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert port.under_way == 0
        assert bool(port.failed) == ("DeclareSchema" in port.did)
        did = list(port.did)
        for _ in range(20):
            await asyncio.sleep(0)
        assert port.did == did

    asyncio.run(run())
