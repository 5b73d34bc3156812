"""A head is what its request says, and there is none where the request will be refused for it."""

from __future__ import annotations

import pytest

from rewake.execution import CalledFrom, RequestSource
from rewake.http_api import CallHead
from rewake.http_api.call_head import call_head
from rewake.http_api.cors import Cors, Headers
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import UNKNOWN_CLIENT, ClientVersion

JSON = (b"content-type", b"application/json")
ORIGIN = "https://a.example"


def head(*headers: tuple[bytes, bytes], origins: frozenset[str] | None = None) -> CallHead | None:
    cors = Cors(origins)
    return call_head("/api/query", list(headers), "192.0.2.7", cors=cors, limits=DEFAULT_LIMITS)


def test_a_head_that_says_little() -> None:
    headers: Headers = [JSON]
    source = RequestSource("192.0.2.7", called_from=CalledFrom.HTTP_API)
    assert head(JSON) == CallHead(
        "/api/query", headers, None, None, UNKNOWN_CLIENT, source, b"vary: Origin\r\n"
    )


def test_a_head_that_says_much() -> None:
    found = head(
        JSON,
        (b"authorization", b"Bearer a.b.c"),
        (b"convex-request-id", b"mine"),
        (b"convex-client", b"npm-1.2.3"),
        (b"user-agent", b"Pigeon/1.0"),
        (b"origin", ORIGIN.encode()),
    )
    assert found is not None
    assert found.authorization == "Bearer a.b.c"
    assert found.request_id == "mine"
    assert found.client == ClientVersion("npm", (1, 2, 3))
    assert found.source.user_agent == "Pigeon/1.0"
    assert found.lines == (
        b"vary: Origin\r\naccess-control-allow-origin: https://a.example\r\n"
        b"access-control-allow-credentials: true\r\n"
    )


def test_a_page_that_may_not_call_is_not_named() -> None:
    found = head(JSON, (b"origin", ORIGIN.encode()), origins=frozenset({"https://b.example"}))
    assert found is not None
    assert found.lines == b"vary: Origin\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain")],
        [JSON, (b"content-encoding", b"gzip")],
        [JSON, (b"convex-client", b"rubbish")],
    ],
)
def test_what_is_refused_has_none(headers: Headers) -> None:
    assert head(*headers) is None


def test_an_id_that_is_not_accepted_was_not_brought() -> None:
    found = head(JSON, (b"convex-request-id", b"not one"))
    assert found is not None
    assert found.request_id is None
