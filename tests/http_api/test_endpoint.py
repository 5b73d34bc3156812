"""One address, several methods."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from rewake.environment import seeded_environment
from rewake.errors import Conflict
from rewake.http_api.endpoint import route
from tests.http_api.fake_backend import Caller, assert_error


async def read(request: Request) -> Response:
    return PlainTextResponse("read")


async def refuse(request: Request) -> Response:
    raise Conflict("not like this")


def test_errors_have_the_one_shape_inside_another_application() -> None:
    ask = Caller(Starlette(routes=[route("/thing", seeded_environment(1), GET=read, POST=refuse)]))
    assert ask.get("/thing").text == "read"
    assert_error(ask("POST", "/thing"), 409, "Conflict")
    response = ask("DELETE", "/thing")
    assert "It takes GET, HEAD, POST." in assert_error(response, 405, "MethodNotAllowed")
    assert response.headers["allow"] == "GET, HEAD, POST"


def test_head_keeps_the_headers_of_get() -> None:
    ask = Caller(route("/thing", seeded_environment(1), GET=read).app)
    response = ask("HEAD", "/thing")
    assert response.headers["content-length"] == "4"
    assert response.content == b""
