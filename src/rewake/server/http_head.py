"""HTTP connections, bounded: in number, in the size of a head, and in the time that everything may take.

Floor 7, `server`. uvicorn's parser gathers a head for as long as it comes, before anybody is asked, and waits
for ever for whoever says nothing. Here each connection

    takes a place at the gate, or is refused with 429
    has each request begin in its turn, or is refused  503, with `Retry-After`
    has so long for its head, and so many bytes        408, 431
    may pause so long in a body that we want to read   408, or cut
    may let so long pass without reading what we sent  cut

The count of bytes goes by the pieces that the transport hands over, so it is a bound and no measure: it may
let a piece too much pass. A body that nobody reads here (the handler is slow) is not the client's fault.

Not here: the size of a body (`http_api`), idle connections (uvicorn), sync sockets (`sync`).
Source: RFC 6585, sections 4 and 5; RFC 9110, 15.5.9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from rewake.execution import Overloaded
from rewake.http_api import CallHead
from rewake.server.acceptor import Acceptor
from rewake.server.caller import Caller
from rewake.server.entrance import (
    HEAD_TOO_LARGE,
    TOO_MANY,
    TOO_SLOW,
    Asked,
    Entrance,
    Refusal,
    is_one_call,
    lane_of_address,
)
from rewake.server.gate import Gate
from rewake.server.gathering_transport import GatheringTransport
from rewake.server.quick_http import QuickCycle, QuickDoor, QuickHttp


class _Over:
    """Stands for the cycle of a request that was turned away: uvicorn drops the rest of what it reads."""

    response_started = response_complete = True
    message_event = asyncio.Event()


_OVER = cast(RequestResponseCycle, _Over())


def http_protocol_class(
    gate: Gate, entrance: Entrance, acceptor: Acceptor, quick: QuickDoor | None = None
) -> type[asyncio.Protocol]:
    """A class for uvicorn's `http` option whose connections keep within the limits of `gate`, and whose
    requests begin as `entrance` says; plain ones to `quick` go the short way. `acceptor` takes connections
    that wait behind one.
    """

    class BoundHttp(_BoundedHttp):
        """HTTP with this server's bounds."""

    BoundHttp.gate, BoundHttp.quick = gate, quick
    BoundHttp.entrance = entrance
    BoundHttp.acceptor = acceptor
    return BoundHttp


class _BoundedHttp(QuickHttp):
    """HTTP on one connection, with a count and two timers."""

    gate: Gate
    entrance: Entrance
    acceptor: Acceptor
    _refusal: Refusal | None = None  # Set at a head; cleared where the answer was written.
    # `_gathering` is set by connection_made.
    has_turn = False
    """Set by the lobby where the call that it hands over has waited for its turn; cleared when it begins."""
    _caller: Caller | None = None  # Whose it is; None where the loop has the connection, or nobody.
    _is_admitted = False
    _is_hearing = False  # Set while a piece is parsed.
    _is_head_open = True  # Until the parser has seen its end; again from the next request's first byte.
    _is_body_open = False  # From the end of a head to the end of its body.
    _head_bytes = 0
    _has_news = False  # Set by bytes of a body; cleared by the timer.
    _reading: asyncio.TimerHandle | None = None  # Set while a head or body is under way.
    _writing: asyncio.TimerHandle | None = None  # Set while bytes of ours wait.
    _left_to_write = 0  # As the timer last saw it.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._gathering = GatheringTransport(transport)
        super().connection_made(self._gathering)
        if isinstance(transport, Caller):
            # It has a place, and something to say already. Nothing else is left of who had this protocol.
            self._caller, self._is_admitted = transport, True
            self._is_head_open, self._head_bytes, self._is_body_open = True, 0, False
            return
        self.acceptor.accepted(self._another, self.config.ssl)
        self._is_admitted = self.gate.enter(self._address)
        if not self._is_admitted:
            self.transport.write(TOO_MANY)
            self.transport.close()
            return
        self._await_head()

    def connection_left(self) -> bool:
        """The caller that rests needs this protocol no more. Whether another may have it: its parser must
        remember nothing.
        """
        assert self._is_at_rest()
        self.connections.discard(self)
        self._caller = self.cycle = None  # type: ignore[assignment]
        return not self._is_marked

    def end(self) -> None:
        """Nobody will have it."""
        self.parser = None  # type: ignore[assignment]  # It knows us, so nobody would miss the two of us.

    def _another(self) -> asyncio.Protocol:
        return type(self)(self.config, self.server_state, self.app_state)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._leave()
        if self._caller is not None:
            self._caller.hand_over(self._upgrade)  # Sessions do not stand in line with a flood of requests.
        else:
            self._upgrade(self._gathering.below)

    def _upgrade(self, transport: asyncio.Transport) -> None:
        self.transport = transport  # Its new protocol writes as it likes.
        super().handle_websocket_upgrade()
        self.end()

    def data_received(self, data: bytes) -> None:
        if not self._is_admitted:
            return
        self._has_news = True
        begins = not self._is_body_open and not (self._is_head_open and self._head_bytes)
        if not self.has_turn and self.entrance.turnstile.is_crowded:
            if begins and self._is_turned_away(data):
                return
        elif begins and self.hear_known(data):
            self.has_turn = False
            return
        self._is_hearing = True
        self.hear(data, begins=begins)
        self._is_hearing = self.has_turn = False
        if self._is_head_open:
            self._head_bytes += len(data)
            if self._head_bytes > self.gate.limits.http_head_bytes_max:
                self._refuse(HEAD_TOO_LARGE)
        self._watch_reading()
        if self._caller is not None and self._is_at_rest():
            self._caller.rest()

    def _is_at_rest(self) -> bool:
        """Whether all that was asked is answered, and nothing more was begun."""
        return (
            self._reading is None
            and self._writing is None
            and not self._is_body_open
            and not self._is_head_open
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.read_paused
            and self.timeout_keep_alive_task is None
        )

    def _watch_reading(self) -> None:
        if not self._is_admitted or self.transport.is_closing():
            return
        if self._reading is None:
            # Here, at the end of the piece: most requests come whole, and need no timer.
            if self._is_head_open:
                self._await_head()
            elif self._is_body_open:
                self._await_body()

    # What the parser says.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_head_open = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._is_head_open, self._is_body_open = False, True
        self._stop_reading_timer()
        if self.entrance.turnstile.is_crowded and not self.has_turn:
            self._ask_to_enter()
        if self._refusal is None:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_body_open = False
        self._stop_reading_timer()
        refusal, self._refusal = self._refusal, None
        if refusal is None:
            super().on_message_complete()
        elif not refusal.is_last:
            self._gathering.write_through(refusal.answer)
            self.on_response_complete()

    def on_response_complete(self) -> None:
        gathering = self._gathering
        if gathering.gathered:
            gathering.flush()
        if self._caller is None or self.pipeline or self.flow.read_paused:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if not self._is_hearing and self._is_at_rest():  # Or else at the end of the piece.
            self._caller.rest()

    # What the entrance says.

    def _is_turned_away(self, data: bytes) -> bool:
        """Refuse a call that came in one piece, without a parser; False where it has to be parsed."""
        if not (self.cycle is None or self.cycle.response_complete) or not is_one_call(data):
            return False
        answer = self.entrance.refusal_unparsed(lane_of_address(self._address))
        if answer is None:
            return False
        self._heard_whole()
        self._gathering.write_through(answer)
        self.on_response_complete()
        return True

    def _heard_whole(self) -> None:
        """A request was heard that no parser saw: as after any, the next one's time begins with its first
        byte.
        """
        if self._reading is not None:
            self._stop_reading_timer()
        self._is_head_open = False

    def _ask_to_enter(self) -> None:
        """See that a request which would wait for too long goes no further than its head."""
        if self.parser.should_upgrade() or not (self.cycle is None or self.cycle.response_complete):
            return  # Sockets are counted elsewhere; and answers go out in the order of the questions.
        headers, method = self.headers, self.parser.get_method()
        keeps_alive = self.parser.should_keep_alive()
        refusal = self.entrance.refusal(
            Asked(self.url, headers, self._address, is_head=method == b"HEAD", keeps_alive=keeps_alive)
        )
        if refusal is not None:
            self._refusal, self.cycle = refusal, _OVER
            if refusal.is_last:
                self._refuse(refusal.answer)

    def _enter(self, head: CallHead, body: bytes) -> None:
        self._heard_whole()
        cycle = self.cycle = QuickCycle()  # type: ignore[assignment]
        if self._has_room():
            self._begin(cycle, head, body)
            return
        asked = Asked(head.path.encode(), head.headers, self._address, is_head=False, keeps_alive=True)
        self._wait(_Waiting(self, cycle, asked, lambda: self._begin(cycle, head, body)))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._has_room():
            super()._start_asgi_task(cycle, app)
            return
        begin = super()._start_asgi_task
        self._wait(_Waiting(self, cycle, _asked(cycle), lambda: begin(cycle, app)))

    def _has_room(self) -> bool:
        if self.has_turn:
            self.has_turn = False
            return True
        return self.entrance.turnstile.has_room()

    def _wait(self, waiting: _Waiting) -> None:
        try:
            self.entrance.turnstile.wait(waiting, self.entrance.lane_of(waiting.asked))
        except Overloaded as error:
            # Not here: its end begins the next of a pipeline, which may be a thousand long.
            self.loop.call_soon(waiting.turn_away, error)

    # What the transport says.

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    # Time.

    def _await_head(self) -> None:
        self._stop_reading_timer()
        seconds = self.gate.limits.http_head_seconds_max
        self._reading = asyncio.get_running_loop().call_later(seconds, self._refuse, TOO_SLOW)

    def _await_body(self) -> None:
        self._has_news = False
        seconds = self.gate.limits.http_stall_seconds_max
        self._reading = asyncio.get_running_loop().call_later(seconds, self._check_body)

    def _check_body(self) -> None:
        self._reading = None
        if not self._is_body_open:
            return
        if self._has_news or self.flow.read_paused:
            self._await_body()
        elif self.cycle is not None and self.cycle.response_started:
            self.transport.abort()
        else:
            self._refuse(TOO_SLOW)

    def _await_reader(self) -> None:
        self._left_to_write = self.transport.get_write_buffer_size()
        seconds = self.gate.limits.http_stall_seconds_max
        self._writing = asyncio.get_running_loop().call_later(seconds, self._check_reader)

    def _check_reader(self) -> None:
        self._writing = None
        if self.transport.get_write_buffer_size() < self._left_to_write:
            self._await_reader()
        else:
            self.transport.abort()

    def _refuse(self, answer: bytes) -> None:
        self._stop_reading_timer()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _stop_reading_timer(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _leave(self) -> None:
        self._stop_reading_timer()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        if self._is_admitted:
            self._is_admitted = False
            if self._caller is None:
                self.gate.leave(self._address)


def _asked(cycle: RequestResponseCycle) -> Asked:
    """The head of a request that goes the long way."""
    scope = cycle.scope
    client: Any = scope["client"]
    return Asked(
        scope["raw_path"],
        cast(list[tuple[bytes, bytes]], scope["headers"]),
        client[0] if client else "",
        is_head=scope["method"] == "HEAD",
        keeps_alive=cycle.keep_alive and not cycle.more_body,
    )


class _Waiting:
    """A request at the turnstile."""

    __slots__ = ("_begin", "_cycle", "_http", "asked")

    def __init__(
        self,
        http: _BoundedHttp,
        cycle: RequestResponseCycle | QuickCycle,
        asked: Asked,
        begin: Callable[[], None],
    ) -> None:
        self._http = http
        self._cycle = cycle
        self.asked = asked
        """Its head."""
        self._begin = begin

    def begin(self) -> None:
        """It is its turn."""
        if not self._cycle.disconnected:
            self._begin()

    def turn_away(self, error: Overloaded) -> None:
        """It waited for too long, or would. What came after it on its connection is asked next."""
        cycle, transport = self._cycle, self._http.transport
        if cycle.disconnected:
            return
        refusal = self._http.entrance.answer(error, self.asked._replace(keeps_alive=self._keeps_alive()))
        if not isinstance(cycle, QuickCycle):
            cycle.response_started = True
        cycle.response_complete = True
        transport.write(refusal.answer)
        if refusal.is_last:
            transport.close()
        self._http.on_response_complete()

    def _keeps_alive(self) -> bool:
        # Said anew: more of its body may have come, or the server may have begun to stop.
        cycle = self._cycle
        return cycle.keep_alive and (isinstance(cycle, QuickCycle) or not cycle.more_body)
