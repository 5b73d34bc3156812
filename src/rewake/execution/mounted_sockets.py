"""Mounted sockets: a websocket of a mounted application, at the application's end.

Floor 3, `execution`. The exchange of the request (`http_exchange.py`) looks like the websocket half of ASGI.

    websocket.connect ->  app -> websocket.accept         Head 101
                              `> websocket.close before    HungUp: the door refuses
    Part* of one message  ->  app -> websocket.send        Part*
    HungUp(code)          ->  websocket.disconnect         websocket.close -> HungUp(code)

An application that returns without a word closes normally. A message is bounded: it is held as a whole.

Not here: the door (`http_api/http_actions.py`), the loop of mounted applications (`mounted_apps.py`).
Source: the ASGI specification, "WebSocket"; RFC 6455, 7.4.
"""

from __future__ import annotations

from typing import Any

from rewake.errors import FunctionError
from rewake.execution.http_exchange import ExchangeEnd, Head, HttpRequestHead, HungUp, Part

_NORMAL, _TOO_BIG = 1000, 1009
_SUBPROTOCOL = b"sec-websocket-protocol"


class InvalidResponse(FunctionError):
    """A handler returned no response, or one that HTTP does not know."""

    code = "InvalidHttpResponse"


def asgi_scope(request: HttpRequestHead, *, root_path: str) -> dict[str, Any]:
    """The scope of a request; `root_path` is where its application is mounted."""
    scope: dict[str, Any] = {
        "type": "websocket" if request.is_websocket else "http",
        # 2.3: responses of Starlette listen for the client going away, also while they have nothing to send.
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.http_version,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query,
        "root_path": root_path,
        "headers": list(request.headers),
        "client": request.client,
        "server": request.server,
    }
    if request.subprotocols is None:
        return scope | {"method": request.method}
    return scope | {"subprotocols": list(request.subprotocols)}


class SocketEnd:
    """A websocket as ASGI: `scope`, `receive`, `send`."""

    def __init__(self, end: ExchangeEnd, request: HttpRequestHead, *, root_path: str, bytes_max: int) -> None:
        self._end = end
        self._bytes_max = bytes_max
        self._has_connected = False
        self._is_accepted = False
        # Set by `receive` or `send`, whichever closes it, for ever.
        self._closed: HungUp | None = None
        self.scope = asgi_scope(request, root_path=root_path)

    async def receive(self) -> dict[str, Any]:
        """The next message of ASGI."""
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        message, is_text = await self._message()
        if self._closed is not None:
            closed = self._closed
            return {"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason}
        # The door takes only text that is UTF-8.
        return {"type": "websocket.receive"} | ({"text": message.decode()} if is_text else {"bytes": message})

    async def _message(self) -> tuple[bytes, bool]:
        portions: list[bytes] = []
        size = 0
        while self._closed is None:
            item = await self._end.take()
            if isinstance(item, HungUp):
                self._closed = item
                break
            assert isinstance(item, Part), "an end with the application hears of parts only"
            self._end.use_up(item)
            size += len(item.data)
            if size > self._bytes_max:
                self._close(_TOO_BIG, "a message is too large")
                break
            portions.append(item.data)
            if item.is_last:
                return b"".join(portions), item.is_text
        return b"", False

    async def send(self, message: Any) -> None:
        """Take a message of ASGI.

        Raises:
            ClientGone: nobody takes it any more.
            InvalidResponse: it cannot come now.
        """
        kind = message["type"]
        if kind == "websocket.close" and self._closed is None:
            self._close(message.get("code") or _NORMAL, message.get("reason") or "")
        elif kind == "websocket.accept" and not self._is_accepted:
            self._is_accepted = True
            headers = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
            if message.get("subprotocol"):
                headers.append((_SUBPROTOCOL, message["subprotocol"].encode("latin-1")))
            self._end.begin(Head(101, tuple(headers)))
        elif kind == "websocket.send" and self._is_accepted:
            text = message.get("text")
            data = message.get("bytes") or b"" if text is None else text.encode()
            await self._end.send(data, is_last=True, is_text=text is not None)
        elif self._closed is None:
            raise InvalidResponse(f"The application of a websocket sent {kind} where it cannot come.")

    async def finish(self) -> None:
        """The application has returned.

        Raises:
            InvalidResponse: it neither accepted nor refused.
        """
        if self._closed is not None or self._end.is_cut:
            return
        if not self._is_accepted:
            raise InvalidResponse("The application ended before it accepted or closed the websocket.")
        self._close(_NORMAL, "")

    def _close(self, code: int, reason: str) -> None:
        self._closed = HungUp(code, reason)
        self._end.hang_up(code, reason)
