"""Ports: what functions need of the floor that runs them.

Floor 2, `functions`. Author code is blind to the database: `ctx` asks a *host*, and `ctx.db` a
*transaction*, both known only by these Protocols. `execution` introduces the two (DESIGN 6, D10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol

from rewake.auth import Identity
from rewake.functions.call_options import CallOptions
from rewake.functions.metadata import (
    DeploymentMetadata,
    FunctionMetadata,
    RequestMetadata,
    TransactionMetrics,
)
from rewake.functions.pages import PageEnds, PaginationOptions
from rewake.functions.storage import FilesHost
from rewake.schema import QuerySpec, Schema, TableDefinition


class Reads(Protocol):
    """Reads of one snapshot. Documents are canonical encoded JSON text."""

    def get(self, id: str, *, table: str | None = None) -> str | None:
        """The document, or None where there is none."""
        ...

    def scan(self, spec: QuerySpec, *, limit_hint: int | None = None) -> Iterator[str]:
        """The documents of an index range, lazily; `limit_hint` is how many will be taken, where that is
        known.
        """
        ...

    def normalize_id(self, table: str, text: str) -> str | None:
        """The id, when `text` is an id of `table`."""
        ...


class Transaction(Reads, Protocol):
    """Reads of the author's tables, and a door to those of the system."""

    @property
    def system(self) -> Reads:
        """The same reads for tables of the system."""
        ...

    def get_with_table(self, id: str, *, table: str | None = None) -> tuple[str, str] | None:
        """What `get` gives, behind the name of its table."""
        ...

    def table_name_of(self, id: str) -> str | None:
        """The name of the table that `id` belongs to; None where it is no id, or of no table."""
        ...

    def scan_pages(self, spec: QuerySpec, count: int | None) -> Iterator[list[str]]:
        """What `scan` gives, to the end or the first `count`, many at a time."""
        ...


class WritableTransaction(Transaction, Protocol):
    """What mutations may do besides."""

    def insert(self, table: str, value: dict[str, Any]) -> str:
        """Store a new document; returns its id."""
        ...

    def insert_instance(self, definition: TableDefinition, document: object) -> str:
        """The same for an instance of the class that the code declares the table by."""
        ...

    def patch(self, id: str, value: dict[str, Any], *, table: str | None = None) -> None:
        """Replace the listed top-level fields; UNSET removes one."""
        ...

    def replace(self, id: str, value: dict[str, Any], *, table: str | None = None) -> None:
        """Replace all fields except the system's."""
        ...

    def replace_instance(self, id: str, definition: TableDefinition, document: object) -> None:
        """The same with an instance of the class that the code declares the table by."""
        ...

    def delete(self, id: str, *, table: str | None = None) -> None:
        """Remove the document."""
        ...


class Run(Protocol):
    """What a run works with, as long as it is not over."""

    @property
    def transaction(self) -> WritableTransaction:
        """Its transaction."""
        ...

    @property
    def schema(self) -> Schema:
        """How the running code declares tables."""
        ...


class Host(FilesHost, Protocol):
    """One function run, seen from `ctx`. Every use after the run, or from another thread, is an error."""

    def enter(self) -> Run:
        """What the run works with. Raises where it is over: asked at each step, and nothing of it is kept."""
        ...

    def read_identity(self) -> Identity:
        """Who called; noted, since a result that rests on it is not shared with others."""
        ...

    def read_variable(self, name: str) -> str | None:
        """The environment variable, or None where it is not set; a read like any other."""
        ...

    def read_clock(self) -> float:
        """The frozen time of the run in milliseconds; noted, since such a result ages."""
        ...

    def random(self) -> Random:
        """The seeded chance of the run."""
        ...

    def paginate(
        self, spec: QuerySpec, options: PaginationOptions, accept: Callable[[str], bool]
    ) -> PageEnds:
        """Give the documents of one page to `accept`, which says of each whether it counts."""
        ...

    def function_metadata(self) -> FunctionMetadata:
        """Which function runs."""
        ...

    def transaction_metrics(self) -> TransactionMetrics:
        """What was used of each limit."""
        ...

    def snapshot_ts(self) -> int:
        """The timestamp of the snapshot; noted like a look at the clock."""
        ...

    def request_metadata(self) -> RequestMetadata:
        """Where the call came from."""
        ...

    def deployment_metadata(self) -> DeploymentMetadata:
        """Where the run takes place."""
        ...

    def call(
        self,
        reference: object,
        arguments: dict[str, Any],
        *,
        kinds: tuple[str, ...],
        options: CallOptions,
    ) -> Any:
        """Run another function in the same transaction."""
        ...

    def called_directly(self, function: Any) -> None:
        """Hear that a registered function is called as a plain one."""
        ...

    def schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        """Store a job in the run's transaction; returns its id."""
        ...

    def cancel_scheduled(self, id: str) -> None:
        """Take a job back, in the run's transaction."""
        ...

    def scheduling_ms(self) -> float:
        """The frozen time of the run, for jobs."""
        ...

    def log(self, level: str, text: str) -> None:
        """Add a log line to the run."""
        ...
