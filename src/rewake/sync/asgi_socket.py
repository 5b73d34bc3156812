"""The other driver: sync sockets over plain ASGI.

Floor 6, `sync`. For mounting into FastAPI, Starlette or Django, under any server. ASGI has no ping frames, no
fragments and no view of the write buffer: the server below keeps the connection alive, a queue stands for the
buffer, and messages above 16 MiB do not reach clients of the Rust family (`uvicorn_socket.py` has none of
these bounds).

    receive --> Connection --> queue --> one sender task --> send
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from rewake.errors import InvalidInput, RewakeError
from rewake.execution import CalledFrom, RequestSource
from rewake.protocol import ClientVersion
from rewake.sync.broadcast import SharedText
from rewake.sync.closing import NORMAL_CODE
from rewake.sync.drivers import Door, session_lane
from rewake.sync.socket import Writer
from rewake.sync.upgrade import SyncPath, check_client, check_upgrade, refusal_body, sync_path

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_TOO_BIG_CODE = 1009
_REFUSAL_HEADERS = [(b"content-type", b"application/json")]


async def serve_sync(door: Door, scope: Scope, receive: Receive, send: Send) -> bool:
    """Serve a request for the sync endpoint. False when `scope` is for something else, and is untouched."""
    if scope["type"] not in ("websocket", "http"):
        return False
    root_path = scope.get("root_path", "").rstrip("/")
    prefixes = (*door.prefixes, root_path) if root_path else door.prefixes
    path = sync_path(scope["path"], prefixes=prefixes)
    if path is None:
        return False
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    if scope["type"] == "http":
        await _refuse_plain_request(scope["method"], headers, path, send)
        return True
    await receive()  # websocket.connect
    peer = scope.get("client")
    try:
        client = check_client(headers, path)
        # Who is behind a proxy was found out by the server below.
        place = door.admission.admit(peer[0] if peer else "", headers)
    except RewakeError as refusal:
        await _refuse_socket(scope, refusal, send)
        return True
    try:
        await send({"type": "websocket.accept"})
        user_agent = headers.get("user-agent")
        source = RequestSource.of(
            ip=place.caller, user_agent=user_agent, limits=door.limits, called_from=CalledFrom.SYNC_WORKER
        )
        await _AsgiSocket(door, client, source, receive, send).run()
    finally:
        place.leave()
    return True


class _AsgiSocket:
    """One sync socket on a pair of ASGI callables. The `Socket` of its connection."""

    def __init__(
        self, door: Door, client: ClientVersion, source: RequestSource, receive: Receive, send: Send
    ) -> None:
        self._limits = door.limits
        self._receive = receive
        self._send = send
        self._queue: deque[tuple[Message, int]] = deque()
        self._unsent = 0
        """Bytes in the queue, and in the message that is being sent."""
        self._has_work = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_over = asyncio.Event()  # Set when the last message was sent, or abort was called.
        self._turnstile = door.turnstile
        self._lane = session_lane(self)
        self._connection = door.connect(self, client, source, watches_frames=False)

    async def run(self) -> None:
        """Carry messages both ways until either side ends it."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        end = asyncio.create_task(self._is_over.wait())
        tasks = {reader, writer, end}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._connection.lost()

    async def _read(self) -> None:
        while True:
            await self._may_read.wait()
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            if not self._turnstile.has_room():
                await self._turnstile.turn_of(self._lane)
            text = message.get("text")
            if text is None:
                self._connection.binary_received()
            elif len(text) > self._limits.socket_message_bytes_max:
                self._connection.peer_closed()
                self._put({"type": "websocket.close", "code": _TOO_BIG_CODE}, 0)
            else:
                self._connection.text_received(text)

    async def _write(self) -> None:
        while True:
            while self._queue:
                message, size = self._queue.popleft()
                await self._send(message)
                self._unsent -= size
                if message["type"] == "websocket.close":
                    self._is_over.set()
                    return
                self._connection.unsent_changed()
            self._has_work.clear()
            await self._has_work.wait()

    def _put(self, message: Message, size: int) -> None:
        self._queue.append((message, size))
        self._unsent += size
        self._has_work.set()

    # What the connection calls.

    def write_text(self, parts: Sequence[bytes], size: int, *, waits: bool = False) -> None:
        self._put({"type": "websocket.send", "text": b"".join(parts).decode()}, size)

    def write_shared(self, text: SharedText, skew: bytes) -> bool:
        self.write_text(text.parts(skew), text.size)
        return self.holds_unsent

    def unison(self) -> tuple[Writer, int] | None:
        return None  # What it writes goes through a queue of its own.

    def wrote_shared(self, *, wire: int, plain: int) -> None:
        raise AssertionError("nobody writes past this socket")

    @property
    def holds_unsent(self) -> bool:
        return self._unsent > 0

    def write_ping(self) -> None:
        pass  # ASGI has no ping frames; the server below sends its own.

    def unsent_bytes(self) -> int:
        return self._unsent

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def close(self, code: int | None, reason: str) -> None:
        # ASGI cannot leave the status out.
        code = NORMAL_CODE if code is None else code
        self._put({"type": "websocket.close", "code": code, "reason": reason}, 0)

    def abort(self) -> None:
        self._is_over.set()


async def _refuse_plain_request(method: str, headers: dict[str, str], path: SyncPath, send: Send) -> None:
    """Answer a request that did not ask for a websocket, or asked in a way the server below did not take."""
    try:
        check_upgrade(method, headers, path)
    except InvalidInput as refusal:
        body = refusal_body(refusal)
    else:
        body = b'{"code":"InvalidUpgradeHeader","message":"This server cannot open a websocket here"}'
    length = str(len(body)).encode()
    start_headers = [*_REFUSAL_HEADERS, (b"content-length", length)]
    await send({"type": "http.response.start", "status": 400, "headers": start_headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse_socket(scope: Scope, refusal: RewakeError, send: Send) -> None:
    """Refuse an upgrade; with a body where the server below can send one, else with its bare 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    body = refusal_body(refusal)
    start = {"type": "websocket.http.response.start", "status": refusal.status, "headers": _REFUSAL_HEADERS}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})
