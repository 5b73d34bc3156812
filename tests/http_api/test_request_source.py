"""Where a request came from: the peer's address and its header, and no word of the peer about its address."""

from __future__ import annotations

import pytest
from starlette.types import Scope

from rewake.execution import CalledFrom, RequestSource
from rewake.http_api.request_source import source_of
from rewake.limits import DEFAULT_LIMITS, Limits
from tests.http_api.fake_backend import FakeBackend, caller

HTTP = CalledFrom.HTTP_API


def scope(*headers: tuple[bytes, bytes], client: tuple[str, int] | None = ("192.0.2.7", 5)) -> Scope:
    return {"type": "http", "headers": list(headers), "client": client}


def test_the_address_is_the_peers_whatever_it_says_itself() -> None:
    asked = scope((b"x-forwarded-for", b"10.0.0.1"), (b"forwarded", b"for=10.0.0.1"))
    assert source_of(asked, DEFAULT_LIMITS, HTTP) == RequestSource("192.0.2.7", called_from=HTTP)
    assert source_of(scope(client=None), DEFAULT_LIMITS, HTTP) == RequestSource(called_from=HTTP)


def test_the_program_is_the_header_up_to_the_limit() -> None:
    asked = scope((b"user-agent", "Täubchen/1.0".encode("latin-1")))
    assert source_of(asked, DEFAULT_LIMITS, HTTP).user_agent == "Täubchen/1.0"
    assert source_of(asked, Limits(user_agent_bytes_max=3), HTTP).user_agent == "Täu"


@pytest.mark.parametrize(
    ("endpoint", "path"), [("mutation", "messages:send"), ("action", "ai:reply"), ("run", None)]
)
def test_what_changes_anything_is_told(endpoint: str, path: str | None) -> None:
    backend = FakeBackend()
    url = f"/api/{endpoint}" if path else "/api/run/messages/send"
    body = {"path": path, "args": {"body": "hi"}} if path else {"args": {"body": "hi"}}
    answer = caller(backend).post(url, body, headers={"user-agent": "Pigeon/1.0"})
    assert answer.status_code == 200, answer.text
    assert backend.sources == [RequestSource("127.0.0.1", "Pigeon/1.0", called_from=HTTP)]
