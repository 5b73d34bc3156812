"""Rewake inside another application: started by the first request, ended by `close` or a lifespan."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake.errors import RewakeError
from rewake.server import EmbeddedApp, asgi_app

NOTES = """
from rewake import HttpRouter, QueryCtx, query
@query
def hello(ctx: QueryCtx) -> str:
    return "hello"
"""
HTTP = """
from rewake import HttpRouter
from starlette.responses import PlainTextResponse
http = HttpRouter()
@http.route("/hello")
async def hello(ctx, request):
    return PlainTextResponse("hello")
"""


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedApp:
    folder = tmp_path / "backend"
    folder.mkdir()
    (folder / "notes.py").write_text(NOTES)
    (folder / "http.py").write_text(HTTP)
    return asgi_app(tmp_path, data=tmp_path / "data.sqlite3", readers=0, admin_key="me|00")


def client_of(app: EmbeddedApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


def test_the_first_requests_start_it_once(embedded: EmbeddedApp) -> None:
    async def story() -> None:
        async with client_of(embedded) as client:
            assert embedded.deployment is None
            asked = [client.post("/api/query", json={"path": "notes:hello", "args": {}}) for _ in range(5)]
            assert [answer.json()["value"] for answer in await asyncio.gather(*asked)] == ["hello"] * 5
            assert (await client.get("/http/hello")).text == "hello"
            headers = {"authorization": "Convex me|00"}
            assert (await client.get("/api/check_admin_key", headers=headers)).status_code == 200
        await embedded.close()
        await embedded.close()
        assert embedded.deployment is None

    asyncio.run(story())


def test_a_closed_one_is_not_started_again(embedded: EmbeddedApp) -> None:
    async def story() -> None:
        async with embedded:
            assert embedded.deployment is not None
        with pytest.raises(RewakeError, match="The server is stopping"):
            await embedded.start()

    asyncio.run(story())


def test_as_the_outermost_application_it_lives_by_its_lifespan(embedded: EmbeddedApp) -> None:
    async def story() -> None:
        said: list[str] = []
        asked: asyncio.Queue[Any] = asyncio.Queue()
        answered: asyncio.Queue[Any] = asyncio.Queue()
        living = asyncio.ensure_future(embedded({"type": "lifespan"}, asked.get, answered.put))
        for what in ("startup", "shutdown"):
            asked.put_nowait({"type": f"lifespan.{what}"})
            said.append((await answered.get())["type"])
            assert (embedded.deployment is not None) == (what == "startup")
        await living
        assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    asyncio.run(story())


def test_a_project_that_cannot_be_loaded_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        embedded = asgi_app(tmp_path / "nowhere", data=tmp_path / "data.sqlite3")
        with pytest.raises(RewakeError, match="There is no folder"):
            await embedded.start()
        asked: asyncio.Queue[Any] = asyncio.Queue()
        answered: asyncio.Queue[Any] = asyncio.Queue()
        asked.put_nowait({"type": "lifespan.startup"})
        await embedded({"type": "lifespan"}, asked.get, answered.put)
        assert (await answered.get())["type"] == "lifespan.startup.failed"

    asyncio.run(story())
