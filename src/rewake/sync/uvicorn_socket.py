"""The fast path: sync sockets as an asyncio protocol inside uvicorn.

Floor 6, `sync`. uvicorn reads the HTTP head and hands an upgrade to the protocol class of its `ws` option.
Ours looks at the path: sync sockets get a `SyncSocket`, any other websocket uvicorn's own implementation
with the ASGI application. A SyncSocket reads and writes frames itself, so that what a wave sends to thousands
is one head and one shared tail in one write each (DESIGN D7), and a quiet socket holds little. No ASGI event,
queue or task stands in between.

    uvicorn HTTP protocol --upgrade--> _Doorway --sync path--> SyncSocket
                                           `-----other path--> uvicorn's websocket protocol

A response waits for the transition that follows it in the next turn of the loop, and leaves with it in one
write: the kernel's part of a write is the most expensive step of a mutation in this process.

What a client says waits its turn where more is said than can be begun in one turn of the loop; meanwhile its
socket is not read. What the house says to it does not wait.

The write buffer's high-water mark is zero: asyncio then tells us when the first byte has to wait and when the
last one is gone, which is what the backlog wants to know.

Not here: the same over plain ASGI (`asgi_socket.py`), rules (`session.py`), the bytes of frames (`frames.py`,
`frame_reader.py`), compression (`deflation.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from rewake.errors import RewakeError
from rewake.execution import CalledFrom, Overloaded, RequestSource
from rewake.protocol import ClientVersion
from rewake.sync.admission import Place
from rewake.sync.broadcast import SharedText
from rewake.sync.connection import Connection
from rewake.sync.deflation import Agreement, PlainCount, agree
from rewake.sync.drivers import Door, session_lane
from rewake.sync.frame_reader import Breach, FrameReader, Hangup, Heard, Noise, Ping
from rewake.sync.frames import (
    JOIN_BYTES_MAX,
    PING_FRAME,
    close_echo,
    close_frame,
    frame_head,
    pong_frame,
    text_frames,
)
from rewake.sync.socket import Writer
from rewake.sync.upgrade import SyncPath, Upgrade, check_upgrade, refusal_body, sync_path

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState


def uvicorn_protocol_class(door: Door) -> type[asyncio.Protocol]:
    """A class for uvicorn's `ws` option that serves `door` and leaves other websockets to uvicorn."""

    class BoundDoorway(_Doorway):
        """The doorway of one deployment."""

        __slots__ = ()

        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(door, config, server_state, app_state)

    return BoundDoorway


class _Doorway(asyncio.Protocol):
    """Reads the head of an upgrade request and puts the right protocol in its own place.

    uvicorn calls `data_received` with the whole head and only then makes this object the transport's
    protocol; so the exchange happens one turn of the loop later, and until then everything is passed on.
    """

    __slots__ = ("_app_state", "_config", "_door", "_inner", "_server_state", "_transport")

    def __init__(
        self, door: Door, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._door = door
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._transport: asyncio.Transport | None = None  # Set by connection_made.
        self._inner: asyncio.Protocol | None = None  # Set with the head.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        if self._inner is not None:
            self._inner.data_received(data)
            return
        method, target, headers = _parse_head(data)
        path = sync_path(unquote(target.partition("?")[0]), prefixes=self._prefixes())
        self._inner = (
            self._fallback() if path is None else self._sync_socket(method, headers, path, transport)
        )
        if self._inner is None:
            return
        self._inner.connection_made(transport)
        asyncio.get_running_loop().call_soon(transport.set_protocol, self._inner)
        if path is None:
            self._inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def _prefixes(self) -> tuple[str, ...]:
        root_path = self._config.root_path.rstrip("/")
        return (*self._door.prefixes, root_path) if root_path else self._door.prefixes

    def _fallback(self) -> asyncio.Protocol:
        """uvicorn's own websocket protocol, for paths that are not ours."""
        from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

        return WebSocketsSansIOProtocol(
            config=self._config, server_state=self._server_state, app_state=self._app_state
        )

    def _sync_socket(
        self, method: str, headers: dict[str, str], path: SyncPath, transport: asyncio.Transport
    ) -> SyncSocket | None:
        """Accept the upgrade, or refuse it over HTTP."""
        peer = transport.get_extra_info("peername")
        try:
            upgrade = check_upgrade(method, headers, path)
            place = self._door.admission.admit(str(peer[0]) if isinstance(peer, tuple) else "", headers)
        except RewakeError as refusal:
            body = refusal_body(refusal)
            head = (
                f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
                "content-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            transport.write(head.encode() + body)
            transport.close()
            return None
        agreement = agree(upgrade.offers) if self._door.deflater.is_on else None
        transport.write(_switching_protocols(upgrade, agreement))
        user_agent = headers.get("user-agent")
        source = RequestSource.of(
            ip=place.caller,
            user_agent=user_agent,
            limits=self._door.limits,
            called_from=CalledFrom.SYNC_WORKER,
        )
        siblings = self._server_state.connections
        bits = 0 if agreement is None else agreement.window_bits
        return SyncSocket(self._door, upgrade.client, source, siblings, place, window_bits=bits)


class SyncSocket(asyncio.Protocol):
    """One sync socket on an asyncio transport. The `Socket` of its connection."""

    __slots__ = (
        "_closing",
        "_connection",
        "_door",
        "_gathered",
        "_held",
        "_is_paused",
        "_place",
        "_plain",
        "_reader",
        "_siblings",
        "_transport",
        "_window_bits",
        "holds_unsent",
    )

    def __init__(
        self,
        door: Door,
        client: ClientVersion,
        source: RequestSource,
        siblings: set[Any],
        place: Place,
        *,
        window_bits: int,
    ) -> None:
        """`window_bits` is what was agreed on for compression; 0 for none."""
        self._door = door
        self._reader = FrameReader(
            message_bytes_max=door.limits.socket_message_bytes_max, inflates=window_bits > 0
        )
        self._connection: Connection = door.connect(self, client, source)
        self._place = place
        self._siblings = siblings
        """uvicorn's set of what it must shut down and wait for."""
        self._window_bits = window_bits
        self._plain: PlainCount | None = None  # Set while bytes wait on a socket that compresses.
        self._held: bytes | None = None  # Set while what was read waits at the turnstile; taken by `begin`.
        self._is_paused = False  # Set while the connection wants nothing read.
        self._gathered = b""  # Frames that wait for the end of this turn; taken by `_write`.
        self._transport: asyncio.Transport
        self.holds_unsent = False  # As the transport tells, before the write returns that came to wait.
        self._closing = False  # Set with the first close frame of either side, or by abort.

    # What asyncio and uvicorn call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)
        self._siblings.add(self)

    def data_received(self, data: bytes) -> None:
        if self._held is None and self._door.turnstile.has_room():
            self._hear(data)
        elif self._held is not None:
            self._held += data  # What was decrypted already comes though nobody reads.
        else:
            self._held = data
            self._transport.pause_reading()
            self._door.turnstile.wait(self, session_lane(self))

    def begin(self) -> None:
        """It is the turn of what the client said."""
        data, self._held = self._held, None
        if data is None:
            return  # The connection was lost.
        self._hear(data)
        if not self._is_paused:
            self.resume_reading()

    def turn_away(self, error: Overloaded) -> None:
        """Sessions are not: each has one piece in the line, and its client's own buffers fill behind it."""
        raise AssertionError("a session waits") from error

    def _hear(self, data: bytes) -> None:
        text = self._reader.text(data)
        if text is not None:
            self._connection.text_received(text)
            return
        said = self._reader.receive(data)
        if not said or not isinstance(said[0], str):
            self._connection.frame_received()  # Of a text it is known anyway.
        for heard in said:
            if isinstance(heard, str):
                self._connection.text_received(heard)
            else:
                self._control(heard)

    def eof_received(self) -> bool | None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._siblings.discard(self)
        self._place.leave()
        self._closing, self._held = True, None
        self._connection.lost()

    def pause_writing(self) -> None:
        self.holds_unsent = True  # The backlog is observed by the write that came to wait.
        self._connection.writing_waits()

    def resume_writing(self) -> None:
        self.holds_unsent = False
        self._connection.unsent_changed()

    def shutdown(self) -> None:
        """uvicorn stops. It waits until every connection is lost."""
        self._connection.shut_down()

    # What the connection calls.

    def write_text(self, parts: Sequence[bytes], size: int, *, waits: bool = False) -> None:
        if self._closing:
            return
        pieces = self._door.deflater.message(parts, size, self._window_bits) if self._window_bits else None
        if pieces is not None or size > JOIN_BYTES_MAX or size > self._door.limits.frame_bytes_max:
            buffers = text_frames(
                parts if pieces is None else pieces,
                size if pieces is None else sum(map(len, pieces)),
                frame_bytes_max=self._door.limits.frame_bytes_max,
                is_deflated=pieces is not None,
            )
            # What was worth compressing is not worth waiting.
            self._write(buffers, plain=size)
            return
        frame = b"".join((frame_head(size), *parts))
        if waits and len(self._gathered) + size <= JOIN_BYTES_MAX:
            if not self._gathered:
                self._door.write_soon(self)
            self._gathered += frame
        elif self._gathered or self._window_bits:
            self._write((frame,), plain=size)
        else:
            self._transport.write(frame)

    def write_shared(self, text: SharedText, skew: bytes) -> bool:
        gathered = self._gathered
        if self._closing or not text.is_small or (gathered and self._window_bits):
            self.write_text(text.parts(skew), text.size)
        elif self._window_bits:
            self._write([text.frame(skew, self._window_bits, self._door.deflater)], plain=text.size)
        elif gathered:
            self._gathered = b""
            self._transport.write(gathered + text.framed + skew + text.rest)
        else:
            self._transport.write(text.framed + skew + text.rest)
        return self.holds_unsent

    def unison(self) -> tuple[Writer, int] | None:
        return self._transport, self._window_bits

    def wrote_shared(self, *, wire: int, plain: int) -> None:
        if self._window_bits and self._transport.get_write_buffer_size():
            if self._plain is None:
                self._plain = PlainCount()
            self._plain.wrote(wire=wire, plain=plain)

    def write_gathered(self) -> None:
        # Nothing is left where something took it along, or the socket came to its end.
        if self._gathered and not self._transport.is_closing():
            self._write([], plain=0)
            if self._transport.get_write_buffer_size():
                self._connection.unsent_changed()

    def write_ping(self) -> None:
        if not self._closing:
            self._transport.write(PING_FRAME)

    def unsent_bytes(self) -> int:
        # What is gathered was not tried yet: it counts once it is seen to wait.
        wire = self._transport.get_write_buffer_size()
        if self._plain is None:
            return wire
        if not wire:
            self._plain = None
            return 0
        return self._plain.unsent(wire)

    def pause_reading(self) -> None:
        self._is_paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        if self._held is None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self, code: int | None, reason: str) -> None:
        if self._closing:
            return
        self.write_gathered()  # What was said before a close frame goes before it.
        self._transport.write(close_frame(code, reason))
        self._closing = True

    def abort(self) -> None:
        self._closing, self._gathered = True, b""
        self._transport.abort()

    # Frames.

    def _write(self, buffers: Sequence[bytes | memoryview], *, plain: int) -> None:
        """Write frames, behind those that were gathered; `plain` is how many bytes of text are in them."""
        gathered = self._gathered
        if gathered:
            self._gathered = b""
            buffers, plain = (gathered, *buffers), plain + len(gathered)
        wire = sum(map(len, buffers))
        if wire <= JOIN_BYTES_MAX:
            self._transport.write(b"".join(buffers))
        else:
            self._transport.writelines(buffers)
        if self._window_bits:
            self.wrote_shared(wire=wire, plain=plain)

    def _control(self, heard: Heard) -> None:
        """Act on what is no text."""
        if isinstance(heard, Ping):
            if not self._closing:
                self._transport.write(pong_frame(heard.payload))
        elif isinstance(heard, Hangup):
            self._end(close_echo(heard.payload))
        elif isinstance(heard, Breach):
            self._end(close_frame(heard.code, heard.reason))
        elif heard is Noise.BINARY:
            self._connection.binary_received()

    def _end(self, last: bytes) -> None:
        """Close frames went both ways, or the client broke RFC 6455."""
        self._connection.peer_closed()
        if not self._closing:
            self.write_gathered()
            self._transport.write(last)
        self._closing = True
        self._transport.close()


def _parse_head(data: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers of a request head that uvicorn has parsed and put together again."""
    lines = data.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name, value = name.lower(), value.strip()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return method, target, headers


def _switching_protocols(upgrade: Upgrade, agreement: Agreement | None) -> bytes:
    """The answer that opens the socket. What it does not name is declined."""
    extensions = "" if agreement is None else f"sec-websocket-extensions: {agreement.answer}\r\n"
    return (
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        f"sec-websocket-accept: {upgrade.accept}\r\n{extensions}\r\n"
    ).encode()
