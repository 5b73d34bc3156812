"""Where the header is found, and who is let in."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from rewake.auth import ANONYMOUS, Admin, User
from rewake.auth.keys import BadAdminKey
from rewake.http_api.authorization import identity_of, require_admin
from rewake.http_api.errors import AdminRequired
from tests.http_api.fake_backend import ADMIN_KEY, FakeBackend


def request(authorization: str | None = None, *, method: str = "GET", query: str = "") -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return Request(
        {"type": "http", "method": method, "path": "/", "headers": headers, "query_string": query.encode()}
    )


def test_without_a_header_the_caller_is_nobody() -> None:
    assert asyncio.run(identity_of(FakeBackend(), request())) is ANONYMOUS


def test_a_header_says_who_calls() -> None:
    assert isinstance(asyncio.run(identity_of(FakeBackend(), request("Bearer good"))), User)
    assert asyncio.run(require_admin(FakeBackend(), request(f"convex {ADMIN_KEY}"), None)) == Admin()


def test_the_header_wins_over_the_query_parameter() -> None:
    with pytest.raises(BadAdminKey):
        asyncio.run(
            require_admin(FakeBackend(), request("Convex wrong", query=f"adminKey={ADMIN_KEY}"), None)
        )


def test_the_query_parameter_is_for_reading_only() -> None:
    query = f"adminKey={ADMIN_KEY}"
    assert asyncio.run(require_admin(FakeBackend(), request(query=query), None)) == Admin()
    assert asyncio.run(identity_of(FakeBackend(), request(query=query))) is ANONYMOUS
    with pytest.raises(AdminRequired):
        asyncio.run(require_admin(FakeBackend(), request(method="POST", query=query), None))
