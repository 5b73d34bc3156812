"""Mounted applications: whole ASGI applications that answer requests inside an action worker.

Floor 3, `execution`. All of one process live in one event loop, which lasts: an application keeps its pools
and tasks there, and its lifespan runs around all of its requests.

    open(app) -> the loop's thread, `lifespan.startup` once -> run(work) of each request
    close()   -> `lifespan.shutdown` of each, then the loop ends

An application is started by the first request for it, so that one which nobody uses costs nothing. One that
has no lifespan says so by an exception; one that cannot start fails each request, and is tried again.

Not here: what a request looks like to it (`http_run.py`).
Source: the ASGI specification, "Lifespan Protocol".
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from rewake.errors import FunctionError
from rewake.observability import logger

_log = logger(__name__)

_SHUTDOWN_SECONDS = 5.0


class MountedAppFailed(FunctionError):
    """A mounted application could not start. Its log says why; the next request tries again."""

    code = "MountedAppFailed"
    template = "The mounted application could not start: {reason}"


class MountedApps:
    """The mounted applications of one process. Used from the threads of runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Made by the first `open`.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifespans: dict[Callable[..., Any], Future[_Lifespan]] = {}

    def open(self, app: Callable[..., Any]) -> dict[str, Any]:
        """Have an application running; returns the state of its lifespan, a copy for one request.

        Raises:
            MountedAppFailed: it cannot start.
        """
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="rewake mounted applications", daemon=True
                ).start()
            starting = self._lifespans.get(app)
            if starting is None:
                starting = asyncio.run_coroutine_threadsafe(_started(app), self._loop)
                self._lifespans[app] = starting
        try:
            return dict(starting.result().state)
        except BaseException:
            with self._lock:
                if self._lifespans.get(app) is starting:
                    del self._lifespans[app]
            raise

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` in the loop, and wait for it."""
        assert self._loop is not None, "applications are opened before they run"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            loop, self._loop = self._loop, None
            lifespans, self._lifespans = list(self._lifespans.values()), {}
        if loop is None:
            return
        for starting in lifespans:
            with suppress(Exception):
                lifespan = starting.result(_SHUTDOWN_SECONDS)
                asyncio.run_coroutine_threadsafe(lifespan.end(), loop).result(_SHUTDOWN_SECONDS)
        loop.call_soon_threadsafe(loop.stop)


class _Lifespan:
    """The lifespan of one application, from its start to its end."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.state: dict[str, Any] = {}
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._serve(app))

    async def begin(self) -> None:
        """Start the application.

        Raises:
            MountedAppFailed: it says that it cannot.
        """
        answer = await self._ask("lifespan.startup")
        if answer["type"] == "lifespan.startup.failed":
            raise MountedAppFailed(reason=answer.get("message") or "it gave no reason")

    async def end(self) -> None:
        """Shut it down, and wait until it has."""
        if self._task.done():
            return
        answer = await self._ask("lifespan.shutdown")
        if answer["type"] == "lifespan.shutdown.failed":
            _log.warning("a mounted application failed to shut down: %s", answer.get("message", ""))
        await self._task

    async def _ask(self, what: str) -> dict[str, Any]:
        self._said.put_nowait({"type": what})
        return await self._answers.get()

    async def _serve(self, app: Callable[..., Any]) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}

        async def send(message: Any) -> None:
            self._answers.put_nowait(message)

        try:
            await app(scope, self._said.get, send)
        except Exception as error:
            # The protocol's way to say that there is no lifespan; after a failure has been said, its echo.
            _log.debug("a mounted application has no lifespan: %s", error)
        self._answers.put_nowait({"type": "over"})


async def _started(app: Callable[..., Any]) -> _Lifespan:
    lifespan = _Lifespan(app)
    await lifespan.begin()
    return lifespan
