"""A project with HTTP actions behind a listening server, run by threads or by worker processes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.execution import Template, WorkerPlan, load_project, read_settings
from rewake.limits import Limits
from rewake.loop_thread import LoopThread
from rewake.server import Server

KEY = "site|00ff"
MESSAGES = """
    from rewake import Document, MutationCtx, QueryCtx, mutation, query

    class Note(Document, table="notes"):
        text: str

    @query
    def texts(ctx: QueryCtx) -> list[str]:
        return [note.text for note in ctx.db.query(Note).collect()]

    @mutation
    def add(ctx: MutationCtx, text: str) -> None:
        ctx.db.insert(Note(text=text))
"""


class Site:
    """A server that listens, and clients for it."""

    def __init__(self, loop: LoopThread, deployment: Deployment, server: Server) -> None:
        self.loop = loop
        self.deployment = deployment
        self.server = server
        self.url = server.url
        assert deployment.site_url is not None
        self.site_url: str = deployment.site_url

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, self.site_url + path, timeout=60, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def query(self, path: str, **args: Any) -> Any:
        answer = httpx.post(f"{self.url}/api/query", json={"path": path, "args": args}, timeout=60).json()
        return answer["value"]

    def connect(self) -> socket.socket:
        """A plain connection to the site's port."""
        _, _, address = self.site_url.partition("://")
        host, _, port = address.partition(":")
        return socket.create_connection((host, int(port)), timeout=60)


@contextmanager
def site_of(
    root: Path, *, workers: bool, limits: Limits | None = None, is_redacted: bool = False, **modules: str
) -> Iterator[Site]:
    """Serve a project of these modules."""
    folder = root / "backend"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))
    settings, loop = read_settings(root), LoopThread("rewake-testing")

    async def opened() -> tuple[Deployment, Server]:
        plan = WorkerPlan(await Template.load(settings), 1) if workers else None
        deployment = await Deployment.open(
            data=root / "data.sqlite3",
            registry=None if workers else load_project(settings),
            workers=plan,
            name="site",
            version="1",
            admin_key=AdminKey(KEY),
            limits=limits or Limits(),
            is_redacted=is_redacted,
        )
        server = Server(deployment, port=0, site_port=0)
        await server.start()
        return deployment, server

    async def closed(deployment: Deployment, server: Server) -> None:
        await server.stop()
        await deployment.close()

    deployment, server = loop.run(opened())
    try:
        yield Site(loop, deployment, server)
    finally:
        loop.run(closed(deployment, server))
        loop.close()
