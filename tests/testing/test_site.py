"""`backend.fetch`: HTTP actions in a test, without a socket."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from rewake import ActionCtx, Document, HttpRouter, MutationCtx, QueryCtx, mutation, query
from rewake.http_api import ResponseCut
from rewake.testing import Backend, RunUnderWay


class Post(Document, table="posts"):
    text: str


@mutation
def add(ctx: MutationCtx, text: str) -> None:
    ctx.db.insert(Post(text=text))


@query
def texts(ctx: QueryCtx) -> list[str]:
    return [post.text for post in ctx.db.query(Post).collect()]


router = HttpRouter()


@router.route("/posts", methods=["POST"])
async def post(ctx: ActionCtx, request: Request) -> Response:
    await ctx.run_mutation(add, text=(await request.json())["text"])
    return JSONResponse(await ctx.run_query(texts), status_code=201)


@router.route("/who")
async def who(ctx: ActionCtx, request: Request) -> Response:
    identity = ctx.auth.get_user_identity()
    return PlainTextResponse("nobody" if identity is None else identity.subject)


@router.route("/url")
async def url(ctx: ActionCtx, request: Request) -> Response:
    return PlainTextResponse(f"{request.method} {request.url} {request.headers['x-a']}")


@router.route("/printing")
async def printing(ctx: ActionCtx, request: Request) -> Response:
    print("asked")
    if "fail" in request.query_params:
        raise ValueError("no such thing")
    return Response()


@router.route("/cut")
async def cut(ctx: ActionCtx, request: Request) -> Response:
    async def portions() -> Any:
        yield b"begun"
        raise ValueError("no")

    return StreamingResponse(portions())


@pytest.fixture
def backend() -> Any:
    http = ModuleType("http")
    http.__dict__["http"] = router
    with Backend.from_modules(sys.modules[__name__], http) as opened:
        yield opened


def test_a_request_runs_and_live_queries_hear_of_it(backend: Backend) -> None:
    live = backend.watch(texts)
    answer = backend.fetch("/posts", method="POST", json={"text": "hello"})
    assert (answer.status_code, answer.json()) == (201, ["hello"])
    assert live.value == ["hello"]


def test_a_request_comes_from_who_calls(backend: Backend) -> None:
    assert backend.fetch("/who").text == "nobody"
    assert backend.as_user("ada").fetch("/who").text == "ada"


def test_headers_and_parameters_arrive(backend: Backend) -> None:
    answer = backend.fetch("/url", params={"b": "1"}, headers={"x-a": "y"})
    assert answer.text == "GET http://site.testing/url?b=1 y"


def test_what_it_prints_are_log_lines(backend: Backend) -> None:
    backend.fetch("/printing")
    assert backend.log_lines == ("[LOG] 'asked'",)
    backend.fetch("/who")
    assert backend.log_lines == ()


def test_a_failure_is_the_response_that_clients_of_a_development_server_get(backend: Backend) -> None:
    answer = backend.fetch("/printing", params={"fail": "1"})
    assert answer.status_code == 500
    assert answer.json()["code"].endswith("Server Error: ValueError: no such thing")
    assert "at printing" in answer.json()["trace"]
    assert backend.log_lines == ("[LOG] 'asked'",)


def test_inside_a_block_nothing_is_asked(backend: Backend) -> None:
    with backend.run(), pytest.raises(RunUnderWay, match="a request"):
        backend.fetch("/who")


def test_what_no_route_answers_is_404(backend: Backend) -> None:
    assert backend.fetch("/nowhere").status_code == 404


def test_a_stream_that_is_cut_raises(backend: Backend) -> None:
    with pytest.raises(ResponseCut):
        backend.fetch("/cut")
