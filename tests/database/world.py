"""A small world for database tests: one deployment in memory, a clock that stands still, ids by nickname."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rewake.database import (
    CallResult,
    CommitResult,
    Database,
    Invocation,
    Performed,
    ReadTransaction,
    ReplayKey,
    WriteTransaction,
)
from rewake.environment import Environment, seeded_environment
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.schema import QuerySpec, RangeBound
from rewake.storage import Durability
from rewake.values import decode_stored

START_NS = 1_700_000_000_000_000_000
_SYSTEM_FIELDS = ("_id", "_creationTime")


class World:
    """One deployment, its writer and one reader."""

    def __init__(
        self,
        *,
        limits: Limits = DEFAULT_LIMITS,
        path: str | Path = ":memory:",
        environment: Environment | None = None,
    ) -> None:
        self.environment = environment or seeded_environment(7)
        self.database = Database.open(
            path, environment=self.environment, limits=limits, durability=Durability.OFF
        )
        self.group = self.database.group_commit()
        self.reader = self.database.reader()
        self._count = 0

    def close(self) -> None:
        self.group.close()
        self.reader.close()
        self.database.close()

    def perform(
        self,
        body: Callable[[WriteTransaction], Any],
        *,
        replay: ReplayKey | None = None,
        id: str | None = None,
    ) -> Performed:
        """Perform one mutation in the open group; what `body` returns is ignored."""

        def run(transaction: WriteTransaction) -> CallResult:
            value = body(transaction)
            return value if isinstance(value, CallResult) else CallResult("null")

        self._count += 1
        return self.group.perform(Invocation(id or f"i{self._count}", replay), run)

    def mutate(self, body: Callable[[WriteTransaction], Any]) -> CommitResult:
        """Perform one mutation in a group of its own; raise what it raises."""
        self.group.begin()
        performed = self.perform(body)
        if performed.error is not None:
            self.group.rollback()
            raise performed.error
        return self.group.commit()

    def insert(self, table: str, *documents: dict[str, Any]) -> list[str]:
        """Insert documents in one mutation; returns their ids."""
        ids: list[str] = []
        self.mutate(lambda tx: ids.extend(tx.insert(table, document) for document in documents))
        return ids


def query(table: str, index: str | None = None, *bounds: RangeBound, order: Any = "asc") -> QuerySpec:
    return QuerySpec(table, index, bounds, order)


def documents(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Texts as documents without their system fields."""
    found = []
    for text in texts:
        document = decode_stored(text)
        assert isinstance(document, dict)
        found.append({name: value for name, value in document.items() if name not in _SYSTEM_FIELDS})
    return found


def read(world: World) -> ReadTransaction:
    """A transaction at a snapshot that ends with the world."""
    world.reader._store.end()
    return world.reader.begin().transaction()
