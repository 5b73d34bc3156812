"""The process that listens: one deployment behind uvicorn.

Floor 7, `server`. The socket is bound before anything else happens, so a port in use is an error with a
name; sync sockets get the fast path, everything else the ASGI application. Stopping is clean: no new
connections, sockets closed with a reason that makes clients come back, mutations already handed in finish.

Not here: which deployment (`cli`), what is answered (`application.py`).
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from rewake.deployment import Deployment, DoorFigures, Origins, checked_origin, origins_of
from rewake.errors import Conflict, InvalidInput
from rewake.http_api import QuickCalls, build_metrics, build_site
from rewake.observability import logger
from rewake.server.acceptor import Acceptor
from rewake.server.application import build_application
from rewake.server.entrance import Entrance
from rewake.server.exposure import Exposure, Tls
from rewake.server.gate import Gate
from rewake.server.http_head import http_protocol_class
from rewake.server.lobby import IS_POSSIBLE, Lobby
from rewake.server.quick_http import QuickDoor
from rewake.sync import Admission, SyncDoor

_log = logger(__name__)

_BACKLOG = 8192
"""Connections that were not accepted yet; systems have a bound of their own, such as `somaxconn`. Where it is
passed the client's system tries again after a second, then three, then seven."""
_DRAIN_SECONDS = 5
_UNSAID = Exposure()
PORT_MAX = 65_535


class PortInUse(Conflict):
    """Another program listens on this port. Choose another with `--port`, or stop that program."""

    code = "PortInUse"
    template = (
        "Port {port} on {host} is already in use. Choose another with --port, or stop the program that uses "
        "it."
    )


class AddressUnusable(InvalidInput):
    """The address cannot be listened on. Check `--host` and `--port`."""

    code = "AddressUnusable"
    template = "Cannot listen on {host}:{port}: {reason}."


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: the command line has its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """One listening process. Start it in the event loop that opened the deployment."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        host: str = "127.0.0.1",
        port: int = 3210,
        site_port: int | None = None,
        static: Path | None = None,
        public_url: str | None = None,
        site_url: str | None = None,
        metrics_port: int | None = None,
        exposure: Exposure = _UNSAID,
    ) -> None:
        """`metrics_port` serves metrics without a key, at the same host. `public_url` and `site_url` are what
        the operator says (`deployment/origins.py`).
        """
        self.deployment = deployment
        self._host = host
        self._port = port
        self._site_port = site_port
        self._metrics_port = metrics_port
        self._static = static
        self._public_url = public_url
        self._site_url = site_url
        self._exposure = exposure
        self._listeners: list[_Listener] = []
        self._gate = Gate(deployment.limits, exposure.proxies)
        self.door = SyncDoor(
            deployment,
            limits=deployment.limits,
            redacted=deployment.is_redacted,
            admission=Admission(deployment.limits, proxies=exposure.proxies, origins=exposure.origins),
            tallies=deployment.tallies,
        )
        self._entrance = Entrance(
            self.door.turnstile,
            proxies=exposure.proxies,
            tallies=deployment.tallies,
            origins=exposure.origins,
        )
        deployment.metrics.watch_door(self._figures)

    @property
    def port(self) -> int:
        """The port that is listened on; the one that was asked for before the start."""
        return self._port

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._url_of(self.port)

    def _url_of(self, port: int) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host, self._host)
        return f"{'http' if self._exposure.tls is None else 'https'}://{host}:{port}"

    async def start(self) -> None:
        """Bind, then serve until `stop`.

        Raises:
            PortInUse, AddressUnusable, PublicUrlInvalid, TlsFilesInvalid: nothing was started.
        """
        for said in (self._public_url, self._site_url):
            if said is not None:
                checked_origin(said)
        if self._exposure.tls is not None:
            self._exposure.tls.check()
        api, site, metrics = self._bind()
        self._port = int(api.getsockname()[1])
        telling = asyncio.ensure_future(self.deployment.serve_at(self._origins(site)))
        try:
            await asyncio.sleep(0)  # From here on that waits for the disk, and the processor is free.
            self._build(api, site, metrics)
        finally:
            await telling
        for listener in self._listeners:
            await listener.start()

    def _build(self, api: socket.socket, site: socket.socket | None, metrics: socket.socket | None) -> None:
        """Make what listens on each of the sockets."""
        exposure = self._exposure
        app = build_application(self.deployment, self.door, static=self._static, origins=exposure.origins)
        sockets = self.door.uvicorn_protocol_class()
        self._listeners.append(self._listener(exposure.around(app), api, ws=sockets, quick=self._quick()))
        if site is not None:
            actions = exposure.around(build_site(self.deployment), is_site=True)
            self._listeners.append(self._listener(actions, site, ws=WebSocketsSansIOProtocol))
        if metrics is not None:
            self._metrics_port = int(metrics.getsockname()[1])
            deployment = self.deployment
            page = build_metrics(deployment.metrics, deployment.environment, deployment.ready)
            self._listeners.append(self._listener(page, metrics, ws="none"))

    @property
    def metrics_port(self) -> int | None:
        """Where metrics are served without a key; None where they are not."""
        return self._metrics_port

    def _bind(self) -> tuple[socket.socket, socket.socket | None, socket.socket | None]:
        """Listen everywhere or nowhere."""
        bound: list[socket.socket] = []
        try:
            for port in (self._port, self._site_port, self._metrics_port):
                if port is not None:
                    bound.append(bind(self._host, port))
        except BaseException:
            for listening in bound:
                listening.close()
            raise
        api, *others = bound
        site = others.pop(0) if self._site_port is not None else None
        return api, site, others[0] if others else None

    def _figures(self) -> DoorFigures:
        refused = Counter(self._gate.refused)
        refused.update(self.door.admission.refused)
        return DoorFigures(self.door.socket_count, self._gate.count, refused)

    def _listener(
        self, app: ASGIApp, listening: socket.socket, *, ws: Any, quick: QuickDoor | None = None
    ) -> _Listener:
        http = http_protocol_class(self._gate, self._entrance, Acceptor(listening), quick)
        tls = self._exposure.tls
        lobby = None
        if IS_POSSIBLE and tls is None:
            lobby = Lobby(listening, gate=self._gate, entrance=self._entrance)
        return _Listener(app, listening, http=http, tls=tls, ws=ws, lobby=lobby)

    def _quick(self) -> QuickDoor:
        limits, exposure = self.deployment.limits, self._exposure
        calls = QuickCalls(self.deployment, limits=limits, origins=exposure.origins)
        return QuickDoor(calls, exposure.headers(), body_bytes_max=limits.http_body_bytes_max)

    def _origins(self, site: socket.socket | None) -> Origins:
        return origins_of(
            cloud=self._public_url,
            site=self._site_url,
            listening=self.url,
            site_listening=None if site is None else self._url_of(int(site.getsockname()[1])),
        )

    async def wait(self) -> None:
        """Return when the server has stopped."""
        if self._listeners:
            waits = [asyncio.shield(listener.serving) for listener in self._listeners]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """Close sockets with a reason, let requests under way finish, stop listening. The deployment stays
        open, and begins no further action: those that run are given a little time, clients wait for them.
        """
        if not self._listeners:
            return
        for listener in self._listeners:
            listener.end()
        # Whoever follows the log waits inside a request.
        self.deployment.call_log.end_waits()
        self.door.close_all()
        _, is_drained = await asyncio.gather(self.deployment.end_actions(), self.door.drained())
        if not is_drained:
            _log.warning("some sockets did not close in time and are cut")
        await asyncio.gather(*(listener.ended() for listener in self._listeners))


class _Listener:
    """One socket and the application behind it."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        http: type[asyncio.Protocol],
        tls: Tls | None,
        ws: Any,
        lobby: Lobby | None,
    ) -> None:
        """A `lobby` looks after the connections; without one the loop does."""
        self._socket = listening
        self._http = http
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                app,
                http=http,
                ws=ws,
                ws_per_message_deflate=False,  # Nobody sends us a few bytes that become gigabytes.
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # Ours: `exposure.py`, for sync sockets too.
                ssl_certfile=None if tls is None else tls.certificate,
                ssl_keyfile=None if tls is None else tls.key,
                backlog=_BACKLOG,
                timeout_keep_alive=65,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
        )
        self._lobby = lobby
        self.serving: asyncio.Task[None]
        """From `start` on: until it has stopped."""

    async def start(self) -> None:
        """Serve until `end`."""
        sockets = [] if self._lobby is not None else [self._socket]
        self.serving = asyncio.create_task(self._uvicorn.serve(sockets=sockets))
        while not self._uvicorn.started and not self.serving.done():
            await asyncio.sleep(0)
        if self.serving.done():
            self.serving.result()
        elif self._lobby is not None:
            self._lobby.open(self._protocol)

    def _protocol(self) -> asyncio.Protocol:
        uvicorn = self._uvicorn
        return self._http(uvicorn.config, uvicorn.server_state, uvicorn.lifespan.state)  # type: ignore[call-arg]

    def end(self) -> None:
        """Take no more connections, and let requests under way finish."""
        self._uvicorn.should_exit = True
        if self._lobby is not None:
            self._lobby.close()

    async def ended(self) -> None:
        """Wait until they have, and give the socket up."""
        await asyncio.gather(self.serving, return_exceptions=True)
        if self._lobby is not None:
            self._lobby.end()
        self._socket.close()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on `host` and `port` (0: any free one).

    Raises:
        PortInUse, AddressUnusable.
    """
    if not 0 <= port <= PORT_MAX:
        # The resolver would take it modulo 65,536.
        raise AddressUnusable(host=host, port=port, reason=f"a port is a number from 0 to {PORT_MAX}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, OverflowError) as error:
        raise AddressUnusable(host=host, port=port, reason=str(error)) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except (OSError, OverflowError) as error:
        listening.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise PortInUse(host=host, port=port) from None
        raise AddressUnusable(host=host, port=port, reason=str(error)) from None
    return listening
