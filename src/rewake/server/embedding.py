"""Rewake inside another application: a project as one ASGI application.

Floor 7, `server`. For FastAPI, Starlette and whatever else mounts ASGI applications:

    rewake = asgi_app("path/of/project", data="data.sqlite3")
    app.mount("/rewake", rewake)                 clients connect to https://example.com/rewake

The lifespan of a mounted application is not run by the one around it, so the deployment is opened by the
first request or socket; functions run in worker processes, as under `rewake serve`. `await rewake.close()`,
in the lifespan of the application around it, ends it in order. Without it the processes end with the server,
and nothing that was acknowledged is lost. As the outermost application it closes by its own lifespan.

Not here: our own process (`process.py`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import TracebackType

from starlette.types import ASGIApp, Receive, Scope, Send

from rewake.auth import AdminKey, new_admin_key
from rewake.deployment import Deployment
from rewake.environment import process_environment
from rewake.errors import Unavailable
from rewake.execution import (
    Template,
    WorkerPlan,
    limits_from_environment,
    load_project,
    read_settings,
)
from rewake.server.application import build_application
from rewake.sync import SyncDoor
from rewake.version import VERSION

_KEY_VARIABLE = "REWAKE_ADMIN_KEY"


class EmbeddedClosed(Unavailable):
    """The application around Rewake is stopping."""

    code = "ServerStopping"
    template = "The server is stopping. Try again in a moment."


class EmbeddedApp:
    """A project as an ASGI application. Lives in one event loop."""

    def __init__(self, project: Path | str, *, data: Path | str, readers: int, admin_key: str | None) -> None:
        self._project = Path(project)
        self._data = data
        self._readers = readers
        self._admin_key = admin_key
        self._starting = asyncio.Lock()
        self._is_closed = False
        # Set by the first request, cleared by `close`.
        self._app: ASGIApp | None = None
        self._door: SyncDoor | None = None
        self.deployment: Deployment | None = None
        """What serves; None before `start` and after `close`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, a socket, or a lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._app is None:
            await self.start()
        assert self._app is not None
        await self._app(scope, receive, send)

    async def start(self) -> None:
        """Open the data with the project's code; harmless when it is open. Requests do this by themselves.

        Raises:
            RewakeError: the project cannot be loaded, or the data cannot be opened.
        """
        async with self._starting:
            if self._is_closed:
                raise EmbeddedClosed()
            if self._app is None:
                deployment = await self._open()
                self._door = SyncDoor(
                    deployment,
                    limits=deployment.limits,
                    redacted=deployment.is_redacted,
                    tallies=deployment.tallies,
                )
                self.deployment = deployment
                self._app = build_application(deployment, self._door, turnstile=self._door.turnstile)

    async def close(self) -> None:
        """Close sockets with a reason that makes clients come again, finish what was begun, and give the data
        file up. Harmless when done before.
        """
        async with self._starting:
            self._is_closed = True
            deployment, door = self.deployment, self._door
            self._app = self.deployment = self._door = None
            if door is not None:
                door.close_all()
                await door.drained()
            if deployment is not None:
                await deployment.close()

    async def __aenter__(self) -> EmbeddedApp:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> Deployment:
        settings = await asyncio.to_thread(read_settings, self._project)
        limits = limits_from_environment(os.environ, base=settings.limits)
        environment = process_environment()
        template = await Template.load(settings) if self._readers else None
        name, is_open = settings.deployment_name, False
        key = self._admin_key or os.environ.get(_KEY_VARIABLE, "").strip()
        try:
            deployment = await Deployment.open(
                data=self._data,
                registry=None if template else await asyncio.to_thread(load_project, settings),
                workers=WorkerPlan(template, self._readers) if template else None,
                name=name,
                version=VERSION,
                # Without a key nobody is an administrator.
                admin_key=AdminKey(key) if key else new_admin_key(name, environment),
                environment=environment,
                limits=limits,
            )
            is_open = True
            return deployment
        finally:
            if template is not None and not is_open:
                await template.end()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            what = (await receive())["type"]
            if what == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
            else:
                await self.close()
            await send({"type": f"{what}.complete"})
            if what == "lifespan.shutdown":
                return


def asgi_app(
    project: Path | str, *, data: Path | str, readers: int = 1, admin_key: str | None = None
) -> EmbeddedApp:
    """The project at `project` with its data in the file `data`, to mount in another application.

    `readers` worker processes run queries; with 0 all functions run in this process. `admin_key` is
    `REWAKE_ADMIN_KEY` where it is left out.
    """
    return EmbeddedApp(project, data=data, readers=readers, admin_key=admin_key)
