"""The lobby: turns are bounded, first come is first served, and everybody's place is given back."""

from __future__ import annotations

import asyncio
import errno
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from rewake.environment import Environment, ManualClock
from rewake.execution import Turnstile
from rewake.http_api import lane_at_turnstile
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import LOOPBACK
from rewake.server import Server, lobby
from rewake.server.entrance import Entrance
from rewake.server.gate import Gate
from rewake.server.lobby import Lobby
from rewake.tallies import Tallies

CALL = b'POST /api/mutation HTTP/1.1\r\nHost: here\r\nContent-Length: 12\r\n\r\n{"path":"a"}'
SECONDS_MAX = 60
RESET = struct.pack("ii", 1, 0)


@dataclass
class Heard:
    """What protocols were told, in order, and in how many turns."""

    turns: list[list[str]] = field(default_factory=lambda: [[]])
    lost: int = 0

    @property
    def names(self) -> list[str]:
        return [name for turn in self.turns for name in turn]


class Echo(asyncio.Protocol):
    """Says what it hears."""

    def __init__(self, heard: Heard) -> None:
        self.heard = heard

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard.turns[-1].append(data.decode())
        if data == b"fail":
            raise ValueError("no")
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.lost += 1


class Stage:
    """A lobby and its clients."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.loop = asyncio.get_running_loop()
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=1_000)
        self.listening.setblocking(False)
        self.gate = Gate(limits, LOOPBACK)
        self.tallies = Tallies()
        self.clock = ManualClock()
        self.turnstile = Turnstile(
            replace(limits, queue_wait_seconds_max=0.1), Environment(clock=self.clock), soon=lambda step: None
        )
        entrance = Entrance(self.turnstile, proxies=LOOPBACK, tallies=self.tallies)
        self.lobby = Lobby(self.listening, gate=self.gate, entrance=entrance)
        self.heard = Heard()
        self.lobby.open(lambda: Echo(self.heard))

    def crowd(self) -> None:
        """Have so many wait that one more of this address is turned away."""
        lane = lane_at_turnstile("127.0.0.1", "", ())
        while self.turnstile.has_room():
            pass
        while self.turnstile.refuses(lane) is None:
            self.turnstile.wait(Nobody(), lane)

    async def client(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(self.listening.getsockname())
        client.setblocking(False)
        if data:
            client.sendall(data)
        return client

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while not is_so():
                await asyncio.sleep(0)

    async def read(self, client: socket.socket) -> bytes:
        return await asyncio.wait_for(self.loop.sock_recv(client, 100_000), SECONDS_MAX)

    async def end(self) -> None:
        self.lobby.end()
        self.lobby.end()
        await self.until(lambda: self.gate.count == 0)
        assert len(self.lobby) == 0
        self.listening.close()


class Nobody:
    """Who waits at the turnstile and is never heard of again."""

    def begin(self) -> None:
        pass

    def turn_away(self, error: Any) -> None:
        pass


def tell(
    story: Callable[[Stage], Coroutine[Any, Any, None]], *, run: Any = asyncio.run, **limits: float
) -> None:
    async def scenario() -> None:
        stage = Stage(replace(DEFAULT_LIMITS, **limits))  # type: ignore[arg-type]
        await story(stage)
        await stage.end()

    run(scenario())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_so_many_are_heard_in_one_turn_and_nobody_twice_before_all_once(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lobby, "TURN_EVENTS_MAX", 8)

    async def story(stage: Stage) -> None:
        clients = [await stage.client() for _ in range(50)]
        await stage.until(lambda: len(stage.lobby) == 50)
        for number, client in enumerate(clients):
            client.sendall(f"{number} ".encode())
        sweep = stage.lobby._sweep

        def turn() -> None:
            stage.heard.turns.append([])
            sweep()

        stage.loop.remove_reader(stage.lobby._epoll.fileno())
        stage.loop.add_reader(stage.lobby._epoll.fileno(), turn)
        # Those who were heard speak again at once, and go on to.
        heard = 0
        while len(set(stage.heard.names)) < 50:
            await asyncio.sleep(0)
            for name in stage.heard.names[heard:]:
                clients[int(name.split()[0])].sendall(name.encode())
                heard += 1
        assert max(map(len, stage.heard.turns)) <= 8
        said = Counter(name.split()[0] for name in stage.heard.names)
        assert max(said.values()) <= 2, "first come, first served"
        for client in clients:
            client.close()
        await stage.until(lambda: len(stage.lobby) == 0)

    tell(story, run=run)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_crowd_is_told_to_come_back_without_a_protocol_and_keeps_its_connections(run: Any) -> None:
    async def story(stage: Stage) -> None:
        stage.crowd()
        clients = [await stage.client(CALL) for _ in range(300)]
        for _ in range(2):
            for client in clients:
                head, _, body = (await stage.read(client)).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nretry-after: " in head
                assert json.loads(body)["code"] == "ServerFullError"
                client.sendall(CALL)
        for client in clients:
            await stage.read(client)
        assert stage.heard.names == []
        assert stage.gate.count == len(stage.lobby) == 300
        assert stage.tallies.refusals["http", "ServerFullError"] == 900
        # What takes a parser, and what may wait, gets one.
        clients[0].sendall(b"GET /")
        await stage.until(lambda: bool(stage.heard.names))
        assert stage.gate.count == 300
        for client in clients:
            client.close()

    tell(story, run=run)


def test_who_says_nothing_is_told_so_and_who_was_refused_may_stay_as_long_as_after_any_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lobby, "IDLE_SECONDS_MAX", 0.1)

    async def story(stage: Stage) -> None:
        silent = await stage.client()
        assert (await stage.read(silent)).startswith(b"HTTP/1.1 408 ")
        assert await stage.read(silent) == b""
        stage.crowd()
        refused = await stage.client(CALL)
        assert (await stage.read(refused)).startswith(b"HTTP/1.1 503 ")
        assert await stage.read(refused) == b""
        assert len(stage.lobby) == stage.gate.count == 0

    tell(story, http_head_seconds_max=0.05)


def test_who_has_no_place_is_told_so_and_a_place_that_is_free_is_given_again() -> None:
    async def story(stage: Stage) -> None:
        first = [await stage.client(), await stage.client()]
        await stage.until(lambda: stage.gate.count == 2)
        third = await stage.client()
        assert (await stage.read(third)).startswith(b"HTTP/1.1 429 ")
        assert await stage.read(third) == b""
        assert stage.gate.refused["http_connections_max"] == 1
        first[0].close()
        await stage.until(lambda: stage.gate.count == 1)
        fourth = await stage.client(b"hello")
        assert await stage.read(fourth) == b"hello"

    tell(story, http_connections_max=2)


def test_without_descriptors_nobody_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "_PAUSE_SECONDS", 0.01)

    class Short:
        """A listening socket of a process that has no descriptors, for a while."""

        asked = 0

        def __init__(self, listening: socket.socket) -> None:
            self.listening = listening

        def accept(self) -> Any:
            self.asked += 1
            if self.asked < 5:
                raise OSError(errno.EMFILE, "Too many open files")
            return self.listening.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.listening, name)

    async def story(stage: Stage) -> None:
        short = Short(stage.listening)
        monkeypatch.setattr(stage.lobby, "_listening", short)
        client = await stage.client(b"hello")
        assert await stage.read(client) == b"hello"
        assert short.asked >= 5

    tell(story)


def test_a_mistake_is_the_loss_of_one(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        clients = [await stage.client(b"hello") for _ in range(3)]
        for client in clients:
            assert await stage.read(client) == b"hello"
        for client, data in zip(clients, (b"one", b"fail", b"two"), strict=True):
            client.sendall(data)
        assert await stage.read(clients[0]) == b"one"
        assert await stage.read(clients[1]) == b""
        assert await stage.read(clients[2]) == b"two"

    tell(story)
    assert "a connection failed" in caplog.text


def test_a_lobby_that_closes_hangs_up_on_who_is_asked_for_nothing_and_lets_others_finish() -> None:
    async def story(stage: Stage) -> None:
        silent, speaking = await stage.client(), await stage.client(b"hello")
        assert await stage.read(speaking) == b"hello"
        await stage.until(lambda: len(stage.lobby) == 2)
        stage.lobby.close()
        stage.lobby.close()
        assert await stage.read(silent) == b""
        speaking.sendall(b"and more")
        assert await stage.read(speaking) == b"and more"
        late = await stage.client(b"hello")
        stage.lobby.end()
        assert await stage.read(speaking) == b""
        await stage.until(lambda: stage.heard.lost == 1)
        assert stage.heard.names == ["hello", "and more"], "nobody new was heard"
        late.close()

    tell(story)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_clients_do_each_call_has_its_answer_and_all_places_are_given_back(
    open_deployment: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A world of clients that come, ask whole and in halves, cut, reset and come again, at a server that is
    crowded now and then.
    """
    print("seed", seed)
    chance = random.Random(seed)
    monkeypatch.setattr(lobby, "PROTOCOLS_IDLE_MAX", chance.choice([0, 1, 2, 5]))
    question = b"GET /version HTTP/1.1\r\nhost: here\r\n\r\n"

    async def caller(port: int, answered: Counter[bytes]) -> None:
        loop = asyncio.get_running_loop()
        client = socket.create_connection(("127.0.0.1", port))
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(chance.randrange(6)):
            asked = chance.choice([question, CALL])
            cut = chance.choice([0, 0, 7, len(asked) - 3])
            if cut:
                await loop.sock_sendall(client, asked[:cut])
                await asyncio.sleep(0)
                if chance.random() < 0.2:
                    break
            await loop.sock_sendall(client, asked[cut:])
            if chance.random() < 0.2:
                break
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = await loop.sock_recv(client, 10_000)
                assert piece, "a whole request has an answer"
                answer += piece
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            while len(body) < length:
                body += await loop.sock_recv(client, 10_000)
            assert len(body) == length, "one answer to one question"
            answered[head.split()[1]] += 1
        if chance.random() < 0.3:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

    async def story() -> None:
        deployment = await open_deployment()
        server = Server(deployment, port=0)
        await server.start()
        answered: Counter[bytes] = Counter()
        lane = lane_at_turnstile("127.0.0.1", "", ())
        turnstile = server.door.turnstile

        async def crowd(turns: int) -> None:
            for _ in range(turns):
                while turnstile.has_room():
                    pass
                while turnstile.refuses(lane) is None:
                    turnstile.wait(Nobody(), lane)
                await asyncio.sleep(0)

        try:
            async with asyncio.timeout(SECONDS_MAX):
                for _ in range(10):
                    turns = chance.choice([0, 5, 40])
                    callers = (caller(server.port, answered) for _ in range(30))
                    await asyncio.gather(crowd(turns), *callers)
                while server._gate.count:
                    await asyncio.sleep(0)
                while turnstile.is_crowded:
                    await asyncio.sleep(0)
                before = answered.copy()
                while answered == before:
                    await caller(server.port, answered)
        finally:
            await server.stop()
            await deployment.close()
        assert answered[b"200"]
        assert answered[b"503"]
        assert set(answered) <= {b"200", b"503", b"400", b"404"}, answered

    uvloop.run(story())


def test_connections_that_take_turns_share_protocols_and_an_idle_one_needs_none(
    open_deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lobby, "PROTOCOLS_IDLE_MAX", 2)

    async def story() -> None:
        deployment = await open_deployment()
        server = Server(deployment, port=0)
        await server.start()
        made: list[asyncio.Protocol] = []
        here = server._listeners[0]._lobby
        assert here is not None
        make = here._protocol

        def counted() -> asyncio.Protocol:
            made.append(make())
            return made[-1]

        here._protocol = counted
        loop = asyncio.get_running_loop()
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        try:
            async with asyncio.timeout(SECONDS_MAX):
                for question in (b"GET /version", b"POST /api/query", b"GET /nowhere"):
                    for client in clients:
                        client.setblocking(False)
                        head = question + b" HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n"
                        await loop.sock_sendall(client, head)
                        await asyncio.sleep(0)
                        await loop.sock_sendall(client, b"{}")
                        answer = await loop.sock_recv(client, 10_000)
                        assert answer.startswith(b"HTTP/1.1 "), question
            assert len(made) <= 4, "two at rest, one spare, one at work"
            assert len(here) == server._gate.count == 20
            assert len(server._listeners[0]._uvicorn.server_state.connections) <= 2
            # An upgrade takes its protocol along, and does no harm to the others.
            for client in clients[:5]:
                ask = b"GET /api/sync HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                ask += b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                await loop.sock_sendall(client, ask)
                assert (await loop.sock_recv(client, 10_000)).startswith(b"HTTP/1.1 101 ")
            assert len(here) == server._gate.count == 15
        finally:
            for client in clients:
                client.close()
            await server.stop()
            await deployment.close()

    uvloop.run(story())


def test_while_some_lie_unread_it_is_told_for_how_long_and_no_more_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lobby, "TURN_EVENTS_MAX", 4)

    async def story(stage: Stage) -> None:
        told: list[float] = []
        monkeypatch.setattr(stage.turnstile, "came_late", told.append)
        now = 0.0

        def time() -> float:
            nonlocal now
            now += 1.0
            return now

        clients = [await stage.client() for _ in range(16)]
        await stage.until(lambda: len(stage.lobby) == 16)
        for client in clients:
            client.sendall(b"hello")
        monkeypatch.setattr(stage.lobby, "_loop", Clock(stage.loop, time))
        told.clear()
        for _ in range(5):
            stage.lobby._sweep()
        assert told[:4] == [0.0, 1.0, 2.0, 3.0], "since the first turn that left some unread"
        assert told[4] == 0.0
        for client in clients:
            client.close()

    tell(story)


class Clock:
    """A loop whose time is told by somebody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop, time: Callable[[], float]) -> None:
        self._loop = loop
        self.time = time

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)
