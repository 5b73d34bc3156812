"""Quick calls say what the whole application says, and count as it counts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from rewake.errors import Unavailable
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


def test_a_refusal_is_told_to_each_as_it_is_meant_for_them() -> None:
    class Full(Unavailable):
        """The server is full."""

        code = "ExecuteFullError"
        template = "Try again in {seconds} seconds."

        def __init__(self, seconds: int) -> None:
            super().__init__(seconds=seconds)
            self.retry_seconds = seconds

    backend = FakeBackend()
    calls = QuickCalls(backend, limits=Limits(), origins=frozenset({ORIGIN}))
    answers = iter([Full(1), Full(1), Full(2), Full(1)])

    async def refuse(*_: Any, **__: Any) -> Any:
        raise next(answers)

    backend.query = refuse  # type: ignore[method-assign]

    def told(*headers: tuple[bytes, bytes]) -> tuple[int, str, str]:
        head = calls.head("/api/query", [(b"content-type", b"application/json"), *headers], "127.0.0.1")
        assert head is not None
        answer = asyncio.run(calls.answer(head, b'{"path": "messages:list", "args": {}}'))
        return answer.status, answer.lines.decode(), json.loads(answer.body)["message"]

    lines = "retry-after: {}\r\ncontent-length: 66\r\ncontent-type: application/json\r\n"
    shown = "access-control-expose-headers: Retry-After\r\n"
    page = f"access-control-allow-origin: {ORIGIN}\r\naccess-control-allow-credentials: true\r\n"
    assert told() == (503, lines.format(1) + "vary: Origin\r\n" + shown, "Try again in 1 seconds.")
    assert told()[0] == 503
    assert told() == (503, lines.format(2) + "vary: Origin\r\n" + shown, "Try again in 2 seconds.")
    assert told((b"origin", ORIGIN.encode()))[1] == lines.format(1) + "vary: Origin\r\n" + page + shown
    assert backend.tallies.responses == {503: 4}
    assert backend.tallies.refusals == {("http", "ExecuteFullError"): 4}
