"""Quick calls say what the whole application says, and count as it counts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from rewake.http_api import QuickCalls
from rewake.limits import Limits
from rewake.tracing import Tracing
from tests.http_api.fake_backend import ADMIN, FakeBackend, caller

ORIGIN = "https://a.example"


@pytest.mark.parametrize("path", ["/api/query", "/api/mutation"])
@pytest.mark.parametrize(
    "body",
    [
        {"path": "messages:list", "args": {}},
        {"path": "messages:send", "args": {"body": "hi"}},
        {"path": "messages:list", "args": []},
        {"path": "fails:here", "args": {}, "format": "nonsense"},
        {"args": {}},
    ],
)
@pytest.mark.parametrize("headers", [{}, ADMIN, {"Authorization": "Bearer bad"}, {"Origin": ORIGIN}])
def test_the_answer_is_that_of_the_application(path: str, body: Any, headers: dict[str, str]) -> None:
    long, short = FakeBackend(), FakeBackend()
    sent = {"Content-Type": "application/json", "Convex-Request-Id": "mine", **headers}
    expected = caller(long).post(path, body, headers=sent)

    headers_sent = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
    calls = QuickCalls(short, limits=Limits())
    head = calls.head(path, headers_sent, "127.0.0.1")
    assert head is not None
    answer = asyncio.run(calls.answer(head, json.dumps(body).encode()))
    assert answer.status == expected.status_code
    assert answer.body == expected.content
    assert answer.lines.decode() == "".join(
        f"{name}: {value}\r\n" for name, value in expected.headers.multi_items()
    )
    assert not answer.is_last
    assert short.tallies.responses == long.tallies.responses
    assert short.tallies.refusals == long.tallies.refusals
    assert short.ran == long.ran


def test_they_are_off_where_traces_are_wanted() -> None:
    backend = FakeBackend()
    calls = QuickCalls(backend, limits=Limits())
    assert calls.is_on
    assert calls.paths == {"/api/query", "/api/mutation"}
    backend.tracing = Tracing(TracerProvider())
    assert not calls.is_on
