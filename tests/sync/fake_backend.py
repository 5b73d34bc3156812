"""A deployment of numbers by name, which keeps the promises of `sync/ports.py`.

    query     kv:get {"key"}     the number, 0 at first      kv:fail {}       fails with data
              kv:text {"size"}   a long text
    mutation  kv:add {"key"}     adds one, returns the sum   kv:fail {}
    action    kv:echo {...}      returns its arguments       kv:fail {}
              kv:forbidden {}    raises Forbidden

Mutations, actions and waves take place when `gate` lets them: at once by default, or step by step.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from rewake.auth import ANONYMOUS, Admin, Identity
from rewake.database import ReplayKey
from rewake.environment import Environment
from rewake.errors import Forbidden, Unauthenticated
from rewake.execution import Failure, FunctionCall, MutationOutcome, RequestSource, Success
from rewake.protocol import FunctionPath
from rewake.reactivity import QueryChange
from rewake.sync import LiveListener, LiveResult

ADMIN_KEY = "test|key"


class BadKey(Unauthenticated):
    """The key is another."""

    code = "BadAdminKey"


@dataclass
class FakeLiveResult:
    """An answer, shared by all who asked the same at one timestamp."""

    result: Success | Failure
    journal: str | None = None
    rendered: bytes | None = None

    @property
    def fingerprint(self) -> int:
        return hash(repr(self.result))


@dataclass
class LiveQuery:
    """A query of one session and the timestamp of its last run, None before the first."""

    call: FunctionCall
    ran_at: int | None = None


class FakeLiveSession:
    """The live queries of one socket. `wanted` says that a wave is due."""

    def __init__(self, backend: FakeBackend, listener: LiveListener) -> None:
        self.backend = backend
        self.listener = listener
        self.queries: dict[int, LiveQuery] = {}
        self.wanted = False
        self.told: list[str] = []
        self.in_wave: tuple[int, list[tuple[int, LiveResult]]] | None = None
        self.is_closed = False

    def change(self, changes: Sequence[QueryChange]) -> None:
        for change in changes:
            if change.call is None:
                del self.queries[change.query_id]
            else:
                assert change.query_id not in self.queries
                self.queries[change.query_id] = LiveQuery(change.call)
        self.request_wave()

    def set_identity(self, identity: Identity) -> None:
        for query in self.queries.values():
            query.ran_at = None

    def request_wave(self) -> None:
        assert not self.is_closed
        self.wanted = True
        self.backend.on_wanted(self)

    def tell(self, line: str) -> None:
        self.told.append(line)

    def close(self) -> None:
        self.is_closed = True
        self.backend.sessions.remove(self)

    def begin(self) -> bool:
        """Begin a wave at the latest timestamp; False when the session would not take part."""
        assert self.in_wave is None
        if self.is_closed or not self.wanted:
            return False
        self.wanted = False
        if not self.listener.begin_wave():
            return False
        ts = self.backend.last_ts
        updates: list[tuple[int, LiveResult]] = []
        for query_id, query in self.queries.items():
            if query.ran_at is None or self.backend.touched_since(query.call, query.ran_at):
                query.ran_at = ts
                updates.append((query_id, self.backend.live_result(query.call, ts)))
        self.in_wave = (ts, updates)
        return True

    def finish(self) -> None:
        """End the wave that was begun."""
        assert self.in_wave is not None
        (ts, updates), self.in_wave = self.in_wave, None
        if not self.is_closed:
            self.listener.finish_wave(ts, updates)


async def _open_gate() -> None:
    """Lets everything pass."""


@dataclass
class FakeBackend:
    """One deployment."""

    environment: Environment
    gate: Callable[[], Awaitable[None]] = _open_gate
    on_wanted: Callable[[FakeLiveSession], None] = lambda _: None
    last_ts: int = 1000
    history: list[tuple[int, str, int]] = field(default_factory=list)
    """Every write: when, which key, the new number."""
    sessions: list[FakeLiveSession] = field(default_factory=list)
    outcomes: dict[ReplayKey, MutationOutcome] = field(default_factory=dict)
    sources: list[RequestSource] = field(default_factory=list)
    """Where each mutation and action came from."""
    lost: set[Identity] = field(default_factory=set)
    """Identities that are not good any more; `lose` tells of one more."""
    on_lost: list[Callable[[], None]] = field(default_factory=list)
    _results: dict[tuple[FunctionCall, int], FakeLiveResult] = field(default_factory=dict)

    def now_ns(self) -> int:
        return self.environment.clock.now_ns()

    def monotonic(self) -> float:
        return self.environment.clock.monotonic()

    # The database.

    def value_at(self, key: str, ts: int) -> int:
        """The number of `key` as it stood at `ts`."""
        return next((value for at, name, value in reversed(self.history) if name == key and at <= ts), 0)

    def write(self, key: str) -> int:
        """Add one to `key` in a commit of its own."""
        value = self.value_at(key, self.last_ts) + 1
        self.last_ts += 7
        self.history.append((self.last_ts, key, value))
        for session in list(self.sessions):
            if any(json.loads(query.call.args).get("key") == key for query in session.queries.values()):
                session.request_wave()
        return value

    def touched_since(self, call: FunctionCall, ts: int) -> bool:
        key = json.loads(call.args).get("key")
        return any(at > ts and name == key for at, name, _ in self.history)

    def live_result(self, call: FunctionCall, ts: int) -> FakeLiveResult:
        return self._results.setdefault((call, ts), FakeLiveResult(self.query(call, ts)))

    def query(self, call: FunctionCall, ts: int) -> Success | Failure:
        """Run a query at `ts`."""
        args = json.loads(call.args)
        match FunctionPath.parse(call.path).public:
            case "kv:get":
                return Success(f"{self.value_at(args['key'], ts)}.0", ("[LOG] 'get'",))
            case "kv:text":
                return Success(json.dumps("é" * int(args["size"]), ensure_ascii=False))
            case "kv:fail":
                return Failure('Uncaught ApplicationError: {"code":"full"}', '{"code":"full"}')
            case path:
                return Failure(f"Could not find public function for '{path}'.")

    # The port.

    async def mutate(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
        replay: ReplayKey,
    ) -> MutationOutcome:
        self.sources.append(source)
        await self.gate()
        if replay in self.outcomes:
            return self.outcomes[replay]
        if FunctionPath.parse(call.path).public != "kv:add":
            return MutationOutcome(Failure("Uncaught ValueError: no", "null"), self.last_ts)
        value = self.write(json.loads(call.args)["key"])
        outcome = MutationOutcome(Success(f"{value}.0"), self.last_ts)
        self.outcomes[replay] = outcome
        return outcome

    async def act(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> Success | Failure:
        self.sources.append(source)
        await self.gate()
        match FunctionPath.parse(call.path).public:
            case "kv:echo":
                return Success(call.args)
            case "kv:forbidden":
                raise Forbidden("not this")
            case _:
                return Failure("Uncaught ValueError: no")

    async def authenticate(
        self, token_type: str, value: str | None, impersonating: object | None
    ) -> Identity:
        await self.gate()
        if token_type == "None":
            return ANONYMOUS
        if token_type == "Admin" and value == ADMIN_KEY:
            return Admin()
        raise BadKey("The provided admin key was invalid for this instance")

    def check_identity(self, identity: Identity) -> None:
        if identity in self.lost:
            raise BadKey("The provided admin key was revoked")

    def on_identities_lost(self, listener: Callable[[], None]) -> None:
        self.on_lost.append(listener)

    def lose(self, identity: Identity) -> None:
        """From now on `identity` is not good any more."""
        self.lost.add(identity)
        for listener in self.on_lost:
            listener()

    def open_session(self, listener: LiveListener) -> FakeLiveSession:
        session = FakeLiveSession(self, listener)
        self.sessions.append(session)
        return session


def pump_at_once(backend: FakeBackend) -> None:
    """Let every wave run in the next turn of the running loop, as a quick hub would."""
    import asyncio

    def run(session: FakeLiveSession) -> None:
        if session.in_wave is None and session.begin():
            session.finish()

    def wanted(session: FakeLiveSession) -> None:
        asyncio.get_running_loop().call_soon(run, session)

    backend.on_wanted = wanted


def listed(updates: Sequence[tuple[int, LiveResult]]) -> list[tuple[int, Success | Failure]]:
    """Updates, for comparison."""
    return [(query_id, live.result) for query_id, live in updates]
