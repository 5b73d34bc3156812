"""The door put together: what comes first, what falls through, and what never does."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.types import Message, Receive, Scope, Send

from rewake.errors import RewakeError
from rewake.http_api import errors
from rewake.http_api.routes import API_PREFIXES, build_app, build_routes, is_api_path
from tests.http_api.fake_backend import Caller, FakeBackend, assert_error, caller


async def front_end(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"front end: {scope['path']}")(scope, receive, send)


@pytest.fixture
def ask() -> Caller:
    return caller(FakeBackend(), front_end=front_end)


@pytest.mark.parametrize("path", ["/", "/about", "/apiary", "/httpx", "/assets/x.js"])
def test_a_front_end_gets_what_nobody_else_answers(ask: Caller, path: str) -> None:
    assert ask.get(path).text == f"front end: {path}"


@pytest.mark.parametrize("path", ["/api", "/api/nowhere", "/api/query/", "/api/"])
def test_api_addresses_never_reach_the_front_end(ask: Caller, path: str) -> None:
    assert_error(ask.get(path, headers={"Accept": "text/html"}), 404, "NotFound")


@pytest.mark.parametrize("path", ["/version", "/healthz", "/readyz", "/instance_name"])
def test_the_api_comes_before_the_front_end(ask: Caller, path: str) -> None:
    assert not ask.get(path).text.startswith("front end")


def test_routes_of_others_come_first() -> None:
    async def mine(request: object) -> PlainTextResponse:
        return PlainTextResponse("mine")

    ask = caller(FakeBackend(), routes=[Route("/api/query", mine)])
    assert ask.get("/api/query").text == "mine"


def test_a_door_can_stand_under_a_prefix() -> None:
    app = build_app(FakeBackend(), front_end=front_end)
    ask = Caller(Router([Mount("/rewake", app)]))
    response = ask.post(
        "/rewake/api/query", {"path": "messages:list", "args": {}}, headers={"Origin": "http://x"}
    )
    assert response.json()["value"] == []
    assert_error(ask.get("/rewake/api/nowhere"), 404, "NotFound")
    assert (
        "access-control-allow-origin" not in ask.get("/rewake/http/x", headers={"Origin": "http://x"}).headers
    )


def test_a_websocket_that_nobody_serves_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "path": "/nowhere", "headers": []}

    async def connect() -> None:
        await build_app(FakeBackend())(scope, receive, send)

    asyncio.run(connect())
    assert sent[0]["type"] == "websocket.close"


REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "http-api.md"


def test_every_address_is_in_the_reference() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    paths = {
        route.path.replace("{identifier:path}", "{module}/{function}")
        for route in build_routes(FakeBackend())
    }
    paths -= {"/api/run", "/http", "/http/{path:path}"}
    assert [path for path in sorted(paths) if not re.search(rf" {re.escape(path)}[`?]", text)] == []
    assert "`/http`" in text


def test_every_error_of_the_door_is_in_the_reference() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    own = {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, RewakeError) and error is not RewakeError
    }
    # The base of everything that a caller can get wrong is never raised as such.
    own -= {"BadRequest"}
    assert [code for code in sorted(own) if f"`{code}`" not in text] == []


def test_every_address_is_listed_once() -> None:
    paths = [(type(route), route.path) for route in build_routes(FakeBackend())]
    assert len(paths) == len(set(paths))
    assert all(is_api_path(path) for _, path in paths if path.startswith(API_PREFIXES))
