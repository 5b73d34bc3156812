"""Requests for administrators: what each answer becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake.cli.admin_requests import RequestRefused, ask, reason_of
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable

SERVER = ServerAddress("http://server", "key|00", Path(), is_guess=False)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the server answers next: responses, or errors of the connection."""
    waiting: list[Any] = []

    def request(method: str, url: str, **options: Any) -> httpx.Response:
        assert (method, url) == ("GET", "http://server/api/x")
        assert options["headers"] == {"Authorization": "Convex key|00"}
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer

    monkeypatch.setattr(httpx, "request", request)
    return waiting


def test_a_success_is_handed_back(answers: list[Any]) -> None:
    answers.append(httpx.Response(200, text="yes"))
    assert ask(SERVER, "GET", "/api/x").text == "yes"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.Response(401, json={}), CommandFailed, "refuses this admin key"),
        (httpx.Response(403, json={}), CommandFailed, "refuses this admin key"),
        (httpx.Response(400, json={"code": "Bad", "message": "No."}), RequestRefused, r"No\. \(Bad\)"),
        (httpx.Response(404, text="<html>"), ServerUnreachable, "it is not Rewake"),
        (httpx.Response(500, json={"message": "x"}), ServerUnreachable, "it is not Rewake"),
        (httpx.ConnectError("refused"), ServerUnreachable, "does not answer"),
        (httpx.ReadError("cut"), ServerUnreachable, "broke off"),
    ],
)
def test_a_refusal_is_a_sentence(answers: list[Any], answer: Any, kind: type[Exception], words: str) -> None:
    answers.append(answer)
    with pytest.raises(kind, match=words):
        ask(SERVER, "GET", "/api/x")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "name or service not known"),
        (httpx.ReadError(""), "ReadError"),
    ],
)
def test_reasons_are_few_words(error: Exception, text: str) -> None:
    assert reason_of(error) == text
