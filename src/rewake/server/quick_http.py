"""Quick HTTP: small calls of functions, answered without a task, a cycle of events and seven layers.

Floor 7, `server`. uvicorn makes a task of each request, which hears of its body by events, and writes its
answer in two. A call that came in one piece, as most do, needs none of that: head and body are there, and the
answer is one piece, too. What is different about a request in any way goes the long way, through the ASGI
application, and nobody can tell by the answer which way a request went.

    head -> is it plain? -> gather the body -> all there when the piece ends? -> answer -> one write
              `- no ---------------------------------- no `--> a cycle of uvicorn's

Plain: POST to one of the addresses, HTTP/1.1, kept alive, a small body of a length that it says, no header
that proxies or the protocol itself would have to look at; nothing else under way on the connection, and not
one of very many in one piece, which would keep others waiting.

Not here: what is answered (`http_api/quick_calls.py`), bounds on connections (`http_head.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from rewake.handoff import at_once
from rewake.http_api import Answer, QuickCalls
from rewake.limits import KIB
from rewake.protocol import FORWARDING_HEADERS
from rewake.server.gathering_transport import GatheringTransport

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
        self._added = b"".join(b"%b: %b\r\n" % each for each in headers)
        self._urls = {path.encode(): path for path in calls.paths}
        self._body_bytes_max = min(body_bytes_max, _BODY_BYTES_MAX)
        # The standing headers of uvicorn, which makes a new list of them each second, as text.
        self._standing: tuple[Any, bytes] = (None, b"")

    def path_of(self, url: bytes, headers: list[tuple[bytes, bytes]]) -> str | None:
        """The path of a plain request; None where it is to go the long way."""
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
        return path if is_small else None

    async def response(self, scope: Any, body: bytes, standing: Any) -> tuple[Answer, list[bytes]]:
        """The answer to a plain request, and its bytes; without the end of the head, which may grow."""

        async def read() -> bytes:
            return body

        answer = await self._calls.answer(scope, read)
        if self._standing[0] is not standing:
            self._standing = standing, b"".join(b"%b: %b\r\n" % each for each in standing)
        pieces = [STATUS_LINE[answer.status], self._standing[1]]
        pieces += [b"%b: %b\r\n" % each for each in answer.headers]
        pieces.append(self._added)
        return answer, pieces


class _Waker:
    """In place of the event by which a cycle hears of its body."""

    def set(self) -> None:
        """Nobody waits."""


class QuickCycle:
    """A quick call under way, as uvicorn's protocol looks at cycles."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    message_event = _Waker()
    response_started = False

    def __init__(self) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False


class QuickHttp(HttpToolsProtocol):
    """uvicorn's protocol for one connection, with a short way for plain requests."""

    quick: QuickDoor | None = None
    flow: FlowControl
    _gathering: GatheringTransport
    # Set when a plain request's head is complete; cleared at the end of its body, or of the piece.
    _quick_path: str | None = None
    _quick_body: Sequence[bytes] = ()
    _quick_left = 0  # Set when a piece comes; counts its requests down.

    def data_received(self, data: bytes) -> None:
        self._quick_left = _IN_A_PIECE_MAX
        super().data_received(data)
        if self._quick_path is not None:
            self._go_the_long_way()

    def on_headers_complete(self) -> None:
        self._quick_path = self._plain_path()
        if self._quick_path is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._quick_path is None:
            super().on_body(body)
        else:
            self._quick_body = (*self._quick_body, body)

    def on_message_complete(self) -> None:
        path, self._quick_path = self._quick_path, None
        if path is None:
            super().on_message_complete()
            return
        self.scope["method"], self.scope["path"] = "POST", path
        cycle = QuickCycle()
        self.cycle = cycle  # type: ignore[assignment]
        body, self._quick_body = b"".join(self._quick_body), ()
        self._enter(cycle, self.scope, body)

    def _enter(self, cycle: QuickCycle, scope: Any, body: bytes) -> None:
        """A plain request is there: begin it, now or when it is its turn."""
        self._begin(cycle, scope, body)

    def _begin(self, cycle: QuickCycle, scope: Any, body: bytes) -> None:
        at_once(self._answer(cycle, scope, body), over=_nothing)

    def _plain_path(self) -> str | None:
        quick, cycle, parser = self.quick, self.cycle, self.parser
        if quick is None or parser.get_method() != b"POST" or (cycle and not cycle.response_complete):
            return None
        self._quick_left -= 1
        if self._quick_left < 0 or self.pipeline or self.flow.write_paused or self.transport.is_closing():
            return None
        path = quick.path_of(self.url, self.headers)
        if path is None or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        return path

    def _go_the_long_way(self) -> None:
        """The rest of the body is still to come, or there is none for the parser stopped."""
        self._quick_path = None
        body, self._quick_body = self._quick_body, ()
        if self.transport.is_closing():
            return
        super().on_headers_complete()
        for piece in body:
            super().on_body(piece)

    async def _answer(self, cycle: QuickCycle, scope: Any, body: bytes) -> None:
        assert self.quick is not None
        answer, pieces = await self.quick.response(scope, body, self.server_state.default_headers)
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        is_last = (b"connection", b"close") in answer.headers
        if not cycle.keep_alive and not is_last:
            pieces.append(b"connection: close\r\n")
        pieces += [b"\r\n", answer.body]
        self._gathering.write_through(pieces)
        if is_last or not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _nothing() -> None:
    """What is to do when an answer is out."""
