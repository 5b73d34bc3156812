"""The door of mounted applications' websockets.

Floor 6, `http_api`. The request was matched and its caller is known (`http_actions.py`); from here on
messages go to and fro, each held back by whoever is slower.

    pump:  websocket.receive -> Part      websocket.disconnect -> HungUp(code)
    serve: Head -> websocket.accept       Part* -> websocket.send       HungUp(code) -> websocket.close
    the application fails: before the head 500, behind it the socket is closed with 1011

Not here: the application's end (`execution/mounted_sockets.py`), sockets of the sync protocol (`sync`).
Source: the ASGI specification, "WebSocket" and "WebSocket Denial Response"; RFC 6455, 7.4.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from rewake.errors import RewakeError
from rewake.execution import ClientGone, ExchangeEnd, Failure, Head, HungUp, Part, Success

_INTERNAL_ERROR, _AWAY = 1011, 1006
_REASON_BYTES_MAX = 123
_DENIAL = "websocket.http.response"
_SUBPROTOCOL = b"sec-websocket-protocol"


async def refuse_socket(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the request for a websocket with `response`, where the server below can; else it says 403."""
    await receive()  # websocket.connect
    await _deny(response, scope, send)


async def _deny(response: Response, scope: Scope, send: Send) -> None:
    if _DENIAL not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    start = {"status": response.status_code, "headers": response.raw_headers}
    await send({"type": f"{_DENIAL}.start"} | start)
    await send({"type": f"{_DENIAL}.body", "body": response.body})


class SocketDoor:
    """One websocket, at the door."""

    def __init__(
        self,
        door: ExchangeEnd,
        acting: asyncio.Future[Success | Failure],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._door = door
        self._acting = acting
        self._scope = scope
        self._receive = receive
        self._send = send

    async def pump(self) -> None:
        """Hand the client's messages on, then tell that it goes away."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._door.hang_up(message.get("code") or _AWAY, message.get("reason") or "")
                return
            if message["type"] == "websocket.connect":
                continue
            text = message.get("text")
            data = message.get("bytes") or b"" if text is None else text.encode()
            try:
                await self._door.send(data, is_last=True, is_text=text is not None)
            except ClientGone:
                return  # The application has closed it.

    async def serve(self, request_id: str) -> None:
        """Send what the application says, until either end closes it."""
        is_accepted, portions = False, list[bytes]()
        while True:
            item = await self._door.take()
            if isinstance(item, Head):
                is_accepted = True
                await self._send({"type": "websocket.accept"} | _accepted(item))
            elif isinstance(item, Part):
                portions.append(item.data)
                if item.is_last:
                    data, portions = b"".join(portions), []
                    said = {"text": data.decode()} if item.is_text else {"bytes": data}
                    await self._send({"type": "websocket.send"} | said)
                self._door.use_up(item)
            elif isinstance(item, HungUp):
                await self._close(item.code, item.reason)
                return
            else:
                if not self._door.is_cut:
                    await self._fail(request_id, is_accepted=is_accepted)
                return

    async def _close(self, code: int, reason: str) -> None:
        fitting = reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
        await self._send({"type": "websocket.close", "code": code, "reason": fitting})

    async def _fail(self, request_id: str, *, is_accepted: bool) -> None:
        """The application came to an end without closing: it failed, or it did not begin."""
        said, status = f"[Request ID: {request_id}] Server Error", 500
        error = self._acting.exception()
        if isinstance(error, RewakeError):
            said, status = error.message, error.status
        if is_accepted:
            await self._close(_INTERNAL_ERROR, said)
        else:
            await _deny(PlainTextResponse(said, status), self._scope, self._send)


def _accepted(head: Head) -> dict[str, Any]:
    headers = [(name, value) for name, value in head.headers if name != _SUBPROTOCOL]
    chosen = next((value.decode("latin-1") for name, value in head.headers if name == _SUBPROTOCOL), None)
    return {"headers": headers, "subprotocol": chosen}
