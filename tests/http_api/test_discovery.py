"""Health, names, the dashboard's login, and the echo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from rewake.http_api.discovery import ECHO_BYTES_MAX
from tests.http_api.fake_backend import ADMIN, ADMIN_KEY, Caller, FakeBackend, assert_error, caller


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "This Rewake deployment is running."),
        ("/version", "0.1.0"),
        ("/instance_version", "0.1.0"),
        ("/instance_name", "quiet-otter-12"),
        ("/healthz", "ok"),
        ("/readyz", "ok"),
    ],
)
def test_plain_questions_have_plain_answers(ask: Caller, path: str, text: str) -> None:
    response = ask.get(path)
    assert (response.status_code, response.text) == (200, text)
    assert response.headers["content-type"].startswith("text/plain")
    assert ask("HEAD", path).content == b""


def test_a_process_can_be_alive_and_not_ready(ask: Caller, backend: FakeBackend) -> None:
    backend.is_ready = False
    assert ask.get("/healthz").status_code == 200
    assert_error(ask.get("/readyz"), 503, "NotReady")


@pytest.mark.parametrize("path", ["/api/check_admin_key", "/api/v1/get_canonical_urls"])
def test_administrators_endpoints_take_the_key_in_two_ways(ask: Caller, path: str) -> None:
    assert ask.get(path, headers=ADMIN).status_code == 200
    assert ask.get(path, params={"adminKey": ADMIN_KEY}).status_code == 200
    assert_error(ask.get(path), 403, "BadDeployKey")
    assert_error(ask.get(path, headers={"Authorization": "Bearer good"}), 403, "BadDeployKey")
    assert_error(ask.get(path, params={"adminKey": "wrong"}), 401, "BadAdminKey")


def test_the_dashboard_may_log_in(ask: Caller) -> None:
    response = ask.get("/api/check_admin_key", headers=ADMIN)
    assert response.json() == {"success": True, "allowedOps": [], "isReadOnly": False}


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "http://deployment.test"),
        ({"Host": "chat.example:8443"}, "http://chat.example:8443"),
        # What a proxy says counts where it is trusted, which is decided in front of us.
        ({"X-Forwarded-Proto": "https"}, "http://deployment.test"),
    ],
)
def test_canonical_urls_are_those_that_the_caller_used(
    ask: Caller, headers: dict[str, str], origin: str
) -> None:
    response = ask.get("/api/v1/get_canonical_urls", headers={**ADMIN, **headers})
    assert response.json() == {"convexCloudUrl": origin, "convexSiteUrl": f"{origin}/http"}


def test_a_debug_event_is_heard(ask: Caller) -> None:
    response = ask("POST", "/api/debug_event", content=b'{"event":"LongWebsocketDisconnect"}')
    assert response.status_code == 200


# The command line's network test sends 128 bytes and 4 MiB; above that a file holds the echo.
@pytest.mark.parametrize("size", [0, 128, 4 * 2**20, 4 * 2**20 + 1, 9 * 2**20])
def test_the_echo_gives_back_every_byte(ask: Caller, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    response = ask("POST", "/echo", content=body)
    assert response.status_code == 200
    assert response.content == body
    assert response.headers["content-length"] == str(size)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-type"] == "application/octet-stream"


def test_an_echo_that_announces_too_much_is_refused_unread(ask: Caller) -> None:
    response = ask("POST", "/echo", content=b"x", headers={"Content-Length": str(ECHO_BYTES_MAX + 1)})
    assert_error(response, 413, "BodyTooLarge")


def test_an_echo_that_turns_out_too_large_is_refused(ask: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewake.http_api.discovery.ECHO_BYTES_MAX", 1000)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 400

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=ask.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://deployment.test") as client:
            return await client.post("/echo", content=chunks())

    assert_error(asyncio.run(post()), 413, "BodyTooLarge")


def test_an_echo_to_nobody_ends(ask: Caller) -> None:
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/echo", "headers": [], "query_string": b""}
    asyncio.run(ask.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


def test_what_the_operator_says_stands_above_what_the_caller_used(backend: FakeBackend, ask: Caller) -> None:
    backend.public_url, backend.site_url = "https://chat.example", "https://site.example"
    response = ask.get("/api/v1/get_canonical_urls", headers={**ADMIN, "Host": "other.example"})
    told = {"convexCloudUrl": "https://chat.example", "convexSiteUrl": "https://site.example"}
    assert response.json() == told
