"""A crowd: many sockets of one door over real live queries, moved step by step, with every byte written down.

The runner is simulated, the clock stands still, chance is always the same; so what a socket writes follows
from what was done, and two crowds that differ in one thing can be compared.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

from websockets.frames import Frame, Opcode

from rewake.auth import ANONYMOUS, Identity, User
from rewake.database import ReplayKey
from rewake.environment import Environment, ManualClock
from rewake.execution import (
    NO_SOURCE,
    Failure,
    FunctionCall,
    MutationOutcome,
    RequestSource,
    Success,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion, client_version
from rewake.reactivity import LiveQueries, LiveSession
from rewake.sync import LiveListener, SyncDoor
from rewake.sync.uvicorn_socket import SyncSocket
from tests.reactivity.simulated_runner import Answer, History, SimulatedRunner

CLIENTS: dict[str, ClientVersion] = {
    "npm": client_version(None, "1.48.0"),
    "old npm": client_version(None, "1.20.0"),
    "rust": client_version("rust-0.9.0", None),
    "unknown": UNKNOWN_CLIENT,
}


class Transport:
    """A transport that writes down what it is handed; its kernel takes `room` bytes more."""

    def __init__(self) -> None:
        self.written = b""
        self.room = 10**9
        self.waiting = 0
        self.is_cut = False
        self.paused: Callable[[], None] = lambda: None
        self.resumed: Callable[[], None] = lambda: None

    def write(self, data: bytes) -> None:
        assert not self.is_cut
        self.written += data
        taken = min(self.room, len(data)) if not self.waiting else 0
        self.room -= taken
        was_waiting, self.waiting = self.waiting, self.waiting + len(data) - taken
        if self.waiting and not was_waiting:
            self.paused()

    def writelines(self, buffers: list[bytes]) -> None:
        self.write(b"".join(buffers))

    def drain(self) -> None:
        """The client reads everything, and goes on reading."""
        self.room = 10**9
        if self.waiting:
            self.waiting = 0
            self.resumed()

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, *, high: int) -> None:
        assert high == 0

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.is_cut = True

    close = abort

    def resume_reading(self) -> None:
        pass

    pause_reading = resume_reading


class Wordy(History):
    """A history that has more to say about one key than about the others: it is worth compressing."""

    def answer(self, called: FunctionCall, identity: Identity, ts: int) -> Answer:
        answer = super().answer(called, identity, ts)
        if json.loads(called.args)["key"] == "b" and isinstance(answer.result, Success):
            text = answer.result.value[:-1] + " and so on" * 100 + '"'
            return replace(answer, result=Success(text))
        return answer


class House:
    """The backend of the door: live queries over the simulated runner."""

    def __init__(self, clock: ManualClock) -> None:
        self.environment = Environment(clock=clock, random_bytes=lambda count: b"\x01" * count)
        self.runner = SimulatedRunner(Wordy())
        self.live = LiveQueries(
            self.runner,
            environment=self.environment,
            limits=DEFAULT_LIMITS,
            position=self.runner.history.last_ts,
        )
        self.runner.on_group = self.live.on_group

    def now_ns(self) -> int:
        return self.environment.clock.now_ns()

    def monotonic(self) -> float:
        return self.environment.clock.monotonic()

    @property
    def last_ts(self) -> int:
        return self.live.position

    async def mutate(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
        replay: ReplayKey,
    ) -> MutationOutcome:
        args = json.loads(call.args)
        ts = self.runner.commit_and_deliver((args["key"], int(args["value"])))
        return MutationOutcome(Success("null"), ts)

    async def act(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> Success | Failure:
        raise AssertionError("nobody acts here")

    async def authenticate(
        self, token_type: str, value: str | None, impersonating: object | None
    ) -> Identity:
        """A token is a name and the seconds for which it is good."""
        if token_type == "None" or value is None:
            return ANONYMOUS
        name, _, seconds = value.partition(" ")
        return User(json.dumps({"n": name}), expires_ns=self.now_ns() + int(seconds) * 10**9)

    def check_identity(self, identity: Identity) -> None:
        pass

    def on_identities_lost(self, listener: Callable[[], None]) -> None:
        pass

    def open_session(self, listener: LiveListener) -> LiveSession:
        return self.live.open_session(listener)


class Crowd:
    """The door and its sockets. Made inside a running loop."""

    def __init__(self, limits: Limits) -> None:
        self.clock = ManualClock()
        self.house = House(self.clock)
        self.door = SyncDoor(self.house, limits=limits)
        self.members: list[Member] = []

    def join(self, *, client: str, window_bits: int, skew_ms: int | None) -> Member:
        member = Member(self, client=client, window_bits=window_bits, skew_ms=skew_ms)
        self.members.append(member)
        return member

    async def rest(self) -> None:
        """Let everything that can happen, happen."""
        for _ in range(40):
            await asyncio.sleep(0)

    @property
    def written(self) -> list[bytes]:
        """Every byte that each member was ever sent."""
        return [member.transport.written for member in self.members]


class Member:
    """One client, and its socket's other end."""

    def __init__(self, crowd: Crowd, *, client: str, window_bits: int, skew_ms: int | None) -> None:
        self.transport = Transport()
        place = crowd.door.admission.admit("", {})
        self.socket = SyncSocket(
            crowd.door, CLIENTS[client], NO_SOURCE, set(), place, window_bits=window_bits
        )
        self.transport.paused = self.socket.pause_writing
        self.transport.resumed = self.socket.resume_writing
        self.socket.connection_made(cast(asyncio.Transport, self.transport))
        self.query_set = self.identity = self.requests = 0
        self.queries: list[int] = []
        connect: dict[str, Any] = {"sessionId": f"1f2b1c4e-8d5a-4f6b-9c7d-{len(crowd.members):012}"}
        if skew_ms is not None:
            connect["clientTs"] = crowd.clock.now_ns() // 1_000_000 + skew_ms
        self.say("Connect", connectionCount=0, **connect)

    def say(self, kind: str, **fields: Any) -> None:
        if not self.transport.is_cut:
            text = json.dumps({"type": kind, **fields}).encode()
            self.socket.data_received(Frame(Opcode.TEXT, text).serialize(mask=True))

    def modify(self, *, adds: Sequence[tuple[str, str | int]] = (), removes: int = 0) -> None:
        """Add queries, by path and key; remove some of those that there are, the oldest first."""
        modifications: list[dict[str, Any]] = []
        gone, self.queries = self.queries[:removes], self.queries[removes:]
        modifications += [{"type": "Remove", "queryId": each} for each in gone]
        for path, key in adds:
            number = self.query_set * 10 + len(modifications)
            self.queries.append(number)
            modifications.append({"type": "Add", "queryId": number, "udfPath": path, "args": [{"key": key}]})
        base, self.query_set = self.query_set, self.query_set + 1
        self.say("ModifyQuerySet", baseVersion=base, newVersion=base + 1, modifications=modifications)

    def authenticate(self, name: str | None, *, seconds: int = 100) -> None:
        base, self.identity = self.identity, self.identity + 1
        token = {"tokenType": "None"} if name is None else {"tokenType": "User", "value": f"{name} {seconds}"}
        self.say("Authenticate", baseVersion=base, **token)

    def mutate(self, key: str, value: int) -> None:
        self.requests += 1
        args = [{"key": key, "value": value}]
        self.say("Mutation", requestId=self.requests, udfPath="m:set", args=args)


def in_two_steps() -> Any:
    """Have every wave begin, and finish later, as if there was no other way."""
    return patch.object(LiveSession, "joins", lambda self, entries: False)
