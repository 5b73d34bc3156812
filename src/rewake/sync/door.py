"""The sync door: all sync sockets of one deployment.

Floor 6, `sync`. Made by the server with the deployment's backend and limits; has one face for each driver.
Keeps the registry of connections, the one ticker, and the calls that outlive their socket.

    door = SyncDoor(backend)
    uvicorn.Config(app, ws=door.uvicorn_protocol_class())     # our own server process
    app = door.asgi(app)                                      # any ASGI server

All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import cycle
from typing import Any

from rewake.execution import NO_SOURCE, RequestSource, Turnstile
from rewake.handoff import at_once
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.protocol import ClientVersion
from rewake.sync.admission import Admission
from rewake.sync.asgi_socket import AsgiApp, Receive, Scope, Send, serve_sync
from rewake.sync.closing import GOING_AWAY_CODE, RESTART_REASON
from rewake.sync.connection import Connection
from rewake.sync.deflation import Deflater
from rewake.sync.ports import Backend
from rewake.sync.pulse import early_at_most
from rewake.sync.session import Session
from rewake.sync.socket import Socket, Writing
from rewake.sync.ticker import SLOT_SECONDS, Ticker
from rewake.sync.uvicorn_socket import uvicorn_protocol_class
from rewake.tallies import Tallies

DRAIN_SECONDS = 10.0
"""How long a server that stops waits for its clients to hang up and for calls that were started."""

_PULSES, _PULSES_STRIDE = 32, 13


class SyncDoor:
    """The sync sockets of one deployment."""

    def __init__(
        self,
        backend: Backend,
        *,
        limits: Limits = DEFAULT_LIMITS,
        redacted: bool = False,
        prefixes: tuple[str, ...] = (),
        admission: Admission | None = None,
        tallies: Tallies | None = None,
    ) -> None:
        """`redacted` keeps error texts and log lines from clients; `prefixes` are paths above `/api`;
        `admission` says who may connect, which is anybody within `limits` where it is left out; what
        happens is counted in `tallies`.
        """
        self.tallies = tallies or Tallies()
        self.limits = limits
        self.prefixes = tuple(prefix.rstrip("/") for prefix in prefixes)
        self.drops: Counter[str] = Counter()
        """How many sockets were given up, by reason."""
        self.admission = admission or Admission(limits)
        self.standing_notice: str | None = None
        """A log line that holds now, for sockets that open meanwhile; set and cleared by `tell`."""
        self.deflater = Deflater(message_bytes_min=limits.socket_deflate_bytes_min)
        self.turnstile = Turnstile(limits, backend.environment, soon=_soon, waits=self.tallies.front_waits)
        """Of this deployment's front: HTTP has its turn at the same."""
        self._backend = backend
        self._redacted = redacted
        self._connections: set[Connection] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._jobs_at_once = 0  # Those that run beside these tasks.
        self._unwritten: list[Writing] = []  # Sockets with bytes to write; the next turn takes them out.
        self._ticker = Ticker()
        # In an order in which those who come one after the other are far apart.
        step = early_at_most(limits) / _PULSES
        self._early = cycle([step * (number * _PULSES_STRIDE % _PULSES) for number in range(_PULSES)])
        self._timer: asyncio.TimerHandle | None = None  # Set while sockets wait for a tick.
        backend.on_identities_lost(self._check_identities)

    # Faces.

    def uvicorn_protocol_class(self) -> type[asyncio.Protocol]:
        """A class for uvicorn's `ws` option. Other websockets go to uvicorn's own implementation."""
        return uvicorn_protocol_class(self)

    def asgi(self, inner: AsgiApp) -> AsgiApp:
        """`inner`, with the sync endpoint in front of it."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if not await serve_sync(self, scope, receive, send):
                await inner(scope, receive, send)

        return app

    # What the server asks.

    @property
    def socket_count(self) -> int:
        """How many sockets are open."""
        return len(self._connections)

    def close_all(self, code: int = GOING_AWAY_CODE, reason: str = RESTART_REASON) -> None:
        """Say Close to every client. The default makes all families come again soon and quietly."""
        for connection in list(self._connections):
            connection.shut_down(code, reason)

    def tell(self, line: str, *, stands: bool) -> None:
        """Show a log line, such as `[ERROR] ...`, in the console of every client that watches a query, once.

        Where it `stands`, those who connect later are shown it too, until the next one. A redacted deployment
        shows no log lines.
        """
        self.standing_notice = line if stands else None
        for connection in list(self._connections):
            connection.tell(line)

    async def drained(self, *, seconds: float = DRAIN_SECONDS) -> bool:
        """Wait until no socket is open and no call runs; False when `seconds` were not enough.

        Calls that still run then, long actions mostly, end with the event loop.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._connections or self._jobs or self._jobs_at_once:
                    if self._jobs:
                        await asyncio.wait(self._jobs)
                    else:
                        await asyncio.sleep(SLOT_SECONDS / 10)
        except TimeoutError:
            return False
        return True

    # What drivers and connections ask.

    def connect(
        self,
        socket: Socket,
        client: ClientVersion,
        source: RequestSource = NO_SOURCE,
        *,
        watches_frames: bool = True,
    ) -> Connection:
        """A new connection for a socket that was just opened."""
        session = Session(
            self._backend,
            limits=self.limits,
            client=client,
            redacted=self._redacted,
            watches_frames=watches_frames,
            early=next(self._early),
        )
        connection = Connection(self._backend, self, session, socket, source)
        self._connections.add(connection)
        self.tallies.sockets_opened += 1
        self._ticker.add(connection, session.next_tick)
        if self._timer is None:
            self._set_timer()
        return connection

    def disconnected(self, connection: Connection) -> None:
        """A connection's socket is gone."""
        self._connections.discard(connection)

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run `job` to its end; a started mutation is not undone by a lost socket."""
        task = asyncio.get_running_loop().create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def run_at_once(self, job: Coroutine[Any, Any, None]) -> None:
        """As `spawn`, in this very step as far as it goes (`handoff.py`)."""
        self._jobs_at_once += 1
        at_once(job, over=self._job_is_over)

    def write_soon(self, socket: Writing) -> None:
        """Have `socket` write what it has gathered, once for all that is said to it in this turn."""
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._write)
        self._unwritten.append(socket)

    def dropped(self, reason: str) -> None:
        """Count a connection that was given up."""
        self.drops[reason] += 1

    def _check_identities(self) -> None:
        for connection in list(self._connections):
            connection.check_identity()

    def _job_is_over(self) -> None:
        self._jobs_at_once -= 1

    def _write(self) -> None:
        sockets, self._unwritten = self._unwritten, []
        for socket in sockets:
            socket.write_gathered()

    def _set_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(SLOT_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticker.advance(self._backend.monotonic())
        self._timer = None
        if not self._ticker.is_idle:
            self._set_timer()


def _soon(step: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(step)
