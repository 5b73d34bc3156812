"""The door of HTTP actions: requests of the world to an application's own routes.

Floor 6, `http_api`. At the site's own port, and under `/http` of the API's. What is asked and answered is the
application's: no CORS headers, no shapes of ours, and a request body is nothing but bytes. Both bodies pass
through in portions, each held back by whoever is slower.

    request -> route? -> who calls -> HttpJob -> Backend.answer
                404                      | pump: receive() -> Part   until the client hangs up
                                         `  Head, Part -> send()     until the last one
    a failure before the head: 500 {"code", "trace", "data"}; behind it the connection is cut, unless the
    client did so itself, which is no failure of anybody

Not here: running handlers (`execution/http_run.py`), messages of mounted websockets (`mounted_sockets.py`).
Source: semantics 6.7; wire 4.4.
"""

from __future__ import annotations

import asyncio
import json
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from rewake.auth import ANONYMOUS, Identity
from rewake.errors import InvalidInput, RewakeError
from rewake.execution import (
    CalledFrom,
    ClientGone,
    ExchangeEnd,
    Failure,
    Head,
    HttpJob,
    HttpRequestHead,
    Over,
    Part,
    Success,
)
from rewake.http_api.authorization import permit_call
from rewake.http_api.errors import ResponseCut
from rewake.http_api.mounted_sockets import SocketDoor, refuse_socket
from rewake.http_api.ports import HttpActionsBackend
from rewake.http_api.request_id import request_id_of
from rewake.http_api.request_source import source_of

NOT_ENABLED = "This Convex deployment does not have HTTP actions enabled."
NO_ROUTE = "No matching routes found"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class _Client(NamedTuple):
    """Who asked, as ASGI knows it."""

    scope: Scope
    receive: Receive
    send: Send
    pump: asyncio.Future[None]
    """Done once the client hung up."""


class HttpActions:
    """An ASGI application: the routes of one deployment, below the path `prefix`."""

    def __init__(self, backend: HttpActionsBackend, *, prefix: str = "") -> None:
        self._backend = backend
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one websocket of a mounted application.

        Raises:
            ResponseCut: the response had begun when the handler failed.
            RateLimited: as many actions run as the server takes.
        """
        backend, request = self._backend, self._head_of(scope)
        refusal = self._refusal(request)
        if refusal is not None:
            if request.is_websocket:
                await refuse_socket(refusal, scope, receive, send)
            else:
                await refusal(scope, receive, send)
            return
        identity, why = await self._caller(scope, request.path)
        request_id = request_id_of(scope, backend.environment)
        door = ExchangeEnd()
        door.attach()
        source = source_of(scope, backend.limits, CalledFrom.HTTP_ENDPOINT)
        job = HttpJob.of(request, identity, request_id=request_id, refusal=why, door=door, source=source)
        acting = asyncio.ensure_future(backend.answer(job))
        acting.add_done_callback(lambda _: door.hear(Over()))
        if request.is_websocket:
            socket = SocketDoor(door, acting, scope, receive, send)
            pump, serving = asyncio.ensure_future(socket.pump()), socket.serve(request_id)
        else:
            pump = asyncio.ensure_future(_pump(receive, door))
            client = _Client(scope, receive, send, pump)
            serving = self._respond(acting, door, request_id, client)
        try:
            await serving
        finally:
            pump.cancel()
            door.hang_up()
            if acting.done() and not acting.cancelled():
                acting.exception()  # Whatever it is, it was told above, or nobody is left to hear it.

    def _refusal(self, request: HttpRequestHead) -> Response | None:
        analysis = self._backend.analysis
        if analysis.routes is None:
            return PlainTextResponse(NOT_ENABLED, 404)
        route = analysis.find_route(request.path, request.method)
        if request.is_websocket:
            # Only whole applications speak it.
            is_taken = route is not None and route.method == "*"
            return None if is_taken else PlainTextResponse(NO_ROUTE, 404)
        if route is not None:
            return None
        if request.method not in METHODS:
            return PlainTextResponse("Method Not Allowed", 405, {"allow": ", ".join(sorted(METHODS))})
        return PlainTextResponse(NO_ROUTE, 404)

    async def _caller(self, scope: Scope, request_path: str) -> tuple[Identity, str | None]:
        """Who calls, and why that cannot be said: a bad token does not refuse the request."""
        header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        text = None if header is None else header.decode("latin-1")
        try:
            identity = await self._backend.authenticate_header(text)
            # A handler is a function, which acts as whom the key names.
            permit_call(identity, request_path, "action")
            return identity, None
        except InvalidInput:
            # Another scheme, such as Basic: between the client and the handler, and none of our business.
            return ANONYMOUS, None
        except RewakeError as error:
            return ANONYMOUS, error.message

    def _head_of(self, scope: Scope) -> HttpRequestHead:
        """The request as the site's own origin would have had it."""
        left_out = scope.get("root_path", "") + self._prefix
        raw = scope.get("raw_path") or scope["path"].encode()
        headers = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
        scheme, server = str(scope.get("scheme", "http")), scope.get("server")
        site = self._backend.site_url
        if self._prefix and site:
            parts = urlsplit(site)
            scheme, server = parts.scheme, (parts.hostname or "", parts.port)
            if scope["type"] == "websocket":
                scheme = {"http": "ws", "https": "wss"}[scheme]
            host = (b"host", parts.netloc.encode())
            headers = (host, *(header for header in headers if header[0] != b"host"))
        client = scope.get("client")
        is_websocket = scope["type"] == "websocket"
        return HttpRequestHead(
            method="GET" if is_websocket else scope["method"],
            scheme=scheme,
            path=scope["path"].removeprefix(left_out) or "/",
            raw_path=raw.removeprefix(left_out.encode()) or b"/",
            query=scope["query_string"],
            headers=headers,
            client=None if client is None else (str(client[0]), int(client[1])),
            server=None if server is None else (str(server[0]), server[1]),
            http_version=scope.get("http_version", "1.1"),
            subprotocols=tuple(scope.get("subprotocols", ())) if is_websocket else None,
        )

    async def _respond(
        self, acting: asyncio.Future[Success | Failure], door: ExchangeEnd, request_id: str, client: _Client
    ) -> None:
        send = client.send
        has_begun = False
        while True:
            item = await door.take()
            if isinstance(item, Head):
                has_begun = True
                headers = [(name, value) for name, value in item.headers]
                await send({"type": "http.response.start", "status": item.status, "headers": headers})
            elif isinstance(item, Part):
                await send({"type": "http.response.body", "body": item.data, "more_body": not item.is_last})
                door.use_up(item)
                if item.is_last:
                    return
            elif isinstance(item, Over):
                result = acting.result()
                if has_begun and client.pump.done():
                    return
                if has_begun:
                    raise ResponseCut(
                        f"[Request ID: {request_id}] {client.scope['method']} {client.scope['path']}"
                    )
                failure = result if isinstance(result, Failure) else Failure("The client went away.\n")
                response = failure_response(
                    failure, request_id=request_id, is_redacted=self._backend.is_redacted
                )
                await response(client.scope, client.receive, send)
                return


def failure_response(failure: Failure, *, request_id: str, is_redacted: bool) -> Response:
    """What a client reads when a handler failed before its response had begun."""
    head = f"[Request ID: {request_id}] Server Error"
    said: dict[str, object] = {"code": head}
    if not is_redacted:
        text = failure.message.removesuffix("\n")
        said = {"code": f"{head}: {text.partition(chr(10))[0].removeprefix('Uncaught ')}", "trace": text}
    if failure.data is not None:
        said["data"] = msgspec.json.decode(failure.data)
    return Response(json.dumps(said).encode(), 500, media_type="application/json")


async def _pump(receive: Receive, door: ExchangeEnd) -> None:
    """Hand the body of the request on, then tell when the client goes away."""
    is_read = False
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            door.hang_up()
            return
        if is_read:
            continue
        is_read = not message.get("more_body", False)
        try:
            await door.send(message.get("body", b""), is_last=is_read)
        except ClientGone:
            return
