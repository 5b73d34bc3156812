"""The connection: instructions carried out in order, and what goes wrong on the way."""

from __future__ import annotations

import json
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import Admin, Identity
from rewake.environment import seeded_environment
from rewake.execution import NO_SOURCE, RequestSource
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion
from rewake.reactivity import QueryChange, Showing
from rewake.storage import OutcomeUnknown, StorageFailed, StorageFull
from rewake.sync import LiveListener, LiveResult
from rewake.sync.broadcast import SharedText
from rewake.sync.connection import BEFORE_RESPONSE, Connection
from rewake.sync.session import Session
from rewake.sync.socket import Socket, Writer, Writing
from rewake.tallies import Tallies
from tests.sync.fake_backend import ADMIN_KEY, FakeBackend, FakeLiveSession
from tests.sync.story import SESSION_ID


class Wire:
    """A socket that writes down what happens to it."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.unsent = 0

    def write_text(self, parts: Sequence[bytes], size: int, *, waits: bool = False) -> None:
        self.events.append(json.loads(b"".join(parts))["type"])

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
        self.events.append("ping frame")

    def unsent_bytes(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.events.append("pause")

    def resume_reading(self) -> None:
        self.events.append("resume")

    def close(self, code: int | None, reason: str) -> None:
        self.events.append((code, reason))

    def abort(self) -> None:
        self.events.append("abort")


class Door:
    """A registry that runs jobs at once, as far as they go."""

    prefixes: tuple[str, ...] = ()

    def __init__(self, limits: Limits) -> None:
        self.tallies = Tallies()
        self.limits = limits
        self.standing_notice: str | None = None
        self.drops: list[str] = []
        self.gone: list[Connection] = []

    def connect(
        self,
        socket: Socket,
        client: ClientVersion,
        source: RequestSource = NO_SOURCE,
        *,
        watches_frames: bool = True,
    ) -> Connection:
        raise AssertionError

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        with pytest.raises(StopIteration):
            job.send(None)

    run_at_once = spawn

    def write_soon(self, socket: Writing) -> None:
        raise AssertionError("these sockets write at once")

    def dropped(self, reason: str) -> None:
        self.drops.append(reason)

    def disconnected(self, connection: Connection) -> None:
        self.gone.append(connection)


class World:
    """One connection and all its neighbours."""

    def __init__(self, **limits: Any) -> None:
        self.reached: list[str] = []
        environment = seeded_environment(1)
        environment.reach = self.reached.append
        self.backend = FakeBackend(environment)
        self.wire = Wire()
        self.door = Door(replace(DEFAULT_LIMITS, **limits))
        session = Session(self.backend, limits=self.door.limits, client=UNKNOWN_CLIENT)
        self.connection = Connection(self.backend, self.door, session, self.wire)
        self.say("Connect", sessionId=SESSION_ID, connectionCount=0)

    def say(self, kind: str, **fields: Any) -> None:
        self.connection.text_received(json.dumps({"type": kind, **fields}))

    def add(self, base: int, *query_ids: int) -> None:
        adds = [
            {"type": "Add", "queryId": each, "udfPath": "kv:get", "args": [{"key": "a"}]}
            for each in query_ids
        ]
        self.say("ModifyQuerySet", baseVersion=base, newVersion=base + 1, modifications=adds)

    @property
    def live(self) -> FakeLiveSession:
        (live,) = self.backend.sessions
        return live


def test_live_queries_are_opened_when_needed_and_closed_once() -> None:
    world = World()
    assert world.backend.sessions == []
    world.add(0, 0)
    live = world.live
    world.connection.lost()
    assert live.is_closed
    world.connection.lost()
    assert world.wire.events == []
    assert world.door.gone


def test_a_wave_that_would_begin_within_a_message_is_put_off_to_its_end() -> None:
    world = World()
    asked: list[tuple[bool, int]] = []

    class Eager(FakeLiveSession):
        """Live queries that begin a wave at every opportunity."""

        def change(self, changes: Sequence[QueryChange]) -> None:
            super().change(changes)
            asked.append((self.listener.begin_wave(), len(self.queries)))

        def request_wave(self) -> None:
            super().request_wave()
            if self.begin():
                self.finish()

    def open_session(listener: LiveListener) -> FakeLiveSession:
        session = Eager(world.backend, listener)
        world.backend.sessions.append(session)
        return session

    world.backend.open_session = open_session  # type: ignore[method-assign]
    world.add(0, 0, 1)
    assert asked == [(False, 2)]
    assert world.wire.events == ["Transition"]


def test_a_mutation_passes_the_fault_point_before_its_response() -> None:
    world = World()
    seen: list[Any] = []
    world.backend.environment.reach = lambda point: seen.append((point, list(world.wire.events)))
    world.say("Mutation", requestId=0, udfPath="kv:add", args=[{"key": "a"}])
    assert seen == [(BEFORE_RESPONSE, [])]
    assert world.wire.events == ["MutationResponse"]


def test_reading_pauses_during_authentication_only() -> None:
    world = World()
    world.say("Authenticate", baseVersion=0, tokenType="None")
    assert world.wire.events == ["pause", "resume"]


def test_a_refused_key_is_told_before_the_close() -> None:
    world = World()
    world.say("Authenticate", baseVersion=0, tokenType="Admin", value="another")
    assert world.wire.events == ["pause", "AuthError", "resume", (None, "")]


def test_a_mistake_of_the_house_ends_this_socket_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = World()

    class Broken(FakeLiveSession):
        """Live queries with a mistake in them."""

        def set_identity(self, identity: Identity) -> None:
            raise ZeroDivisionError("a mistake")

    broken = Broken(world.backend, world.connection)
    world.backend.sessions.append(broken)
    world.backend.open_session = lambda listener: broken  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR, "rewake"):
        world.say("Authenticate", baseVersion=0, tokenType="None")
    assert (1011, "InternalServerError") in world.wire.events
    assert "ZeroDivisionError" in caplog.text
    assert broken.is_closed


def test_a_mistake_of_a_client_is_not_logged_as_one_of_the_house(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    with caplog.at_level(logging.INFO, "rewake"):
        world.say("Authenticate", baseVersion=7, tokenType="None")
    assert (1011, "InternalServerError") in world.wire.events
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "IdentityVersionMismatch" in caplog.text


def test_a_mutation_that_raises_ends_the_socket_by_the_table() -> None:
    world = World()

    async def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("a bug")

    world.backend.mutate = refuse  # type: ignore[method-assign]
    world.say("Mutation", requestId=0, udfPath="kv:add", args=[{"key": "a"}])
    assert world.wire.events == ["resume", (1011, "InternalServerError")]


@pytest.mark.parametrize("error", [StorageFull(detail="no room"), StorageFailed(detail="disk I/O error")])
def test_a_mutation_that_the_disk_refused_is_answered_and_the_socket_stays(error: StorageFailed) -> None:
    world = World()

    async def refuse(*_: Any, **__: Any) -> Any:
        raise error

    world.backend.mutate = refuse  # type: ignore[method-assign]
    world.say("Mutation", requestId=0, udfPath="kv:add", args=[{"key": "a"}])
    world.say("Mutation", requestId=1, udfPath="kv:add", args=[{"key": "a"}])
    assert world.wire.events == ["MutationResponse", "MutationResponse"]


def test_a_mutation_of_which_nobody_knows_closes_the_socket_so_that_it_comes_again() -> None:
    world = World()

    async def lose(*_: Any, **__: Any) -> Any:
        raise OutcomeUnknown(detail="disk I/O error")

    world.backend.mutate = lose  # type: ignore[method-assign]
    world.say("Mutation", requestId=0, udfPath="kv:add", args=[{"key": "a"}])
    assert world.wire.events == ["resume", (1013, "OutcomeUnknown")]


def test_a_reader_found_too_slow_by_a_write_gets_nothing_more() -> None:
    world = World(socket_backlog_bytes_max=10)
    world.wire.unsent = 10_000
    world.say("Mutation", requestId=0, udfPath="kv:add", args=[{"key": "a"}])
    assert world.wire.events == ["MutationResponse", "abort"]
    assert world.door.drops == ["SlowReaderBytes"]
    assert world.backend.sessions == [], "the wave that would have followed was not asked for"
    assert world.connection.tick() is None


def test_a_tick_says_when_to_come_back_until_the_socket_is_gone() -> None:
    world = World()
    clock: Any = world.backend.environment.clock
    clock.advance(5)
    assert world.connection.tick() == clock.monotonic() + 5
    assert world.wire.events == ["ping frame"]
    world.connection.lost()
    assert world.connection.tick() is None


def test_a_client_that_closed_and_does_not_go_is_cut_off() -> None:
    world = World()
    clock: Any = world.backend.environment.clock
    world.connection.peer_closed()
    assert world.connection.has_ended
    assert world.connection.tick() == 5.0
    clock.advance(5)
    world.connection.tick()
    assert world.wire.events == ["abort"]


def test_a_wave_that_could_not_be_run_ends_the_socket() -> None:
    world = World()
    world.add(0, 0)
    assert world.live.begin()
    world.connection.fail_wave()
    assert world.wire.events == ["resume", (1011, "InternalServerError")]
    assert world.backend.sessions == []


def test_a_wave_that_ends_after_the_socket_did_says_nothing() -> None:
    world = World()
    world.add(0, 0)
    live = world.live
    assert live.begin()
    world.connection.shut_down(1001, "later")
    updates: list[tuple[int, LiveResult]] = []
    world.connection.finish_wave(5, updates)
    assert world.wire.events == ["resume", (1001, "later")]


def test_a_socket_whose_key_is_revoked_ends_at_once_and_others_go_on() -> None:
    world = World()
    world.say("Authenticate", baseVersion=0, tokenType="Admin", value=ADMIN_KEY)
    world.add(0, 0)
    live = world.live
    world.connection.check_identity()
    assert not world.connection.has_ended
    world.backend.lost.add(Admin())
    world.connection.check_identity()
    assert world.wire.events[-3:] == ["AuthError", "resume", (None, "")]
    assert world.connection.has_ended
    assert live.is_closed


def test_a_socket_of_nobody_has_nothing_to_lose() -> None:
    world = World()
    world.backend.lost.add(Admin())
    world.connection.check_identity()
    assert not world.connection.has_ended


def test_a_wave_is_not_shown_within_a_message_nor_to_a_reader_who_is_behind() -> None:
    world = World()
    world.add(0, 0)
    live = world.live
    assert live.begin()
    live.finish()
    wave = Showing(world.backend.last_ts, {})
    shown: list[bool] = []

    class Eager(FakeLiveSession):
        """Live queries that would show a wave at every opportunity."""

        def change(self, changes: Sequence[QueryChange]) -> None:
            super().change(changes)
            shown.append(self.listener.show(wave, []))

    live.__class__ = Eager
    world.add(1, 1)
    assert shown == [False]
    assert live.begin()
    live.finish()
    world.wire.unsent = 1
    assert not world.connection.show(wave, [])
    world.wire.unsent = 0
    assert world.connection.show(wave, [])
    assert wave.for_all is not None
    before = world.door.tallies.transitions
    wave.for_all.end()
    assert world.door.tallies.transitions == before + 1
