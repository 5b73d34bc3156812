"""A deployment made of a few functions, for the HTTP API to talk to; and a caller who talks to the API.

The fake keeps every commit, so reads at an older timestamp are honest. `test_ports.py` compares its
methods with the port's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from msgspec.structs import replace
from starlette.types import ASGIApp

from rewake.auth import (
    ANONYMOUS,
    Admin,
    AdminKey,
    FreshKey,
    Grant,
    Identity,
    IssuedKey,
    Scope,
    User,
)
from rewake.database import (
    Changes,
    Export,
    ExportInProgress,
    ExportNotFound,
    FeedRow,
    InvalidSql,
    KeyLabelInvalid,
    KeyNotFound,
    Selection,
    SnapshotPage,
)
from rewake.deployment import Window
from rewake.environment import Environment, seeded_environment
from rewake.errors import ApplicationError, InvalidInput, Unauthenticated, Unavailable
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
from rewake.http_api import FunctionKind, build_app
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import FunctionPath
from rewake.tallies import Tallies
from rewake.tracing import NO_TRACING, Tracing
from rewake.values import Int64, InvalidValue, decode, encode

ADMIN_KEY = "quiet-otter-12|0badc0de"
ADMIN = {"Authorization": f"Convex {ADMIN_KEY}"}
FIRST_TS = 1_700_000_000_000_000_000
SMALL_LIMITS = Limits(http_body_bytes_max=64 * 1024, http_batch_queries_max=3)
LOG_LINE = "[LOG] 'hi'"


class BadHeader(InvalidInput):
    """The Authorization header cannot be read."""

    code = "InvalidHeaderFailure"


class FakeVariables:
    """Environment variables in a dict; `BAD` is refused."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def all(self) -> dict[str, str]:
        return self.values

    async def change(self, changes: Mapping[str, str | None]) -> None:
        if "BAD" in changes:
            raise BadHeader("BAD is refused")
        left = self.values | changes
        self.values = {name: value for name, value in left.items() if value is not None}


@dataclass
class FakeMetrics:
    """Numbers as a test sets them: the same in every bucket, and nothing is known of the first."""

    numbers: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    moments: dict[str, float] = field(default_factory=dict)
    writes: dict[str, float] = field(default_factory=dict)

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        return b"fake_metric 1\n", "text/plain; version=0.0.4; charset=utf-8"

    def functions(self, window: Window) -> list[dict[tuple[str, str], tuple[float, ...]] | None]:
        return [None, *[self.numbers] * (window.buckets - 1)]

    def sampled(self, name: str, window: Window) -> list[float | None]:
        return [None, *[self.moments.get(name)] * (window.buckets - 1)]

    async def written(self, table: str, window: Window) -> list[float | None]:
        return [None, *[self.writes.get(table, 0.0)] * (window.buckets - 1)]


SCOPED = {scope: {"Authorization": f"Convex {ADMIN_KEY}-{scope}"} for scope in Scope}
"""A key of each scope."""


class FakeExports:
    """One export under way at most, and one archive, of timestamp 77."""

    def __init__(self) -> None:
        self.path = Path("snapshot_77.zip")
        self.expirations: dict[str, int] = {}
        self.is_busy = False

    async def request(self, *, has_files: bool) -> str:
        if self.is_busy:
            raise ExportInProgress()
        self.is_busy = True
        return "e1"

    async def find(self, name: str) -> tuple[Export, Path]:
        if name != "77":
            raise ExportNotFound(name=name)
        return Export("e1", "completed", False, 77, 78, 99, self.path.name), self.path

    async def set_expiration(self, id: str, *, expiration_ts: int) -> None:
        self.expirations[id] = expiration_ts

    async def cancel(self, id: str) -> None:
        if not self.is_busy:
            raise ExportNotFound(name=id)
        self.is_busy = False


class FakeFeeds:
    """Two documents of one table, in two pages, and one change; takes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Selection, object]] = []

    async def snapshot(
        self, selection: Selection, *, ts: int | None, start: tuple[str, bytes] | None
    ) -> tuple[int, SnapshotPage]:
        self.asked.append((selection, start))
        text = '{"_creationTime":1.0,"_id":"i","big":{"$integer":"BwAAAAAAAAA="}}'
        row = FeedRow("notes", 77, "i", text)
        return 77, SnapshotPage([row], ("notes", b"\0k") if start is None else None)

    async def changes(self, selection: Selection, *, after: int) -> Changes:
        self.asked.append((selection, after))
        return Changes([FeedRow("notes", 78, "i", '{"_id":"i"}'), FeedRow("notes", 79, "j", None)], 79, False)

    async def empty_tables(self) -> Mapping[str, bool]:
        return {"empty": True, "notes": False}

    async def indexes(self) -> list[dict[str, Any]]:
        return [{"table": "notes", "name": "by_n"}]

    async def columns(self) -> Mapping[str, list[str]]:
        return {"notes": ["_creationTime", "_id", "big"]}


class FakeKeys:
    """Issued keys in a dict; the label `BAD` is refused."""

    def __init__(self) -> None:
        self.keys: dict[str, IssuedKey] = {}

    def all(self) -> list[IssuedKey]:
        return list(self.keys.values())

    async def create(self, *, label: str, scopes: Iterable[str], expires_ms: float | None) -> FreshKey:
        if label == "BAD":
            raise KeyLabelInvalid(limit=1)
        id = f"k{len(self.keys)}"
        self.keys[id] = IssuedKey(id, label, frozenset(map(Scope, scopes)), "digest", 1000.0, expires_ms)
        return FreshKey(id, "digest", f"x|{id}-secret")

    async def revoke(self, id: str) -> None:
        if id not in self.keys:
            raise KeyNotFound(id=id)
        self.keys[id] = replace(self.keys[id], revoked_ms=2000.0)


class FakeSql:
    """Answers with the statement; the text `bad` is refused."""

    async def run(self, text: str) -> dict[str, Any]:
        if text == "bad":
            raise InvalidSql("no")
        return {"columns": ["text"], "rows": [[text]], "isCut": False}


@dataclass
class FakeBackend:
    """Messages with a history, and functions that go wrong in each way there is."""

    deployment_name: str = "quiet-otter-12"
    server_version: str = "0.1.0"
    environment: Environment = field(default_factory=lambda: seeded_environment(7))
    messages: list[tuple[int, str]] = field(default_factory=list)
    ts: int = FIRST_TS
    is_ready: bool = True
    is_redacted: bool = False
    limits: Limits = DEFAULT_LIMITS
    ran: list[tuple[str, Identity, str]] = field(default_factory=list)
    """Each run: canonical path, who, request id."""
    sources: list[RequestSource] = field(default_factory=list)
    """Where mutations and actions came from."""
    call_log: CallLog = field(default_factory=CallLog)
    variables: FakeVariables = field(default_factory=FakeVariables)
    keys: FakeKeys = field(default_factory=FakeKeys)
    sql: FakeSql = field(default_factory=FakeSql)
    exports: FakeExports = field(default_factory=FakeExports)
    feeds: FakeFeeds = field(default_factory=FakeFeeds)
    tallies: Tallies = field(default_factory=Tallies)
    tracing: Tracing = NO_TRACING
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    files: Any = None
    """Has none: `test_files.py` talks to a real deployment."""
    deploys: Any = None
    """Takes none: `tests/clients/test_deploys.py` talks to a real server."""
    imports: Any = None
    """Has none: `test_importing.py` talks to a real deployment."""
    before_query: Callable[[], None] = lambda: None
    """Called before each query: writes here happen between two queries of one caller."""

    async def query(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        at: int | None = None,
        source: RequestSource,
    ) -> tuple[Success | Failure, int]:
        self.before_query()
        ts = self.ts if at is None else at
        return self._run("query", call, identity, request_id, ts), ts

    async def query_many(
        self, calls: Sequence[FunctionCall], identity: Identity, *, request_id: str, source: RequestSource
    ) -> tuple[list[Success | Failure], int]:
        ts = self.ts
        results = []
        for call in calls:
            self.before_query()
            results.append(self._run("query", call, identity, request_id, ts))
        return results, ts

    async def mutate(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> MutationOutcome:
        self.sources.append(source)
        result = self._run("mutation", call, identity, request_id, self.ts)
        return MutationOutcome(result, self.ts)

    async def act(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> Success | Failure:
        self.sources.append(source)
        return self._run("action", call, identity, request_id, self.ts)

    async def latest_ts(self) -> int:
        return self.ts

    def kind_of(self, path: str, component: str) -> FunctionKind | None:
        found = None if component else FUNCTIONS.get(FunctionPath.parse(path).canonical)
        return None if found is None else found.kind

    async def authenticate_header(self, authorization: str | None) -> Identity:
        if authorization is None:
            return ANONYMOUS
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "convex":
            for scope, headers in SCOPED.items():
                if headers["Authorization"] == authorization:
                    return Admin(grant=Grant(scope.value, frozenset((scope,))))
            AdminKey(ADMIN_KEY).check(credentials)
            return Admin()
        if scheme.lower() != "bearer":
            raise BadHeader("The Authorization header has neither scheme.")
        if credentials != "good":
            raise Unauthenticated("The token is no good.")
        return User.from_attributes({"subject": "ann"})

    async def ready(self) -> bool:
        return self.is_ready

    analysis = Analysis()
    site_url: str | None = None
    public_url: str | None = None

    async def answer(self, job: HttpJob) -> Success | Failure:
        raise AssertionError("this application has no HTTP actions")

    def write(self, body: str) -> None:
        """Commit one message."""
        self.ts += 1
        self.messages.append((self.ts, body))

    def _run(
        self, kind: FunctionKind, call: FunctionCall, identity: Identity, request_id: str, ts: int
    ) -> Success | Failure:
        path = FunctionPath.parse(call.path)
        found = None if call.component else FUNCTIONS.get(path.canonical)
        if found is None or (found.is_internal and not isinstance(identity, Admin)):
            return Failure(f"Could not find public function for '{path.public}'.")
        self.ran.append((path.canonical, identity, request_id))
        if found.kind != kind:
            return Failure(f"Trying to execute {path.canonical} as {kind.title()}.")
        try:
            args = decode(call.args)
        except InvalidValue as error:
            return Failure(f"Invalid arguments for {path.public}: {error}")
        if not isinstance(args, dict):
            return Failure("Expected to receive an object as the function's argument.")
        try:
            return Success(encode(found.handler(self, args, ts)), (LOG_LINE,))
        except ApplicationError as error:
            return Failure("Uncaught ConvexError\n    at handler (backend/fails.py:1)", encode(error.data))
        except ValueError as error:
            return Failure(f"Uncaught ValueError: {error}", None, ("[ERROR] 'half \ud800'",))


Handler = Callable[[FakeBackend, dict[str, Any], int], Any]


@dataclass(frozen=True)
class _Function:
    kind: FunctionKind
    handler: Handler
    is_internal: bool = False


def _send(backend: FakeBackend, args: dict[str, Any], ts: int) -> None:
    backend.write(args["body"])


def _raise(error: Exception) -> Handler:
    def handler(backend: FakeBackend, args: dict[str, Any], ts: int) -> Any:
        raise error

    return handler


EVERY_TYPE = {
    "none": None,
    "yes": True,
    "one": 1.0,
    "tiny": 1e-7,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus_zero": -0.0,
    "big": Int64(2**53 + 1),
    "bytes": b"\x00\x01\x02",
    "text": "é",
    "list": [1.0, {"a": Int64(1)}],
}

FUNCTIONS: dict[str, _Function] = {
    "messages.js:list": _Function(
        "query", lambda backend, args, ts: [b for t, b in backend.messages if t <= ts]
    ),
    "messages.js:send": _Function("mutation", _send),
    "values.js:every": _Function("query", lambda backend, args, ts: EVERY_TYPE),
    "values.js:same": _Function("query", lambda backend, args, ts: args),
    "ai.js:reply": _Function("action", lambda backend, args, ts: "hello"),
    "deep/dir/module.js:read": _Function("query", lambda backend, args, ts: "deep"),
    "secret.js:purge": _Function("mutation", lambda backend, args, ts: "purged", is_internal=True),
    "fails.js:plain": _Function("query", _raise(ValueError("no"))),
    "fails.js:data": _Function("mutation", _raise(ApplicationError({"code": "full", "left": 0.0}))),
    "fails.js:null": _Function("action", _raise(ApplicationError(None))),
    "broken.js:crash": _Function("query", _raise(RuntimeError("a secret of the server"))),
    "broken.js:full": _Function("mutation", _raise(Unavailable("The disk is full."))),
}


class Caller:
    """A client that speaks to one application, one request after another."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send one request and give its response. Keywords are httpx's."""
        return asyncio.run(self._ask(method, path, **request))

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://deployment.test") as client:
            return await client.request(method, path, **request)

    def post(self, path: str, body: Any, **request: Any) -> httpx.Response:
        return self("POST", path, json=body, **request)

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self("GET", path, **request)


def caller(backend: FakeBackend, **options: Any) -> Caller:
    """A caller of the whole door on `backend`."""
    return Caller(build_app(backend, **{"limits": SMALL_LIMITS, **options}))


def assert_error(response: httpx.Response, status: int, code: str) -> str:
    """Check the one shape of infrastructure errors; give the message."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    shape = response.json()
    assert sorted(shape) == ["code", "message"]
    assert shape["code"] == code
    assert shape["message"]
    return str(shape["message"])
