"""Browsers on any origin may call the API, and hear so also when it refuses them."""

from __future__ import annotations

import httpx
import pytest

from rewake.execution.waiting_line import ReadersOverloaded
from tests.http_api.fake_backend import Caller, FakeBackend, caller

ORIGIN = {"Origin": "https://app.example"}


@pytest.fixture
def ask() -> Caller:
    return caller(FakeBackend())


def assert_open(response: httpx.Response) -> None:
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in response.headers["vary"]
    assert "access-control-expose-headers" not in response.headers


@pytest.mark.parametrize("path", ["/api/query", "/api/storage/upload", "/version", "/nowhere"])
def test_a_preflight_is_answered_for_every_address(ask: Caller, path: str) -> None:
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,convex-client",
    }
    response = ask("OPTIONS", path, headers=asked)
    assert response.status_code == 200
    assert response.content == b""
    assert_open(response)
    methods = response.headers["access-control-allow-methods"]
    assert methods == "GET, POST, OPTIONS, PATCH, DELETE, PUT"
    assert response.headers["access-control-allow-headers"] == "content-type,convex-client"
    assert response.headers["access-control-max-age"] == "86400"


def test_answers_and_errors_carry_the_origin(ask: Caller) -> None:
    assert_open(ask.post("/api/query", {"path": "messages:list", "args": {}}, headers=ORIGIN))
    assert_open(ask.post("/api/query", {}, headers=ORIGIN))
    assert_open(ask.get("/nowhere", headers=ORIGIN))
    assert_open(ask.post("/api/query", {"path": "broken:crash", "args": {}}, headers=ORIGIN))


def test_a_page_may_read_when_to_try_again() -> None:
    def overloaded() -> None:
        raise ReadersOverloaded(seconds=7)

    ask = caller(FakeBackend(before_query=overloaded))
    response = ask.post("/api/query", {"path": "messages:list", "args": {}}, headers=ORIGIN)
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert response.headers["access-control-expose-headers"] == "Retry-After"


def test_without_an_origin_nothing_is_allowed_but_caches_are_warned(ask: Caller) -> None:
    for response in (ask.get("/version"), ask("OPTIONS", "/version")):
        assert "access-control-allow-origin" not in response.headers
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/http", "/http/hook"])
def test_http_actions_decide_for_themselves(ask: Caller, method: str, path: str) -> None:
    response = ask(method, path, headers=ORIGIN)
    assert response.status_code == 404
    assert response.text == "This Convex deployment does not have HTTP actions enabled."
    assert "access-control-allow-origin" not in response.headers


def test_an_address_that_only_begins_alike_is_no_http_action(ask: Caller) -> None:
    assert_open(ask.get("/httpx", headers=ORIGIN))
