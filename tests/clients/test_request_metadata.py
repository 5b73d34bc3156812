"""Where a call came from, through the official clients and worker processes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.clients.client_host import ClientHost
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients


def source_of(told: Any) -> tuple[str | None, str | None]:
    assert set(told) == {"ip", "userAgent", "requestId", "scheduledFunctionId", "authToken"}
    assert told["requestId"]
    assert told["scheduledFunctionId"] is None
    assert told["authToken"] is None
    return told["ip"], told["userAgent"]


def test_npm_over_a_websocket(shared_server: ServerProcess, npm: ClientHost) -> None:
    known = ("127.0.0.1", "Pigeon/1.0")
    client = npm.open(shared_server.url, user_agent="Pigeon/1.0")
    assert source_of(client.mutation("sources:tell")) == known
    assert source_of(client.mutation("sources:tell_nested")) == known
    first, second = client.call("action", "sources:tell_by_action").wait()
    assert (source_of(first), source_of(second)) == (known, known)
    assert first["requestId"] == second["requestId"]
    # The package by itself says nothing of its program over a websocket.
    assert source_of(npm.open(shared_server.url).mutation("sources:tell")) == ("127.0.0.1", None)


def test_npm_over_http(shared_server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open_http(shared_server.url)
    assert source_of(client.mutation("sources:tell")) == ("127.0.0.1", "node")
    first, second = client.call("action", "sources:tell_by_action").wait()
    assert (source_of(first), source_of(second)) == (("127.0.0.1", "node"),) * 2


def test_pypi(shared_server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(shared_server.url)
    ip, _ = source_of(client.mutation("sources:tell"))
    assert ip == "127.0.0.1"


def test_plain_http(shared_server: ServerProcess) -> None:
    for kind, path in (("mutation", "sources:tell_nested"), ("action", "sources:tell_by_action")):
        answer = httpx.post(
            f"{shared_server.url}/api/{kind}",
            json={"path": path, "args": {}},
            headers={"user-agent": "x" * 5_000, "convex-request-id": "mine"},
            timeout=30,
        ).json()
        told = answer["value"] if kind == "mutation" else answer["value"][1]
        assert source_of(told) == ("127.0.0.1", "x" * 1_024)
        assert told["requestId"] == "mine"
