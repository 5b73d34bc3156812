"""Issued keys from outside: the official clients, live sockets, and a log that tells no secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.clients.raw_client import QueryFailure, RawClient, SocketClosed
from tests.clients.server_process import PROJECT, ServerProcess

USER_TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJpc3MiOiJodHRwczovL3gifQ.c2lnbmF0dXJlLW9mLWFkYQ"


def own_key(server: ServerProcess) -> str:
    return server.data.with_name(server.data.name + ".admin_key").read_text().strip()


def ask(server: ServerProcess, method: str, path: str, key: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Convex {key}"}
    return httpx.request(method, server.url + path, headers=headers, json=body, timeout=30)


def made(server: ServerProcess, *scopes: str) -> dict[str, str]:
    body = {"label": "test", "scopes": list(scopes)}
    answer = ask(server, "POST", "/api/keys/create", own_key(server), body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_revoking_a_key_ends_the_sockets_that_it_opened_at_once(server: ServerProcess) -> None:
    key, other = made(server, "run"), made(server, "run")
    with RawClient(server.url) as revoked, RawClient(server.url) as kept:
        for client, text in ((revoked, key["key"]), (kept, other["key"])):
            client.authenticate("Admin", value=text)
            assert client.result(client.add("counters:get", {"name": "a"})) == 0.0
        ask(server, "POST", "/api/keys/revoke", own_key(server), {"id": key["id"]})
        message = revoked.receive()
        assert (message["type"], message["authUpdateAttempted"]) == ("AuthError", False)
        assert message["error"] == "The provided admin key was revoked"
        with pytest.raises(SocketClosed):
            revoked.receive()
        number = kept.mutate("counters:increment", {"name": "a"})
        assert kept.settle(number)["success"]
    with RawClient(server.url) as again:
        again.authenticate("Admin", value=key["key"])
        assert again.receive()["type"] == "AuthError"


def test_a_key_of_small_scope_is_refused_over_a_socket_as_the_result_of_the_call(
    server: ServerProcess,
) -> None:
    with RawClient(server.url) as client:
        client.authenticate("Admin", value=made(server, "read")["key"])
        assert client.result(client.add("counters:get", {"name": "a"})) == 0.0
        response = client.settle(client.mutate("counters:increment", {"name": "a"}))
        assert not response["success"]
        assert "You do not have permission to perform this operation (run)." in response["result"]
        with pytest.raises(QueryFailure, match=r"\(deploy\)"):
            client.result(client.add("_system/cli/queryEnvironmentVariables:default"))


def test_an_issued_key_acts_as_a_user(server: ServerProcess) -> None:
    key = made(server, "read")["key"]
    user = base64.b64encode(json.dumps({"issuer": "https://x", "subject": "ada"}).encode()).decode()
    answer = ask(
        server, "POST", "/api/query", f"{key}:{user}", {"path": "counters:get", "args": {"name": "a"}}
    )
    assert answer.json()["status"] == "success"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_session_of_use_leaves_no_key_and_no_token_in_the_log(
    make_server: Callable[..., ServerProcess], log_format: str
) -> None:
    server = make_server(PROJECT, "--log-format", log_format, "--verbose")
    server.start()
    own, fresh = own_key(server), made(server, "admin")
    wrong = fresh["key"][:-6] + "ffffff"
    body = {"path": "counters:get", "args": {"name": "a"}}
    for key in (own, fresh["key"], wrong):
        ask(server, "POST", "/api/query", key, body)
        ask(server, "POST", "/api/query", f"{key}:bm90IGpzb24=", body)
        httpx.get(f"{server.url}/api/keys", params={"adminKey": key}, timeout=30)
        httpx.get(f"{server.url}/api/keys?adminKey={key}", timeout=30)
        httpx.get(f"{server.url}/{key}", timeout=30)
        httpx.post(f"{server.url}/api/query", json=body | {"path": key}, timeout=30)
        with RawClient(server.url) as client:
            client.authenticate("Admin", value=key)
            # A wrong key may have closed the socket already.
            with suppress(ConnectionClosed):
                client.send({"type": "Authenticate", "baseVersion": "x", "value": key})
            with pytest.raises(SocketClosed):
                client.until(lambda: False)
        # A function whose exception quotes what it was given.
        quoting = {"path": "failures:quotes", "args": {"text": f"Authorization: Convex {key}"}}
        assert httpx.post(f"{server.url}/api/query", json=quoting, timeout=30).json()["status"] == "error"
    for headers in ({"Authorization": f"Bearer {USER_TOKEN}"}, {"Authorization": USER_TOKEN}):
        httpx.post(f"{server.url}/api/query", json=body, headers=headers, timeout=30)
    quoting = {"path": "failures:quotes", "args": {"text": f"{{'authorization': 'Bearer {USER_TOKEN}'}}"}}
    httpx.post(f"{server.url}/api/mutation", json=quoting | {"path": "failures:prints"}, timeout=30)
    httpx.post(f"{server.url}/api/query", json=quoting, timeout=30)
    logs = ask(server, "GET", "/api/stream_function_logs?cursor=0", fresh["key"]).text
    server.stop()
    for text in (server.output(), logs):
        assert "failures:quotes" in text
        for key in (own, fresh["key"], wrong, USER_TOKEN):
            secret = key.rpartition("|")[2]
            assert secret not in text
            assert secret[-32:] not in text
    if log_format == "json":
        for line in server.output().splitlines():
            json.loads(line)
