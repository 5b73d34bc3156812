"""The connection: sockets for a conversation, one after another.

Floor 2, `client`. The driver around `conversation.py`: it opens a socket when one is of use, carries texts
both ways, notices silence, and comes back after every loss. The first try alone may fail, so that a wrong
address is an error and not a wait.

    wait until of use -> connect -> converse until the end -> wait -> connect ...

`websockets` does the handshake, TLS and proxies (as the environment names them). Compression is off: it costs
memory on the server for each client.

Not here: what is said (`conversation.py`), how long to wait (`backoff.py`), who called (`client.py`).
Source: wire 1.1, 1.2, 1.12 and 1.14.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from ssl import SSLContext
from typing import Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from rewake.client.backoff import Backoff
from rewake.client.conversation import Conversation
from rewake.client.errors import InvalidAddress, NotConnected
from rewake.environment import Environment

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 1.0
SILENCE_SECONDS = 60.0
"""A server says something every 15 seconds. After so long without a frame it is gone."""

Proxy = str | Literal[True] | None
"""A proxy's address; True for the one that the environment names; None for none."""

_logger = logging.getLogger("rewake.client")


def sync_address(url: str) -> str:
    """The address of the sync endpoint of the server at `url`; a path in front of it is kept.

    Raises:
        InvalidAddress: it is none.
    """
    try:
        parts = urlsplit(url.strip())
        is_address = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname)
        _ = parts.port  # Raises where it is no number.
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise InvalidAddress(url=url)
    scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/sync"


class Connection:
    """Sockets to one server. `run` it as a task; call `wake` after each change of the conversation."""

    def __init__(
        self,
        url: str,
        conversation: Conversation,
        environment: Environment,
        *,
        carry_out: Callable[[], None],
        on_change: Callable[[bool], None],
        ssl: SSLContext | None,
        proxy: Proxy,
    ) -> None:
        self._url = url
        self._address = sync_address(url)
        self._conversation = conversation
        self._environment = environment
        # Has the owner take the conversation's instructions; it calls `send` and `disconnect` for some.
        self._carry_out = carry_out
        self._on_change = on_change
        self._ssl = ssl
        self._proxy = proxy
        self._backoff = Backoff()
        self._of_use = asyncio.Event()
        # Texts for the open socket, in order; None ends it.
        self._outbox: asyncio.Queue[str | None] | None = None
        # Done with the first socket, or with the reason why there is none.
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first.add_done_callback(_look_at)

    @property
    def is_open(self) -> bool:
        """Whether a socket is open."""
        return self._outbox is not None

    def wake(self) -> None:
        """Look again whether a socket is of use."""
        if self._conversation.may_connect:
            self._of_use.set()
        else:
            self._of_use.clear()

    def send(self, text: str) -> None:
        """Send on the open socket; without one, it is lost with the socket that it was for."""
        if self._outbox is not None:
            self._outbox.put_nowait(text)

    def disconnect(self) -> None:
        """Close the socket after what was sent. The next one comes when it is of use."""
        if self._outbox is not None:
            self._outbox.put_nowait(None)

    async def run(self) -> None:
        """Keep a socket open, until cancelled or the first try fails."""
        reason: str | None = None
        while True:
            await self._of_use.wait()
            try:
                async with self._connect() as socket:
                    if not self._conversation.may_connect:
                        continue  # Since then it is open as whom to speak.
                    reason = await self._converse(socket, reason)
            except Exception as error:
                # Also what is no fault of the line: a proxy of an unknown kind, a wrong certificate.
                reason = type(error).__name__
                is_usual = isinstance(error, OSError | TimeoutError | WebSocketException)
                _logger.log(
                    logging.INFO if is_usual else logging.ERROR,
                    "no connection to %s: %s",
                    self._url,
                    error or reason,
                    exc_info=None if is_usual else error,
                )
                if not self.first.done():
                    failure = NotConnected(url=self._url, reason=str(error) or reason)
                    failure.__cause__ = error
                    self.first.set_exception(failure)
                    return
            chance = int.from_bytes(self._environment.random_bytes(4)) / 2**32
            await _pause(self._backoff.fail(reason, chance=chance))

    def _connect(self) -> connect:
        return connect(
            self._address,
            additional_headers={"Convex-Client": f"rewake-{_version()}"},
            compression=None,
            max_size=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,
            proxy=self._proxy,
            ssl=self._ssl,
        )

    async def _converse(self, socket: ClientConnection, close_reason: str | None) -> str | None:
        """Carry texts both ways until the socket ends; gives the reason."""
        self._outbox = asyncio.Queue()
        self._conversation.open(close_reason=close_reason, now_ms=self._now_ms())
        self._carry_out()
        if not self.first.done():
            self.first.set_result(None)
        self._on_change(True)
        writer = asyncio.create_task(_write(socket, self._outbox))
        try:
            reason = await self._listen(socket)
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            self._outbox = None
            self._conversation.close()
            self._carry_out()
            self._on_change(False)
        _logger.info("connection to %s ended: %s", self._url, reason)
        return reason

    async def _listen(self, socket: ClientConnection) -> str | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SILENCE_SECONDS) as silence:
                while True:
                    parts: list[bytes] = []
                    # In frames, since a large result over a slow line is no silence.
                    async for part in socket.recv_streaming(decode=False):
                        silence.reschedule(loop.time() + SILENCE_SECONDS)
                        parts.append(part)
                    self._conversation.hear(b"".join(parts), now_ms=self._now_ms())
                    if self._conversation.is_caught_up:
                        self._backoff.succeed()
                    self._carry_out()
        except TimeoutError:
            return "InactiveServer"
        except ConnectionClosed as closed:
            frame = closed.rcvd
            if frame is not None and frame.reason:
                return frame.reason
            return f"closed with code {frame.code if frame is not None else 1006}"

    def _now_ms(self) -> int:
        return self._environment.clock.now_ns() // 1_000_000


async def _write(socket: ClientConnection, outbox: asyncio.Queue[str | None]) -> None:
    """Send what comes until there is an end to it. A socket that is gone is the reader's to notice."""
    try:
        while (text := await outbox.get()) is not None:
            await socket.send(text)
        await socket.close()
    except ConnectionClosed:
        return


async def _pause(seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


def _look_at(first: asyncio.Future[None]) -> None:
    """Whoever was cancelled while waiting does not look at the failure; that is no cause for a warning."""
    if not first.cancelled():
        first.exception()


def _version() -> str:
    try:
        return version("rewake")
    except PackageNotFoundError:
        return "0.0.0"
