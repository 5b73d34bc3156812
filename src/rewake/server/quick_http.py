"""Quick HTTP: small calls of functions, answered without a task, a cycle of events and seven layers.

Floor 7, `server`. uvicorn makes a task of each request, which hears of its body by events, and writes its
answer in two. A call that came in one piece, as most do, needs none of that: head and body are there, and the
answer is one piece, too. What is different about a request in any way goes the long way, through the ASGI
application, and nobody can tell by the answer which way a request went.

    piece -> is it a call with a known head? -----------------.- answer -> one write
               `- no: parse -> plain? -> gather the body -> all there when the piece ends?
                                 `- no ---------------------------- no `--> a cycle of uvicorn's

Plain: POST to one of the addresses, HTTP/1.1, kept alive, a small body of a length that it says, no header
that proxies or the protocol itself would have to look at; nothing else under way on the connection, and not
one of very many in one piece, which would keep others waiting.

Not here: what is answered (`http_api/quick_calls.py`), heads that were seen before (`known_heads.py`), bounds
on connections (`http_head.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from rewake.handoff import at_once
from rewake.http_api import Answer, CallHead, QuickCalls
from rewake.limits import KIB
from rewake.protocol import FORWARDING_HEADERS
from rewake.server.gathering_transport import GatheringTransport
from rewake.server.known_heads import KnownHead, KnownHeads

_BODY_BYTES_MAX = 64 * KIB
_IN_A_PIECE_MAX = 16
"""So many requests of one piece of a connection are answered in a row; the next has to wait its turn."""
_NOT_PLAIN = FORWARDING_HEADERS | {b"connection", b"expect", b"transfer-encoding", b"upgrade"}
"""Headers that somebody on the long way looks at; `Connection: keep-alive` says nothing new."""
_KEPT = (b"keep-alive", b"Keep-Alive")

RawHeaders = tuple[tuple[bytes, bytes], ...]


class QuickDoor:
    """The quick calls of one listener, with the headers that it puts on every answer."""

    def __init__(self, calls: QuickCalls, headers: RawHeaders, *, body_bytes_max: int) -> None:
        """`headers` are those of answers without any of their own of these names. `body_bytes_max` is the
        bound on any body.
        """
        self._calls = calls
        self.answer = calls.answer
        self._ending = b"".join(b"%b: %b\r\n" % each for each in headers) + b"\r\n"
        self._urls = {path.encode(): path for path in calls.paths}
        self._body_bytes_max = min(body_bytes_max, _BODY_BYTES_MAX)
        self.known = KnownHeads(body_bytes_max=self._body_bytes_max)
        """The heads of plain requests that were parsed."""
        # The standing headers of uvicorn, which makes a new list of them each second; and with them the
        # beginning of an answer with status 200.
        self._standing: tuple[Any, bytes] = (None, b"")
        self._well = b""

    def head(self, url: bytes, headers: list[tuple[bytes, bytes]], address: str) -> CallHead | None:
        """The head of a plain request; None where it is to go the long way."""
        path = self._urls.get(url)
        if path is None or not self._calls.is_on:
            return None
        length = None
        for name, value in headers:
            if name == b"content-length":
                length = value
            elif name in _NOT_PLAIN and not (name == b"connection" and value in _KEPT):
                return None
            elif name == b"origin" and HEADER_VALUE_RE.search(value):
                return None  # It would stand in the answer.
        is_small = length is not None and length.isdigit() and int(length) <= self._body_bytes_max
        return self._calls.head(path, headers, address) if is_small else None

    def head_of(self, answer: Answer, standing: Any, *, ends: bool) -> bytes:
        """The head of an answer, which says that the connection ends where that is new."""
        if self._standing[0] is not standing:
            self._standing = standing, b"".join(b"%b: %b\r\n" % each for each in standing)
            self._well = STATUS_LINE[200] + self._standing[1]
        start = self._well if answer.status == 200 else STATUS_LINE[answer.status] + self._standing[1]
        ending = self._ending
        if ends and not answer.is_last:
            ending = ending[:-2] + b"connection: close\r\n\r\n"
        return start + answer.lines + ending


class _Waker:
    """In place of the event by which a cycle hears of its body."""

    def set(self) -> None:
        """Nobody waits."""


class QuickCycle(msgspec.Struct, eq=False):
    """A quick call under way, as uvicorn's protocol looks at cycles."""

    message_event: ClassVar[_Waker] = _Waker()
    response_started: ClassVar[bool] = False
    disconnected: bool = False
    keep_alive: bool = True
    response_complete: bool = False


class QuickHttp(HttpToolsProtocol):
    """uvicorn's protocol for one connection, with a short way for plain requests."""

    quick: QuickDoor | None = None
    flow: FlowControl
    _gathering: GatheringTransport
    # Set when a plain request's head is complete; cleared at the end of its body, or of the piece.
    _quick_head: CallHead | None = None
    _quick_body: Sequence[bytes] = ()
    _quick_left = 0  # Set when a piece comes; counts its requests down.
    _quick_piece: bytes | None = None  # Set while a piece is parsed that begins with a request.
    _known: KnownHead | None = None
    """The head that was last found, which is most probably that of the next request."""
    _is_marked = False
    """Whether the parser remembers something of the last head that it read: an upgrade, an end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        client: Any = self.client
        self._address: str = client[0] if client else ""
        self._known = None  # It was that of another address.

    def hear_known(self, data: bytes) -> bool:
        """Answer `data`, where it is one plain request whose head is known. The parser is between two."""
        quick = self.quick
        if quick is None or self._is_marked or self._is_busy():
            return False
        known = self._known
        body = None if known is None else known.body(data)
        if known is None or body is None:
            found = quick.known.find(data, self._address)
            if found is None:
                return False
            known, body = found
            self._known = known
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self._enter(known.head, body)
        return True

    def hear(self, data: bytes, *, begins: bool) -> None:
        """Parse `data`, with which a request `begins`, or goes on."""
        self._quick_left = _IN_A_PIECE_MAX
        self._quick_piece = data if begins else None
        super().data_received(data)
        self._quick_piece = None
        if self._quick_head is not None:
            self._go_the_long_way()

    def on_headers_complete(self) -> None:
        parser = self.parser
        self._is_marked = parser.should_upgrade() or not parser.should_keep_alive()
        self._quick_head = self._plain_head()
        if self._quick_head is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._quick_head is None:
            super().on_body(body)
        else:
            self._quick_body = (*self._quick_body, body)

    def on_message_complete(self) -> None:
        head, self._quick_head = self._quick_head, None
        if head is None:
            super().on_message_complete()
            return
        body, self._quick_body = b"".join(self._quick_body), ()
        if self._quick_piece is not None and self.quick is not None:
            self.quick.known.learn(self._quick_piece, self._address, head)
        self._enter(head, body)

    def _enter(self, head: CallHead, body: bytes) -> None:
        """A plain request is there: `_begin` it, now or when it is its turn."""
        raise NotImplementedError

    def _begin(self, cycle: QuickCycle, head: CallHead, body: bytes) -> None:
        quick = self.quick
        assert quick is not None
        at_once(quick.answer(head, body), tell=partial(self._answered, cycle))

    def _is_busy(self) -> bool:
        """Whether something else is under way here."""
        cycle = self.cycle
        return bool(
            (cycle is not None and not cycle.response_complete) or self.pipeline or self.flow.write_paused
        )

    def _plain_head(self) -> CallHead | None:
        quick, parser = self.quick, self.parser
        if quick is None or self._is_marked or parser.get_method() != b"POST" or self._is_busy():
            return None
        self._quick_left -= 1
        if self._quick_left < 0 or parser.get_http_version() != "1.1" or self.transport.is_closing():
            return None
        return quick.head(self.url, self.headers, self._address)

    def _go_the_long_way(self) -> None:
        """The rest of the body is still to come, or there is none for the parser stopped."""
        self._quick_head = None
        body, self._quick_body = self._quick_body, ()
        if self.transport.is_closing():
            return
        super().on_headers_complete()
        for piece in body:
            super().on_body(piece)

    def _answered(self, cycle: QuickCycle, answer: Answer) -> None:
        quick = self.quick
        assert quick is not None
        cycle.response_complete = True
        if cycle.disconnected:
            return
        ends = answer.is_last or not cycle.keep_alive
        head = quick.head_of(answer, self.server_state.default_headers, ends=ends)
        self._gathering.write_through(head, answer.body)
        if ends:
            self.transport.close()
        self.on_response_complete()
