"""The open-loop generator: requests leave when their time has come, whether or not others have been answered.

    echo '{"port": ..., "rate": 4000, ...}' | python -m benchmarks.open_loop

reads one `Offer` from standard input and prints one `Taken`, both JSON. Arrivals are spread by chance (a
Poisson process with a seed). Each takes a connection that is idle, or a new one; latency counts from the
moment that the request was due, so a generator that is late shows, and so does a server that accepts
connections late. How much of it was the one or the other is told apart: how late the generator took a request
up, how long its new connection took to open (a system that got no answer tries again after a second), how
long the answer took from the moment that the request was written. Every answer that is no success is counted
by its status and code, lost connections and requests without an answer too: accepted, refused and lost add up
to what was sent. Beside the flood, where it is asked for, a gentle websocket session inserts one note after
another.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from benchmarks.clients import SyncDialect, Tally, WebsocketClient
from benchmarks.load import Load, insert_arguments
from benchmarks.processes import cpu_seconds, raise_open_files

ANSWER_SECONDS_MAX = 30.0
TICK_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered to one server: inserts over HTTP."""

    port: int
    server_pid: int
    subject: str
    rate: float
    seconds: float
    connections: int
    seed: int = 1
    function: str = "notes:add"
    """What is called (Rewake only)."""
    is_beside_session: bool = False
    """Whether a gentle session inserts meanwhile (Rewake only)."""


@dataclass(slots=True)
class Taken:
    """What became of it."""

    sent: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    refused_p99_ms: float = 0.0
    """How long a refusal took: it should be told at once."""
    unsent: int = 0
    """Arrivals for which the generator had no connection left."""
    late_p99_ms: float = 0.0
    """How late the generator itself took requests up."""
    opening_p99_ms: float = 0.0
    """How long new connections took to open, as the generator's system sees it."""
    opened: int = 0
    written_p99_ms: float = 0.0
    """Of the accepted: from the moment that a request was written. What is beyond that is the two above."""
    seconds: float = 0.0
    """Until the last answer."""
    generator_cpu: float = 0.0
    server_cpu: float = 0.0
    session_sent: int = 0
    """Inserts of the gentle session; each was answered, or `session_trouble` says what came between."""
    session_p50_ms: float = 0.0
    session_p99_ms: float = 0.0
    session_trouble: str = ""


class Connection(asyncio.Protocol):
    """One HTTP connection: at most one request under way."""

    def __init__(self, loop: OpenLoop) -> None:
        self.loop = loop
        self.buffer = bytearray()
        self.due = self.written = 0.0
        self.is_waiting = False
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.loop.size -= 1
        if self.is_waiting:
            self.is_waiting = False
            self.loop.settle(self, f"connection lost: {type(error).__name__ if error else 'closed'}")

    def request(self, due: float, request: bytes) -> None:
        self.due, self.written = due, time.perf_counter()
        self.is_waiting = True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, _ = bytes(self.buffer).partition(b"\r\n\r\n")
        if not found:
            return
        _, _, rest = head.lower().partition(b"content-length:")
        end = len(head) + 4 + int(rest.split(b"\r\n", 1)[0])
        if len(self.buffer) < end:
            return
        body = bytes(self.buffer[len(head) + 4 : end])
        del self.buffer[:end]
        self.is_waiting = False
        self.loop.settle(self, _kind(int(head[9:12]), body))
        if b"connection: close" in head.lower():
            self.transport.close()
        else:
            self.loop.idle.append(self)


def _kind(status: int, body: bytes) -> str:
    """Empty for a success, else what kind of refusal it is."""
    answer = json.loads(body)
    if status == 200 and (answer.get("status") == "success" or answer.get("ok") is True):
        return ""
    return f"{status} {answer.get('code', answer.get('error', ''))}".strip()[:80]


class OpenLoop:
    """All connections and what became of the requests."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.idle: list[Connection] = []
        self.size = 0
        self.taken = Taken()
        self.refused: Counter[str] = Counter()
        self.accepted_ms: list[float] = []
        self.refused_ms: list[float] = []
        self.late_ms: list[float] = []
        self.opening_ms: list[float] = []
        self.written_ms: list[float] = []
        self.opening: set[asyncio.Task[None]] = set()

    def settle(self, connection: Connection, kind: str) -> None:
        now = time.perf_counter()
        took = 1e3 * (now - connection.due)
        if kind:
            self.refused[kind] += 1
            self.refused_ms.append(took)
        else:
            self.accepted_ms.append(took)
            self.written_ms.append(1e3 * (now - connection.written))

    def send(self, due: float, request: bytes) -> None:
        """Send on an idle connection, or open one for it."""
        self.late_ms.append(1e3 * (time.perf_counter() - due))
        while self.idle:
            connection = self.idle.pop()
            if not connection.is_lost:
                self._send(connection, due, request)
                return
        if self.size >= self.offer.connections:
            self.taken.unsent += 1
            return
        self.size += 1
        task = asyncio.create_task(self._open(due, request))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    def _send(self, connection: Connection, due: float, request: bytes) -> None:
        self.taken.sent += 1
        connection.request(due, request)

    async def _open(self, due: float, request: bytes) -> None:
        loop, begun = asyncio.get_running_loop(), time.perf_counter()
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self), "127.0.0.1", self.offer.port
            )
        except OSError as error:
            self.size -= 1
            self.taken.sent += 1
            self.refused[f"no connection: {type(error).__name__}"] += 1
            self.refused_ms.append(1e3 * (time.perf_counter() - due))
            return
        self.opening_ms.append(1e3 * (time.perf_counter() - begun))
        self._send(connection, due, request)

    @property
    def settled(self) -> int:
        return len(self.accepted_ms) + len(self.refused_ms)

    async def run(self, requests: list[bytes]) -> Taken:
        chance = random.Random(self.offer.seed)
        ours, theirs = time.process_time(), cpu_seconds(self.offer.server_pid)
        begun = time.perf_counter()
        session = await self._session(requests) if self.offer.is_beside_session else None
        due, number = begun + chance.expovariate(self.offer.rate), 0
        while due < begun + self.offer.seconds:
            now = time.perf_counter()
            while due <= now and due < begun + self.offer.seconds:
                self.send(due, requests[number % len(requests)])
                number += 1
                due += chance.expovariate(self.offer.rate)
            await asyncio.sleep(TICK_SECONDS)
        wall = time.perf_counter() - begun
        self.taken.generator_cpu = (time.process_time() - ours) / wall
        self.taken.server_cpu = (cpu_seconds(self.offer.server_pid) - theirs) / wall
        deadline = time.perf_counter() + ANSWER_SECONDS_MAX
        while (self.opening or self.settled < self.taken.sent) and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        if missing := self.taken.sent - self.settled:
            self.refused["no answer"] += missing
        if session is not None:
            await self._end_session(session)
        return self._result(time.perf_counter() - begun)

    async def _session(self, requests: list[bytes]) -> WebsocketClient:
        """A session that inserts one note after another until the offer ends."""
        arguments = itertools.cycle([request.rpartition(b'"args":')[2][:-1] for request in requests])
        bodies = (each.rpartition(b',"format"')[0] for each in arguments)
        ends = time.perf_counter() + self.offer.seconds
        host = f"127.0.0.1:{self.offer.port}"
        loop = asyncio.get_running_loop()
        _, session = await loop.create_connection(
            lambda: WebsocketClient(
                path="/api/1.48.0/sync",
                host=host,
                dialect=SyncDialect(self.offer.function),
                arguments=bodies,
                tally=Tally(begins=0.0, ends=ends),
            ),
            *host.split(":"),
        )
        await session.is_open
        session.ask()
        return session

    async def _end_session(self, session: WebsocketClient) -> None:
        taken, tally = self.taken, session.tally
        try:
            await asyncio.wait_for(session.is_done, ANSWER_SECONDS_MAX)
        except (TimeoutError, OSError) as error:
            taken.session_trouble = str(error) or type(error).__name__
        taken.session_trouble = taken.session_trouble or tally.first_failure
        took = [1e3 * each for each in tally.latencies]
        taken.session_sent = session.number
        taken.session_p50_ms, taken.session_p99_ms = _at(took, 50), _at(took, 99)
        session.close()

    def _result(self, seconds: float) -> Taken:
        taken = self.taken
        taken.accepted = len(self.accepted_ms)
        taken.refused = dict(self.refused)
        taken.p50_ms = _at(self.accepted_ms, 50)
        taken.p99_ms = _at(self.accepted_ms, 99)
        taken.refused_p99_ms = _at(self.refused_ms, 99)
        taken.late_p99_ms = _at(self.late_ms, 99)
        taken.opened, taken.opening_p99_ms = len(self.opening_ms), _at(self.opening_ms, 99)
        taken.written_p99_ms = _at(self.written_ms, 99)
        taken.seconds = seconds
        return taken


def _at(took: list[float], percent: int) -> float:
    ordered = sorted(took)
    return ordered[(len(ordered) - 1) * percent // 100] if ordered else 0.0


def _requests(offer: Offer) -> list[bytes]:
    load = Load(offer.port, offer.server_pid, offer.subject, "http", "insert", clients=0)
    path = "/api/mutation" if offer.subject == "rewake" else "/insert"
    requests = []
    for arguments in insert_arguments(random.Random(offer.seed), load):
        body = b'{"path":"%b","args":%b,"format":"json"}' % (offer.function.encode(), arguments)
        if offer.subject != "rewake":
            body = b'{"id":0,"args":%b}' % arguments
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{offer.port}\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return requests


def main() -> None:
    offer = Offer(**json.load(sys.stdin))
    raise_open_files()

    async def run() -> Taken:
        return await OpenLoop(offer).run(_requests(offer))

    json.dump(asdict(uvloop.run(run())), sys.stdout)


if __name__ == "__main__":
    main()
