"""Rewake mounted in somebody's FastAPI application, under uvicorn, with official clients at the door.

The application around it runs no lifespan of ours, so the first client starts everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from rewake.loop_thread import LoopThread
from rewake.server import EmbeddedApp, asgi_app, bind
from tests.clients.client_host import ClientHost
from tests.clients.server_process import PROJECT

pytestmark = pytest.mark.clients


@contextmanager
def served(embedded: EmbeddedApp, *, closes: bool) -> Iterator[str]:
    """A FastAPI application with `embedded` at `/rewake`, under uvicorn; gives its address."""
    host = FastAPI()

    @host.get("/own")
    def own() -> str:
        return "of the application around"

    host.mount("/rewake", embedded)
    loop, listening = LoopThread("rewake-testing"), bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(host, log_config=None, timeout_graceful_shutdown=5))

    async def serve() -> None:
        # Without uvicorn's signal handlers, which want the main thread.
        await server._serve([listening])
        if closes:
            await embedded.close()

    serving = loop.begin(serve())
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        serving.result(30)
        loop.close()


def test_the_npm_client_works_through_the_mount(npm: ClientHost, tmp_path: Path) -> None:
    embedded = asgi_app(PROJECT, data=tmp_path / "data.sqlite3")
    with served(embedded, closes=True) as url:
        assert httpx.get(f"{url}/own").json() == "of the application around"
        assert embedded.deployment is None, "nothing is started before somebody asks"
        client = npm.open(f"{url}/rewake")
        counter = client.subscribe("counters:get", {"name": "a"})
        counter.wait_value(lambda value: value == 0)
        assert client.mutation("counters:increment", {"name": "a"}) == 1
        assert counter.values[-1] == 1
        answer = httpx.post(
            f"{url}/rewake/api/query", json={"path": "counters:get", "args": {"name": "a"}}, timeout=60
        )
        assert answer.json()["value"] == 1
        assert httpx.get(f"{url}/rewake/http/x").status_code == 404
    assert embedded.deployment is None
    # What was acknowledged is in the file, which nobody holds any more.
    again = asgi_app(PROJECT, data=tmp_path / "data.sqlite3", readers=0)
    with served(again, closes=True) as url:
        answer = httpx.post(
            f"{url}/rewake/api/query", json={"path": "counters:get", "args": {"name": "a"}}, timeout=60
        )
        assert answer.json()["value"] == 1
