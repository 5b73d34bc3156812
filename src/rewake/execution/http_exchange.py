"""HTTP exchanges: one request and its response, as they cross between the front and an action.

Floor 3, `execution`. Each exchange has two ends, one at the door and one with the handler, and both bodies
flow at once. What has been sent and not yet used up at the other end is bounded, so that a slow client holds
back a fast handler and the other way round, and nobody's memory grows.

    door                                                   handler
      Part* -------------------- request body ------------>  receive()
            <------------------- Credit -------------------  when it is used up
            <--- Head, Part* --- response -----------------  send()
      Credit ------------------- when the client has it -->
      HungUp ------------------- the client went away ---->  http.disconnect, ClientGone

A websocket of a mounted application is the same: its messages are parts, the last part of each says so, the
head with status 101 accepts it, and either end hangs up with a code.

`Flow` is the rules, without I/O: events in, events out. `ExchangeEnd` is the driver, in one event loop, which
hears of events from any thread.

Not here: which handler (`http_run.py`), places and time limits (`action_desk.py`), the door
(`http_api/http_actions.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec

from rewake.auth import Identity
from rewake.execution.calls import NO_SOURCE, FunctionCall, RequestSource, Visibility
from rewake.execution.runner import ActionJob
from rewake.limits import HTTP_PART_BYTES_MAX, HTTP_WINDOW_BYTES

T = TypeVar("T")

_COME_AGAIN = 1012
"""Service Restart, of the registry of close codes that RFC 6455 set up."""

Headers = tuple[tuple[bytes, bytes], ...]


class Head(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """How a response begins."""

    status: int
    headers: Headers


class Part(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A portion of a body, or of a message of a websocket."""

    data: bytes
    is_last: bool
    is_text: bool = False
    """Of a websocket: the message is text."""


class Credit(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """So many bytes of what was sent are used up; as many more may come."""

    amount: int


class HungUp(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The other end went away: nothing more comes from it, and nothing reaches it.

    Over HTTP only clients do. A websocket is closed by either end, with a code of RFC 6455.
    """

    code: int = 1006
    reason: str = ""


class Over(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The handler has come to its result. Said within the front, behind all parts."""


HttpEvent = Head | Part | Credit | HungUp
Item = Head | Part | HungUp | Over
"""What comes in, in its order."""


class ClientGone(OSError):
    """The client went away before it had the whole response."""


class ExchangeBroken(Exception):
    """The other end sent more than it may."""


class HttpRequestHead(msgspec.Struct, frozen=True, array_like=True):
    """A request without its body."""

    method: str
    scheme: str
    path: str
    """Decoded; `raw_path` is as it came."""
    raw_path: bytes
    query: bytes
    headers: Headers
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    http_version: str = "1.1"
    subprotocols: tuple[str, ...] | None = None
    """What a websocket offers; None where the request is none."""

    @property
    def is_websocket(self) -> bool:
        """Whether it asks for a websocket."""
        return self.subprotocols is not None


class Flow:
    """What one end may send and has not yet used up. No I/O, and no waiting."""

    def __init__(self, window_bytes: int = HTTP_WINDOW_BYTES) -> None:
        self._window = window_bytes
        self._may_send = window_bytes
        self._inbox: deque[Item] = deque()
        # Came in and is not used up yet: at most the window.
        self._held = 0
        self.is_cut = False
        """Whether the client went away; set by `hear(HungUp)` or `cut`, for ever."""

    def hear(self, event: HttpEvent | Over) -> None:
        """Take in what the other end sent.

        Raises:
            ExchangeBroken: more than this end agreed to hold.
        """
        if isinstance(event, Credit):
            self._may_send += event.amount
            return
        if isinstance(event, Part):
            self._held += len(event.data)
            if self._held > self._window:
                raise ExchangeBroken(f"{self._held} bytes in a window of {self._window}")
        elif isinstance(event, HungUp):
            self.is_cut = True
        self._inbox.append(event)

    def take(self) -> Item | None:
        """What came in next, if anything did."""
        return self._inbox.popleft() if self._inbox else None

    def use_up(self, amount: int) -> Credit | None:
        """Say that bytes of what was taken are used up; gives what to tell the other end."""
        assert 0 <= amount <= self._held, "only what came in can be used up"
        self._held -= amount
        return Credit(amount) if amount else None

    def portion(self, wanted: int) -> int | None:
        """How much of `wanted` bytes may be sent now, and is thereby spent; None where it must wait."""
        portion = min(wanted, self._may_send, HTTP_PART_BYTES_MAX)
        if wanted and not portion:
            return None
        self._may_send -= portion
        return portion

    def cut(self) -> None:
        """The exchange is over for this end: whoever waits to send need not."""
        self.is_cut = True


class ExchangeEnd:
    """One end of an exchange. `hear` may be called from any thread, all else in the loop of `attach`."""

    def __init__(self, window_bytes: int = HTTP_WINDOW_BYTES) -> None:
        self._flow = Flow(window_bytes)
        # Guards the flow: events come in the thread that reads the pipe.
        self._lock = threading.Lock()
        # Set by `attach`; events that came before wait in the flow.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        # Set by `connect`, once somebody is there to take the request; what was sent before waits.
        self._transmit: Callable[[HttpEvent], None] | None = None
        self._unsent: list[HttpEvent] = []

    @property
    def is_cut(self) -> bool:
        """Whether the client went away, or the exchange is over."""
        return self._flow.is_cut

    def connect(self, transmit: Callable[[HttpEvent], None]) -> None:
        """Send through `transmit` from now on, what waited first."""
        with self._lock:
            self._transmit = transmit
            unsent, self._unsent = self._unsent, []
            for event in unsent:
                transmit(event)

    def attach(self) -> None:
        """Serve the running loop."""
        with self._lock:
            self._loop = asyncio.get_running_loop()

    def hear(self, event: HttpEvent | Over) -> None:
        """Take in what the other end sent."""
        with self._lock:
            self._flow.hear(event)
            loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # The loop was closed: nobody waits any more.
                loop.call_soon_threadsafe(self._wake)

    async def take(self) -> Item:
        """Wait for what comes in next. A part stays within the window until `use_up` is told of it."""
        return await self._until(self._flow.take)

    async def gone(self) -> None:
        """Wait until the client went away, or the exchange is over. Nothing that comes in is taken."""
        await self._until(lambda: self._flow.is_cut or None)

    def use_up(self, part: Part) -> None:
        """Say that a part is used up, so that more may come."""
        with self._lock:
            credit = self._flow.use_up(len(part.data))
        if credit is not None:
            self._send(credit)

    def begin(self, head: Head) -> None:
        """Send the head of the response."""
        self._send(head)

    async def send(self, data: bytes, *, is_last: bool, is_text: bool = False) -> None:
        """Send a portion of a body, or a message, as fast as the other end uses it up.

        Raises:
            ClientGone: nobody takes it any more.
        """
        left = memoryview(data)
        while True:
            portion = await self._until(partial(self._portion, len(left)))
            part, left = left[:portion], left[portion:]
            self._send(Part(bytes(part), is_last and not left, is_text))
            if not left:
                return

    def hang_up(self, code: int = 1006, reason: str = "") -> None:
        """Tell the other end that this one went away, and this one that it is over."""
        if not self.is_cut:
            self._send(HungUp(code, reason))
        self.cut()

    def cut(self) -> None:
        """Let nobody at this end wait to send any more."""
        with self._lock:
            self._flow.cut()
        self._wake()

    def _portion(self, wanted: int) -> int | None:
        if self._flow.is_cut:
            raise ClientGone("the client went away")
        return self._flow.portion(wanted)

    async def _until(self, ready: Callable[[], T | None]) -> T:
        assert self._loop is not None, "an end serves the loop that it is attached to"
        while True:
            with self._lock:
                got = ready()
            if got is not None:
                return got
            # Nothing is missed between: who hears of an event wakes us by a call in this very loop.
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _send(self, event: HttpEvent) -> None:
        with self._lock:
            if self._transmit is None:
                self._unsent.append(event)
                return
        self._transmit(event)


class HttpJob(ActionJob, frozen=True, kw_only=True):
    """One HTTP request to answer. An action job: it has a place, a time limit, and runs at most once."""

    request: HttpRequestHead
    refusal: str | None = None
    """Why the caller's token does not say who it is; raised where the handler asks for that."""
    door: ExchangeEnd | None = None
    """The end at the door; None in the process that answers."""

    @property
    def is_socket(self) -> bool:
        return self.request.is_websocket

    def close_socket(self, reason: str) -> None:
        """Have both ends of a websocket close it, so that its client comes again. In the loop of the door."""
        if self.door is not None:
            self.door.hang_up(_COME_AGAIN, reason)
            self.door.hear(HungUp(_COME_AGAIN, reason))

    @classmethod
    def of(
        cls,
        request: HttpRequestHead,
        identity: Identity,
        *,
        request_id: str,
        refusal: str | None = None,
        door: ExchangeEnd | None = None,
        source: RequestSource = NO_SOURCE,
    ) -> HttpJob:
        """The job of a request. Its call names method and path, for lists of what ran: as it came, since the
        decoded one may hold line breaks.
        """
        path = request.raw_path.decode("ascii", "backslashreplace")
        call = FunctionCall(f"{request.method} {path}", "{}")
        return cls(
            call,
            identity,
            Visibility.INTERNAL,
            request_id,
            source=source,
            request=request,
            refusal=refusal,
            door=door,
        )
