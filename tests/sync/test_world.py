"""Random clients against a fake backend, step by step, over connections that break.

Each client checks every message by the rules of its own side. In the end everything must have come to rest:
all calls settled, all results fresh, and each addition made exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rewake.environment import seeded_environment
from rewake.execution import NO_SOURCE, RequestSource
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion
from rewake.sync.broadcast import SharedText
from rewake.sync.connection import Connection
from rewake.sync.session import Session
from rewake.sync.socket import Socket, Writer, Writing
from rewake.tallies import Tallies
from tests.sync.fake_backend import FakeBackend, FakeLiveSession
from tests.sync.model_client import ModelClient

KEYS = st.sampled_from("abc")
CLIENTS = st.integers(0, 1)


class Gate:
    """One awaited moment; `step` of the job passes it."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Jobs:
    """The registry of all connections. Jobs are coroutines that stop at the gate until they are picked."""

    limits: Limits = DEFAULT_LIMITS
    prefixes: tuple[str, ...] = ()
    standing_notice: str | None = None

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.waiting: list[Coroutine[Any, Any, None]] = []

    def connect(
        self,
        socket: Socket,
        client: ClientVersion,
        source: RequestSource = NO_SOURCE,
        *,
        watches_frames: bool = True,
    ) -> Connection:
        raise AssertionError("sockets are made by the world")

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        job.send(None)
        self.waiting.append(job)

    run_at_once = spawn

    def write_soon(self, socket: Writing) -> None:
        raise AssertionError("these sockets write at once")

    def step(self, place: int) -> None:
        """Let one job go on to its end."""
        job = self.waiting.pop(place % len(self.waiting))
        try:
            job.send(None)
        except StopIteration:
            return
        raise AssertionError("a job passes one gate only")

    def dropped(self, reason: str) -> None:
        raise AssertionError(reason)

    def disconnected(self, connection: Connection) -> None:
        pass


class Pipe:
    """A socket whose messages reach the client at once, and whose reader may be slow."""

    def __init__(self, hear: Callable[[bytes], None], complaints: list[AssertionError]) -> None:
        self.hear = hear
        self.complaints = complaints
        self.unsent = 0
        self.closed: tuple[int | None, str] | None = None

    def write_text(self, parts: Sequence[bytes], size: int, *, waits: bool = False) -> None:
        assert self.closed is None
        try:
            self.hear(b"".join(parts))
        except AssertionError as complaint:
            # Raised here it would look like a mistake of the house, which closes the socket and goes on.
            self.complaints.append(complaint)

    def write_shared(self, text: SharedText, skew: bytes) -> bool:
        self.write_text(text.parts(skew), text.size)
        return self.holds_unsent

    def unison(self) -> tuple[Writer, int] | None:
        return None

    def wrote_shared(self, *, wire: int, plain: int) -> None:
        raise AssertionError("nobody writes past this socket")

    @property
    def holds_unsent(self) -> bool:
        return self.unsent > 0

    def write_ping(self) -> None:
        pass

    def unsent_bytes(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self, code: int | None, reason: str) -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        raise AssertionError("nobody is slow enough to be dropped")


class World(RuleBasedStateMachine):
    """Two clients, one backend."""

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        environment = seeded_environment(seed)
        self.jobs = Jobs()
        self.complaints: list[AssertionError] = []

        async def gate() -> None:
            await Gate()

        self.backend = FakeBackend(environment, gate=gate)
        self.clients = [
            ModelClient(f"{place}f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f", self.backend) for place in (1, 2)
        ]
        self.pipes: list[Pipe | None] = [None, None]
        self.connections: list[Connection | None] = [None, None]
        self.outside_writes = dict.fromkeys("abc", 0)
        for who in (0, 1):
            self._open(who)

    def _open(self, who: int) -> None:
        client = self.clients[who]
        pipe = Pipe(client.hear, self.complaints)
        session = Session(self.backend, limits=DEFAULT_LIMITS, client=UNKNOWN_CLIENT)
        self.pipes[who] = pipe
        self.connections[who] = Connection(self.backend, self.jobs, session, pipe)
        for message in client.connect():
            self._say(who, message)

    def _say(self, who: int, message: dict[str, Any]) -> None:
        connection = self.connections[who]
        assert connection is not None
        connection.text_received(json.dumps(message))

    @invariant()
    def nobody_complains(self) -> None:
        for complaint in self.complaints:
            raise complaint
        for pipe in self.pipes:
            assert pipe is None or pipe.closed is None, pipe

    # What clients do.

    @rule(who=CLIENTS, key=KEYS)
    def add_a_query(self, who: int, key: str) -> None:
        self._say(who, self.clients[who].add(key))

    @rule(who=CLIENTS, pick=st.integers(0, 99))
    def remove_a_query(self, who: int, pick: int) -> None:
        client = self.clients[who]
        if client.queries:
            self._say(who, client.remove(sorted(client.queries)[pick % len(client.queries)]))

    @rule(who=CLIENTS, key=st.none() | KEYS)
    def mutate(self, who: int, key: str | None) -> None:
        self._say(who, self.clients[who].mutate(key))

    @rule(who=CLIENTS)
    def act(self, who: int) -> None:
        self._say(who, self.clients[who].act("hi"))

    @rule(who=CLIENTS)
    def say_a_call_twice(self, who: int) -> None:
        client = self.clients[who]
        again = [each.message for each in client.mutations if each.number in client.sent_here]
        if again:
            self._say(who, again[-1])

    @rule(who=CLIENTS)
    def log_out(self, who: int) -> None:
        self._say(who, self.clients[who].log_out())

    @rule(who=CLIENTS)
    def lose_the_connection(self, who: int) -> None:
        connection = self.connections[who]
        assert connection is not None
        connection.lost()
        self._open(who)

    @rule(who=CLIENTS)
    def connect_before_the_old_socket_is_reaped(self, who: int) -> None:
        old, pipe = self.connections[who], self.pipes[who]
        assert old is not None
        assert pipe is not None
        pipe.hear = lambda _: None
        self._open(who)
        old.lost()

    # What the house does.

    @precondition(lambda self: self.jobs.waiting)
    @rule(pick=st.integers(0, 99))
    def let_a_job_finish(self, pick: int) -> None:
        self.jobs.step(pick)

    @rule(pick=st.integers(0, 99))
    def begin_a_wave(self, pick: int) -> None:
        session = self._session(pick)
        if session is not None and session.in_wave is None:
            session.begin()

    @rule(pick=st.integers(0, 99))
    def finish_a_wave(self, pick: int) -> None:
        session = self._session(pick)
        if session is not None and session.in_wave is not None:
            session.finish()

    @rule(pick=st.integers(0, 99))
    def run_a_wave(self, pick: int) -> None:
        session = self._session(pick)
        if session is not None and session.in_wave is None and session.begin():
            session.finish()

    @rule(key=KEYS)
    def somebody_else_writes(self, key: str) -> None:
        self.backend.write(key)
        self.outside_writes[key] += 1

    @rule(who=CLIENTS, unsent=st.sampled_from([0, 1, 200, 1_000_000]))
    def the_reader_slows_or_catches_up(self, who: int, unsent: int) -> None:
        pipe, connection = self.pipes[who], self.connections[who]
        assert pipe is not None
        assert connection is not None
        pipe.unsent = unsent
        connection.unsent_changed()

    @rule(who=CLIENTS, key=KEYS)
    def much_happens_while_the_reader_sleeps(self, who: int, key: str) -> None:
        pipe = self.pipes[who]
        assert pipe is not None
        pipe.unsent = 1_000_000
        for _ in range(3):
            self.somebody_else_writes(key)
            for pick in range(len(self.backend.sessions)):
                self.run_a_wave(pick)

    def _session(self, pick: int) -> FakeLiveSession | None:
        sessions = self.backend.sessions
        return sessions[pick % len(sessions)] if sessions else None

    def teardown(self) -> None:
        """Everything comes to rest, and everybody agrees."""
        if not hasattr(self, "clients"):
            return
        for who in (0, 1):
            self.the_reader_slows_or_catches_up(who, 0)
        for _ in range(10_000):
            if self.jobs.waiting:
                self.jobs.step(0)
                continue
            for session in list(self.backend.sessions):
                if session.in_wave is not None or session.begin():
                    session.finish()
                    break
            else:
                break
        self.nobody_complains()
        for client in self.clients:
            assert not client.mutations, "every mutation settles"
            assert not client.actions, "every action settles"
            assert client.responses_since_transition == 0, "a Transition follows every response"
            assert client.version[:2] == (client.sent_query_set, client.sent_identity)
            assert not client.unconfirmed_removals
            assert client.remote == {
                query_id: self.backend.value_at(key, self.backend.last_ts)
                for query_id, key in client.queries.items()
            }
        for key in "abc":
            additions = sum(client.added.get(key, 0) for client in self.clients)
            total = additions + self.outside_writes[key]
            assert self.backend.value_at(key, self.backend.last_ts) == total, "each addition once"


World.TestCase.settings = settings(max_examples=200, stateful_step_count=80, deadline=None)
TestWorld = World.TestCase
