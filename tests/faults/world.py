"""A world of faults: one deployment on a failing disk, clients that count, and what must hold afterwards."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from rewake import Document, Index
from rewake.auth import ANONYMOUS, AdminKey
from rewake.database import ReplayKey, Verdict, verify
from rewake.deployment import Deployment
from rewake.environment import Environment, seeded_environment
from rewake.errors import RewakeError
from rewake.execution import FunctionCall, ProjectSettings, Registry, Success, collect_modules
from rewake.storage import OutcomeUnknown, StorageFailed
from rewake.values import decode, encode
from tests.faults import ledger
from tests.faults.fault_disk import FaultDisk

SESSION = "5f0c7c3e-0000-4000-8000-000000000000"


@dataclass
class Told:
    """What clients were told, by the number that they asked for."""

    kept: dict[int, tuple[Any, int]] = field(default_factory=dict)
    """Acknowledged: its result and its timestamp."""
    refused: dict[int, str] = field(default_factory=dict)
    """Told that nothing was kept."""
    unknown: set[int] = field(default_factory=set)
    """Not told what became of it."""


class World:
    """One life of a deployment after another, on one file or on what a power cut left of it."""

    def __init__(self, path: Path, *, seed: int, disk: FaultDisk | None) -> None:
        self.path = path
        self.disk = disk
        self.environment = seeded_environment(seed)
        self.environment.disk = disk.name if disk is not None else None
        self.told = Told()
        self.deployment: Deployment

    async def open(self) -> None:
        """Begin a life, unattended: no repair, no second try."""
        registry = collect_modules({"ledger": sys.modules[ledger.__name__]}, _SETTINGS)
        self.deployment = await Deployment.open(
            data=self.path,
            registry=registry,
            name="faults",
            version="test",
            admin_key=AdminKey("faults|key"),
            environment=self.environment,
            keeps_house=False,
        )

    async def close(self) -> None:
        with suppress(RewakeError):
            await self.deployment.close()

    async def record(self, number: int, *, path: str = "ledger:record", **more: Any) -> None:
        """Ask for a number to be recorded, and take down the answer."""
        call = FunctionCall(path, encode({"number": float(number), **more}))
        key = ReplayKey(SESSION, number)
        try:
            outcome = await self.deployment.mutate(call, ANONYMOUS, request_id="", replay=key)
        except StorageFailed as error:
            # A refusal says nothing of what an earlier attempt came to.
            if number not in self.told.kept and number not in self.told.unknown:
                self.told.refused[number] = error.message
        except OutcomeUnknown:
            if number not in self.told.kept:
                self.told.refused.pop(number, None)
                self.told.unknown.add(number)
        else:
            assert isinstance(outcome.result, Success), outcome.result
            answer = (decode(outcome.result.value), outcome.ts)
            assert self.told.kept.setdefault(number, answer) == answer, "a replay answers as the first time"
            self.told.refused.pop(number, None)
            self.told.unknown.discard(number)

    async def ask(self, path: str) -> Any:
        """Ask a query; its value."""
        result, _ = await self.deployment.query(FunctionCall(path, "{}"), ANONYMOUS, request_id="")
        assert isinstance(result, Success), result
        return decode(result.value)

    async def check(self) -> None:
        """What must hold after every fault and in every life, told and stored against each other."""
        stored = Counter(int(number) for number in await self.ask("ledger:numbers"))
        told = self.told
        assert not [number for number, times in stored.items() if times > 1], "at most once"
        assert told.kept.keys() <= stored.keys(), "nothing acknowledged is lost"
        assert not told.refused.keys() & stored.keys(), "what was refused left no trace"
        assert stored.keys() <= told.kept.keys() | told.unknown, "nothing is there that nobody asked for"
        assert await self.ask("ledger:total") == stored.total(), "nothing is there by half"
        newest = max((ts for _, ts in told.kept.values()), default=0)
        assert self.deployment.last_ts >= newest, "no timestamp goes back"
        self.verify()

    async def replay(self) -> None:
        """Send all again, as clients do after a reconnect: in the end everything is there, exactly once."""
        everything = [*self.told.kept, *self.told.refused, *self.told.unknown]
        await asyncio.gather(*(self.record(number) for number in everything))
        assert not self.told.refused
        assert not self.told.unknown
        stored = Counter(int(number) for number in await self.ask("ledger:numbers"))
        assert stored == Counter(everything)
        await self.check()

    def verify(self) -> Verdict:
        verdict = verify(self.path, environment=Environment())
        assert verdict.is_clean, verdict.problems
        return verdict


class Extra(Document, table="extras"):
    """What the other code knows beside the ledger."""

    note: str
    by_note = Index("note")


def other_code() -> Registry:
    """The same functions and one table more."""
    extension = ModuleType("extension")
    extension.__dict__["Extra"] = Extra
    return collect_modules({"ledger": sys.modules[ledger.__name__], "extension": extension}, _SETTINGS)


_SETTINGS = ProjectSettings(root=Path(__file__).parent)
