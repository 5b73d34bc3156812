"""The HTTP run: one request answered by its handler, or by a mounted application.

Floor 3, `execution`. A run of an action (`action_run.py`) whose arguments are a request and whose result is a
response, both of them streams. Inside, the exchange looks like ASGI, so a handler's `Response` and a whole
application are the same thing.

    async def        an event loop of the run's own       Request
    def              the run's thread                     BlockingRequest, which waits in that loop
    mounted          the loop of all mounted applications (`mounted_apps.py`)

A failure before the head of the response went out is told to the door, which has the words for it; later
the stream is cut. A client that goes away is no failure: the handler reads `http.disconnect`, or gets
`ClientGone` where it sends.

Not here: windows and events (`http_exchange.py`), status codes of failures (`http_api/http_actions.py`).
Source: semantics 6.7, 5.8; the ASGI specification, "HTTP Connection Scope".
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocketDisconnect

from rewake.auth import Identity
from rewake.errors import FunctionError, Unauthenticated
from rewake.execution.action_run import ActionFace, ActionRun
from rewake.execution.http_exchange import (
    ClientGone,
    ExchangeEnd,
    Head,
    HttpJob,
    HttpRequestHead,
    HungUp,
    Part,
)
from rewake.execution.mounted_apps import MountedApps
from rewake.execution.mounted_sockets import InvalidResponse, SocketEnd, asgi_scope
from rewake.execution.output import collecting
from rewake.functions import (
    BLOCKING_CONTEXT_KEY,
    CONTEXT_KEY,
    ActionCtx,
    BlockingActionCtx,
    FunctionMetadata,
    HttpRoute,
)
from rewake.functions.blocking_request import BlockingRequest
from rewake.limits import Limits

NO_ROUTE = "No matching routes found"

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_MIB = 1 << 20


class HttpBodyTooLarge(FunctionError):
    """The body of this request is larger than may be held in memory. Read it as a stream."""

    code = "HttpBodyTooLarge"
    template = (
        "HTTP actions hold request bodies up to {limit:g} MiB in memory. Read `request.stream()` instead."
    )


class HttpResponseTooLarge(FunctionError):
    """A response that is made as a whole is too large. Return a StreamingResponse."""

    code = "HttpResponseTooLarge"
    template = "HttpResponseTooLarge: HTTP actions support responses up to {limit:g} MiB"


class _TokenRefused(FunctionError):
    """The token of the request was not accepted, so it does not say who calls."""

    code = Unauthenticated.code


class HttpRun(ActionRun):
    """One HTTP action."""

    def __init__(
        self, job: HttpJob, *args: Any, end: ExchangeEnd, mounted: MountedApps, **named: Any
    ) -> None:
        super().__init__(job, *args, **named)
        self.is_http = True
        self.request = job.request
        self.refusal = job.refusal
        self._end = end
        self._mounted = mounted

    def _answered(self, status: int) -> None:
        self.status = status

    def _carry_out(self) -> str:
        request, router = self.request, self.registry.http
        route = None if router is None else router.lookup(request.path, request.method)
        if route is not None:
            self.path = f"{request.method} {route.shown_path}"
        face = _HttpFace(self, _metadata(self.path))
        try:
            with collecting(self.log_lines), _quiet_once_gone(self._end):
                if request.is_websocket:
                    self._run_socket(face, route)
                    return "null"
                asgi = _Asgi(self._end, request, route, limits=self.limits, began=self._answered)
                if route is None:
                    self._run_async(face, lambda: asgi.answer(PlainTextResponse(NO_ROUTE, 404)))
                elif route.is_mount:
                    self._run_mounted(face, asgi, route)
                elif inspect.iscoroutinefunction(route.handler):
                    self._run_async(face, lambda: _answer(asgi, route, ActionCtx(face)))
                else:
                    self._run_blocking(face, asgi, route)
        finally:
            face.is_open = False
        return "null"

    def _run_async(self, face: ActionFace, work: Callable[[], Awaitable[Any]]) -> None:
        async def attached() -> None:
            self._end.attach()
            await work()

        with asyncio.Runner() as runner:
            runner.run(self.until_stopped(face, attached))

    def _run_blocking(self, face: ActionFace, asgi: _Asgi, route: HttpRoute) -> None:
        with asyncio.Runner() as runner:

            def wait(work: Awaitable[Any]) -> Any:
                async def awaited() -> Any:
                    return await work

                return runner.run(self.until_stopped(face, awaited))

            async def attach() -> None:
                self._end.attach()

            wait(attach())
            response = route.handler(BlockingActionCtx(face), BlockingRequest(asgi.open_request(), wait))
            wait(asgi.answer(_checked(response, route)))

    def _run_socket(self, face: ActionFace, route: HttpRoute | None) -> None:
        if route is None or not route.is_mount:
            # New code has taken the route away since the door looked.
            self._end.hang_up()
            return
        root_path, most = route.path.rstrip("/"), self.limits.http_action_body_bytes_max
        self._run_mounted(
            face, SocketEnd(self._end, self.request, root_path=root_path, bytes_max=most), route
        )

    def _run_mounted(self, face: ActionFace, asgi: _Asgi | SocketEnd, route: HttpRoute) -> None:
        scope = asgi.scope
        scope[CONTEXT_KEY], scope[BLOCKING_CONTEXT_KEY] = ActionCtx(face), BlockingActionCtx(face)

        async def attached() -> None:
            self._end.attach()
            await route.handler(scope, asgi.receive, asgi.send)
            await asgi.finish()

        scope["state"] = self._mounted.open(route.handler)
        self._mounted.run(self.until_stopped(face, attached))


class _HttpFace(ActionFace):
    """What `ctx` of an HTTP action holds of its run."""

    def __init__(self, run: HttpRun, metadata: FunctionMetadata) -> None:
        super().__init__(run, metadata)
        self._refusal = run.refusal

    def read_identity(self) -> Identity:
        if self._refusal is not None:
            raise _TokenRefused(self._refusal)
        return super().read_identity()


def _metadata(shown: str) -> FunctionMetadata:
    return FunctionMetadata(name=shown, component_path="", type="action", visibility="public")


async def _answer(asgi: _Asgi, route: HttpRoute, ctx: ActionCtx) -> None:
    response = await route.handler(ctx, asgi.open_request())
    await asgi.answer(_checked(response, route))


def _checked(response: object, route: HttpRoute) -> Response:
    if not isinstance(response, Response):
        raise InvalidResponse(
            f"The HTTP action {route.handler.__name__} must return a Response of Starlette; got {response!r}."
        )
    return response


@contextmanager
def _quiet_once_gone(end: ExchangeEnd) -> Iterator[None]:
    """A handler that ends because its client went away has not failed."""
    try:
        yield
    except Exception as error:
        if not (end.is_cut and _is_about_client(error)):
            raise


def _is_about_client(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_about_client(inner) for inner in error.exceptions)
    return isinstance(error, ClientGone | ClientDisconnect | WebSocketDisconnect)


class _BoundedRequest(Request):
    """Starlette's request, which holds no more than a bound in memory."""

    bytes_max: int

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            portions, size = [], 0
            async for portion in self.stream():
                size += len(portion)
                if size > self.bytes_max:
                    raise HttpBodyTooLarge(limit=self.bytes_max / _MIB)
                portions.append(portion)
            self._body = b"".join(portions)
        return self._body


class _Asgi:
    """The handler's end of an exchange as ASGI: `scope`, `receive`, `send`."""

    def __init__(
        self,
        end: ExchangeEnd,
        request: HttpRequestHead,
        route: HttpRoute | None,
        *,
        limits: Limits,
        began: Callable[[int], None],
    ) -> None:
        """`began` hears of the status of the response."""
        self._end = end
        self._began = began
        self.limits = limits
        self._is_mounted = route is not None and route.is_mount
        self._has_no_body = not self._is_mounted and request.method in _WITHOUT_BODY
        self._drops_body = not self._is_mounted and request.method == "HEAD"
        # The body of the request came in whole, or there is none.
        self._is_read = False
        # From `http.response.start` until the head goes out with the first portion of the body.
        self._head: Head | None = None
        self._has_begun = False
        self._is_complete = False
        root_path = route.path.rstrip("/") if route is not None and self._is_mounted else ""
        self.scope = asgi_scope(request, root_path=root_path)

    def open_request(self) -> Request:
        """The request as handlers take it."""
        request = _BoundedRequest(self.scope, self.receive)
        request.bytes_max = self.limits.http_action_body_bytes_max
        return request

    async def answer(self, response: Response) -> None:
        """Send a response whole."""
        await response(self.scope, self._gone, self.send)
        await self.finish()

    async def finish(self) -> None:
        """Nothing is sent any more.

        Raises:
            InvalidResponse: the response is not complete.
        """
        if not self._is_complete and not self._end.is_cut:
            raise InvalidResponse("The application ended before its response was complete.")

    async def receive(self) -> dict[str, Any]:
        """The next message of ASGI."""
        if self._has_no_body and not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while not self._end.is_cut:
            item = await self._end.take()
            if isinstance(item, HungUp):
                break
            assert isinstance(item, Part), "an end with the handler hears of parts only"
            self._end.use_up(item)
            if not self._is_read:
                self._is_read = item.is_last
                return {"type": "http.request", "body": item.data, "more_body": not item.is_last}
        return {"type": "http.disconnect"}

    async def _gone(self) -> dict[str, Any]:
        """What the response of a handler is told: all that comes before is for the handler, which may read on
        while it sends.
        """
        await self._end.gone()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take a message of ASGI.

        Raises:
            ClientGone: nobody takes it any more.
        """
        if message["type"] == "http.response.start":
            status = message["status"]
            if not 200 <= status <= 599:
                raise InvalidResponse(f"A response has a status from 200 to 599; got {status}.")
            headers = tuple((bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ()))
            self._head = Head(status, headers)
            self._began(status)
        elif message["type"] == "http.response.body":
            data, has_more = message.get("body", b""), message.get("more_body", False)
            self._begin(len(data), has_more=has_more)
            if self._drops_body:
                data, has_more = b"", False
            if not self._is_complete:
                await self._end.send(data, is_last=not has_more)
            if not has_more:
                self._is_complete = True
                self._end.cut()

    def _begin(self, size: int, *, has_more: bool) -> None:
        if self._has_begun:
            return
        assert self._head is not None, "a body follows a start"
        most = self.limits.http_action_body_bytes_max
        if not has_more and not self._is_mounted and size > most:
            raise HttpResponseTooLarge(limit=most / _MIB)
        self._has_begun = True
        self._end.begin(self._head)
