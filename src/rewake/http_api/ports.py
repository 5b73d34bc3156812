"""What the HTTP API asks of the rest of the house.

Floor 6, `http_api`. The `deployment` assembled by `server` makes this true; tests hand in a fake.
Everything that crosses is what crosses a worker's pipe too: calls, canonical JSON text, timestamps,
identities.

Not here: routing and shapes (`routes.py`), what an error looks like (`errors.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from rewake.auth import FreshKey, Identity, IssuedKey
from rewake.database import Changes, Export, Selection, SnapshotPage
from rewake.deployment import Window
from rewake.environment import Environment
from rewake.execution import (
    Analysis,
    CallLog,
    Failure,
    FunctionCall,
    HttpJob,
    MutationOutcome,
    RequestSource,
    Success,
)
from rewake.files import Files
from rewake.http_api.import_ports import Imports
from rewake.limits import Limits
from rewake.tallies import Tallies
from rewake.tracing import Tracing

FunctionKind = Literal["query", "mutation", "action"]


class Variables(Protocol):
    """The environment variables of a deployment."""

    async def all(self) -> dict[str, str]:
        """What operators set, by name."""
        ...

    async def change(self, changes: Mapping[str, str | None]) -> None:
        """Set variables and remove those whose value is None; all or nothing.

        Raises:
            InvalidInput: a name, a value or the sum of all is refused.
        """
        ...


class Exports(Protocol):
    """The snapshot exports of a deployment."""

    async def request(self, *, has_files: bool) -> str:
        """Begin one; returns its id.

        Raises:
            ExportInProgress: one is under way.
        """
        ...

    async def find(self, name: str) -> tuple[Export, Path]:
        """An archive by the id or the start timestamp of its export.

        Raises:
            ExportNotFound: there is none.
        """
        ...

    async def set_expiration(self, id: str, *, expiration_ts: int) -> None:
        """Say until when an archive is kept.

        Raises:
            ExportNotFound: there is none.
        """
        ...

    async def cancel(self, id: str) -> None:
        """Take a request back.

        Raises:
            ExportNotFound: no such export is under way.
        """
        ...


class Feeds(Protocol):
    """What programs that keep a copy of the tables follow."""

    async def snapshot(
        self, selection: Selection, *, ts: int | None, start: tuple[str, bytes] | None
    ) -> tuple[int, SnapshotPage]:
        """A page of all tables at `ts`, or at the latest commit; and which timestamp that is.

        Raises:
            SnapshotTooOld, SnapshotInFuture, TableReplaced: it cannot be had (any more).
        """
        ...

    async def changes(self, selection: Selection, *, after: int) -> Changes:
        """What was committed above `after`. Raises: as `snapshot`."""
        ...

    async def columns(self) -> Mapping[str, list[str]]:
        """The names of fields in the first documents of each table."""
        ...

    async def empty_tables(self) -> Mapping[str, bool]:
        """Which tables there are, and whether each has no document."""
        ...

    async def indexes(self) -> list[dict[str, Any]]:
        """Every declared index, and how far it is."""
        ...


class Keys(Protocol):
    """The keys of a deployment that were issued."""

    def all(self) -> list[IssuedKey]:
        """Every one, oldest first."""
        ...

    async def create(self, *, label: str, scopes: Iterable[str], expires_ms: float | None) -> FreshKey:
        """Issue a key.

        Raises:
            InvalidInput, Conflict: it may not be like this.
        """
        ...

    async def revoke(self, id: str) -> None:
        """Take a key back.

        Raises:
            KeyNotFound: there is none of this id.
        """
        ...


class Sql(Protocol):
    """SQL that reads, on a deployment."""

    async def run(self, text: str) -> dict[str, Any]:
        """The rows of one statement: `columns`, `rows`, `isCut`.

        Raises:
            InvalidInput, RateLimited, Unavailable: it cannot be run.
        """
        ...


class Deploys(Protocol):
    """Code that is sent to a deployment. Plans are told as plain data."""

    async def all(self) -> Sequence[object]:
        """What was deployed, the newest first."""
        ...

    async def start(self, data: bytes, *, key: str, message: str) -> dict[str, Any]:
        """Plan a deploy of an archive, for the holder of a key; nothing is changed.

        Raises:
            ProjectInvalid: the project in it cannot be loaded.
        """
        ...

    async def rollback(self, number: int | None, *, key: str, message: str) -> dict[str, Any]:
        """Plan to go back to the sources of an older deploy."""
        ...

    def finish(self, id: str) -> dict[str, Any]:
        """Begin to carry a plan out."""
        ...

    async def progress(self, id: str, *, wait_seconds: float) -> dict[str, Any]:
        """How far a plan is, when there is news of it."""
        ...

    def cancel(self, id: str) -> None:
        """Forget a plan."""
        ...


class Metrics(Protocol):
    """What a deployment tells of its work."""

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """Everything, as Prometheus reads it, and its content type."""
        ...

    def functions(self, window: Window) -> list[dict[tuple[str, str], tuple[float, ...]] | None]:
        """What each function did in each bucket: successes, failures, hits, invalidations, and then runs by
        duration (`tallies.SECONDS`); None where nothing is known.
        """
        ...

    def sampled(self, name: str, window: Window) -> list[float | None]:
        """The mean of what was sampled in each bucket: `lag`, `query running`, and so on."""
        ...

    async def written(self, table: str, window: Window) -> list[float | None]:
        """Documents of `table` that were written in each bucket."""
        ...


class HttpActionsBackend(Protocol):
    """What HTTP actions ask of a deployment."""

    @property
    def environment(self) -> Environment:
        """Where random request ids come from."""
        ...

    @property
    def limits(self) -> Limits:
        """The bounds that it runs under."""
        ...

    @property
    def tallies(self) -> Tallies:
        """Where answers are counted."""
        ...

    @property
    def tracing(self) -> Tracing:
        """Spans of requests, where they are wanted."""
        ...

    @property
    def is_redacted(self) -> bool:
        """Whether callers get no error texts (wire 6.1)."""
        ...

    async def answer(self, job: HttpJob) -> Success | Failure:
        """Run an HTTP action; its response goes to the job's door."""
        ...

    @property
    def analysis(self) -> Analysis:
        """What is known of the code that serves now: its HTTP routes, among others."""
        ...

    @property
    def site_url(self) -> str | None:
        """The origin of HTTP actions; None where nobody listens for them."""
        ...

    async def authenticate_header(self, authorization: str | None) -> Identity:
        """As `Backend.authenticate_header`."""
        ...


class Backend(HttpActionsBackend, Protocol):
    """One deployment, as the HTTP API sees it.

    Every method may raise an `errors.RewakeError`, which becomes a `{code, message}` answer; what a function
    itself did wrong is never raised, it is a `Failure`.
    """

    @property
    def deployment_name(self) -> str:
        """The name that `/instance_name` gives; the part of the admin key before `|`."""
        ...

    @property
    def server_version(self) -> str:
        """What `/version` gives."""
        ...

    @property
    def variables(self) -> Variables:
        """Environment variables."""
        ...

    @property
    def exports(self) -> Exports:
        """Snapshot exports."""
        ...

    @property
    def feeds(self) -> Feeds:
        """Tables and the commit log, for copies elsewhere."""
        ...

    @property
    def public_url(self) -> str | None:
        """Where the operator says that clients reach the deployment; None where nothing is said."""
        ...

    @property
    def keys(self) -> Keys:
        """Keys that were issued."""
        ...

    @property
    def sql(self) -> Sql:
        """SQL that reads."""
        ...

    @property
    def imports(self) -> Imports:
        """Files that become tables."""
        ...

    @property
    def deploys(self) -> Deploys:
        """Code that is sent."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What the deployment tells of its work."""
        ...

    @property
    def call_log(self) -> CallLog:
        """What ran."""
        ...

    @property
    def environment(self) -> Environment:
        """Where random request ids come from."""
        ...

    @property
    def is_redacted(self) -> bool:
        """Whether callers get neither error texts nor log lines (wire 6.1)."""
        ...

    @property
    def files(self) -> Files:
        """The files of the deployment."""
        ...

    async def query(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        at: int | None = None,
        source: RequestSource,
    ) -> tuple[Success | Failure, int]:
        """Run a query at the latest timestamp, or at `at`; give its result and the timestamp it read.

        Raises:
            InvalidInput: retention no longer keeps `at`.
        """
        ...

    async def query_many(
        self,
        calls: Sequence[FunctionCall],
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
    ) -> tuple[list[Success | Failure], int]:
        """Run several queries on one snapshot; results in the order of `calls`."""
        ...

    async def mutate(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> MutationOutcome:
        """Run a mutation; return after its group was committed. HTTP has no replay protection (wire 4.1)."""
        ...

    async def act(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> Success | Failure:
        """Run an action."""
        ...

    async def latest_ts(self) -> int:
        """The latest committed timestamp, not older than any that a client may have seen."""
        ...

    def kind_of(self, path: str, component: str) -> FunctionKind | None:
        """What kind of function lives at `path`, internal ones too; None when there is none."""
        ...

    async def authenticate_header(self, authorization: str | None) -> Identity:
        """Judge an `Authorization` header; None is anonymous.

        Raises:
            InvalidInput: the header cannot be read.
            Unauthenticated: the key or token in it is not valid.
        """
        ...

    async def ready(self) -> bool:
        """Whether functions can be called now. The process being alive is `/healthz`, not this."""
        ...
