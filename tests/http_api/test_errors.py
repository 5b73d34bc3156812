"""One shape for every error outside a function, at every endpoint."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from rewake.environment import seeded_environment
from rewake.errors import (
    INTERNAL_MESSAGE,
    Conflict,
    Forbidden,
    FunctionError,
    Internal,
    InvalidInput,
    NotFound,
    RateLimited,
    RewakeError,
    Unauthenticated,
    Unavailable,
)
from rewake.execution.waiting_line import ReadersOverloaded
from rewake.http_api.errors import STATUSES, ErrorBoundary, describe, error_response
from rewake.http_api.routes import build_routes
from tests.http_api.fake_backend import ADMIN, Caller, FakeBackend, assert_error, caller


class Odd(InvalidInput):
    """A class with a status that the table does not know."""

    status = 299


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (InvalidInput("no"), 400, "BadRequest", "no"),
        (FunctionError("no"), 400, "FunctionError", "no"),
        (Unauthenticated("no"), 401, "Unauthenticated", "no"),
        (Forbidden("no"), 403, "Forbidden", "no"),
        (NotFound("no"), 404, "NotFound", "no"),
        (Conflict("no"), 409, "Conflict", "no"),
        (RateLimited("no"), 429, "TooManyConcurrentRequests", "no"),
        (Unavailable("no"), 503, "Unavailable", "no"),
        (ClientDisconnect(), 408, "ClientDisconnect", None),
        (HTTPException(404), 404, "NotFound", "Not Found"),
        (HTTPException(405), 405, "MethodNotAllowed", "Method Not Allowed"),
        (HTTPException(400, "odd request"), 400, "BadRequest", "odd request"),
        (HTTPException(418), 500, "InternalServerError", INTERNAL_MESSAGE),
        (Internal("a secret"), 500, "InternalServerError", INTERNAL_MESSAGE),
        (RewakeError("a secret"), 500, "InternalServerError", INTERNAL_MESSAGE),
        (Odd("a secret"), 500, "InternalServerError", INTERNAL_MESSAGE),
        (KeyError("a secret"), 500, "InternalServerError", INTERNAL_MESSAGE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_error_has_its_row(error: Exception, status: int, code: str, message: str | None) -> None:
    described = describe(error)
    assert described[:2] == (status, code)
    assert message is None or described[2] == message
    assert status in STATUSES


def test_a_message_that_quotes_megabytes_is_cut() -> None:
    body = json.loads(bytes(error_response(InvalidInput("x" * 1_000_000)).body))
    assert len(body["message"]) == 4096


def test_a_message_with_half_a_surrogate_pair_is_still_json() -> None:
    assert json.loads(bytes(error_response(InvalidInput("\ud800")).body))["message"] == "\ud800"


def test_an_error_that_knows_when_to_try_again_says_so_in_a_header() -> None:
    response = error_response(ReadersOverloaded(seconds=7))
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert json.loads(bytes(response.body)) == {
        "code": "ExecuteFullError",
        "message": "The server has more queries to do than it can in time. Nothing was done; try again in 7 "
        "seconds.",
    }
    assert "retry-after" not in error_response(Unavailable("no")).headers


def test_headers_of_an_error_are_kept() -> None:
    assert error_response(HTTPException(405, headers={"Allow": "GET"})).headers["allow"] == "GET"
    assert error_response(Unauthenticated("no")).headers["www-authenticate"] == "Bearer"


def run(app: Any, *, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: Scope = {"type": kind, "method": "GET", "path": "/x", "headers": []}
    asyncio.run(ErrorBoundary(app, seeded_environment(1))(scope, receive, send))
    return sent


def test_an_error_after_the_answer_began_cuts_the_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise InvalidInput("too late")

    with pytest.raises(InvalidInput):
        run(app)


def test_what_is_no_http_request_passes_through() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("for the server")

    with pytest.raises(KeyError):
        run(app, kind="websocket")


# The door as a whole: each endpoint is asked in each way that it must refuse.

ROUTES = [
    (method, route.path.replace("{identifier:path}", "messages/list"))
    for route in build_routes(FakeBackend())
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE")
    if not route.path.startswith("/http")
]
GET_AND_POST = {"/api/query", "/api/list_snapshot", "/api/document_deltas"}
POST_ONLY = {
    "/api/cancel_import",
    "/api/deploys/cancel",
    "/api/deploys/finish",
    "/api/deploys/rollback",
    "/api/deploys/start",
    "/api/import",
    "/api/import/finish_upload",
    "/api/import/start_upload",
    "/api/import/upload_part",
    "/api/perform_import",
    "/api/export/cancel/{id}",
    "/api/export/request/zip",
    "/api/export/set_expiration/{id}",
    "/api/keys/create",
    "/api/keys/revoke",
    "/api/sql",
    "/api/mutation",
    "/api/action",
    "/api/query_ts",
    "/api/query_at_ts",
    "/api/query_batch",
    "/api/function",
    "/api/run",
    "/api/run/messages/list",
    "/api/debug_event",
    "/api/update_environment_variables",
    "/api/v1/update_environment_variables",
    "/api/storage/upload",
    "/echo",
}


@pytest.fixture
def ask() -> Caller:
    return caller(FakeBackend())


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_wrong_method_is_told_the_right_ones(ask: Caller, method: str, path: str) -> None:
    allowed = {"GET", "POST"} if path in GET_AND_POST else {"POST"} if path in POST_ONLY else {"GET"}
    if method in allowed:
        return
    response = ask(method, path)
    assert_error(response, 405, "MethodNotAllowed")
    expected = allowed | ({"HEAD"} if "GET" in allowed else set())
    assert set(response.headers["allow"].split(", ")) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/api/query",
        "/api/mutation",
        "/api/action",
        "/api/query_ts",
        "/api/query_at_ts",
        "/api/query_batch",
        "/api/function",
        "/api/run/messages/list",
    ],
)
@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("Convex wrong", 401, "BadAdminKey"),
        ("Bearer bad", 401, "Unauthenticated"),
        ("x", 400, "InvalidHeaderFailure"),
    ],
)
def test_bad_credentials_fail_every_call(
    ask: Caller, path: str, authorization: str, status: int, code: str
) -> None:
    response = ask.post(path, {"path": "messages:list", "args": {}}, headers={"Authorization": authorization})
    assert_error(response, status, code)


@pytest.mark.parametrize(
    "path",
    ["/api/query", "/api/mutation", "/api/action", "/api/query_at_ts", "/api/query_batch", "/api/function"],
)
@pytest.mark.parametrize(
    "request_parts",
    [
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        {"content": b"{}"},
        {"content": b"", "headers": {"Content-Type": "application/json"}},
        {"content": b" " * 70_000 + b"{}", "headers": {"Content-Type": "application/json"}},
    ],
    ids=["broken", "text", "untyped", "empty", "too large"],
)
def test_every_call_refuses_a_bad_body(ask: Caller, path: str, request_parts: dict[str, Any]) -> None:
    headers = {**request_parts.get("headers", {}), **ADMIN}
    response = ask("POST", path, content=request_parts["content"], headers=headers)
    assert_error(response, 400, "BadJsonBody")


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api",
        "/api/",
        "/api/nowhere",
        "/api/query/",
        "/api/nowhere/list",
        "/api/storage",
        "//api/query",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_not_there_is_not_found(ask: Caller, method: str, path: str) -> None:
    assert_error(ask(method, f"http://deployment.test{path}"), 404, "NotFound")
