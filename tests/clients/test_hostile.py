"""What a stranger can send from outside: depth, size, numbers, compression, connections, subscriptions.

After each attack the same server must answer an ordinary call. Times and sizes of plain requests are in
`tests/server/test_http_head.py`, slow readers and half-open sockets in `tests/sync/stories`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.clients.raw_client import RawClient, SocketClosed
from tests.clients.server_process import ServerProcess

DEPTH = 10_000
DEEP = "[" * DEPTH + "]" * DEPTH
DEEP_OBJECTS = '{"a":' * DEPTH + "1" + "}" * DEPTH
HUGE = "1" + "0" * 100_000
SESSION = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"


def is_well(server: ServerProcess) -> bool:
    body = {"path": "counters:get", "args": {"name": "a"}}
    answer = httpx.post(f"{server.url}/api/query", json=body, timeout=30)
    return bool(answer.json()["status"] == "success")


@pytest.fixture
def attacked(shared_server: ServerProcess) -> Iterator[ServerProcess]:
    yield shared_server
    assert is_well(shared_server)


@pytest.mark.parametrize("args", [DEEP, f"[{DEEP}]", DEEP_OBJECTS, f'{{"name":{DEEP_OBJECTS}}}'])
@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
def test_deep_json_over_http_is_refused(attacked: ServerProcess, kind: str, args: str) -> None:
    body = f'{{"path":"counters:get","args":{args}}}'
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{attacked.url}/api/{kind}", content=body, headers=headers, timeout=30)
    assert answer.status_code == 400 or answer.json()["status"] == "error"


def socket(server: ServerProcess, **options: object) -> ClientConnection:
    url = server.url.replace("http", "ws", 1) + "/api/1.48.0/sync"
    return connect(url, max_size=None, open_timeout=60, **options)  # type: ignore[arg-type]


def goes_on(client: ClientConnection) -> None:
    """Send what is no message, if the server has not closed yet."""
    with suppress(ConnectionClosed):
        client.send("{}")


def ends(client: ClientConnection) -> list[str]:
    """The types of all messages until the server closes."""
    heard = []
    try:
        while True:
            heard.append(json.loads(client.recv(timeout=30))["type"])
    except ConnectionClosed:
        return heard


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECTS, f'{{"type":"Connect","x":{DEEP}}}', HUGE])
def test_deep_messages_end_their_socket_only(attacked: ServerProcess, text: str) -> None:
    with socket(attacked) as client, RawClient(attacked.url) as other:
        query = other.add("counters:get", {"name": "a"})
        other.result(query)
        client.send(text)
        # An unknown field is skipped, however deep: then what follows is wrong.
        goes_on(client)
        assert ends(client) in (["FatalError"], [])
        number = other.mutate("counters:increment", {"name": "deep"})
        assert other.settle(number)["success"]


@pytest.mark.parametrize("args", [DEEP, DEEP_OBJECTS, HUGE, f'{{"name":{HUGE}}}', '{"name":1e999}'])
def test_deep_arguments_and_huge_numbers_fail_their_call_or_their_socket(
    attacked: ServerProcess, args: str
) -> None:
    with socket(attacked) as client:
        client.send(f'{{"type":"Connect","sessionId":"{SESSION}","connectionCount":0}}')
        call = f'"requestId":0,"udfPath":"counters:increment","args":[{args}]'
        client.send(f'{{"type":"Mutation",{call}}}')
        try:
            answer = json.loads(client.recv(timeout=30))
        except ConnectionClosed:
            return
        assert answer["type"] == "FatalError" or not answer["success"]


@pytest.mark.parametrize("number", [HUGE, "1e999", "-1", "1.5", str(2**64)])
def test_numbers_of_requests_are_bounded(attacked: ServerProcess, number: str) -> None:
    with socket(attacked) as client:
        client.send(f'{{"type":"Connect","sessionId":"{SESSION}","connectionCount":{number}}}')
        goes_on(client)
        assert ends(client) == ["FatalError"]


def test_a_compressed_message_that_grows_too_large_ends_its_socket(attacked: ServerProcess) -> None:
    # 80 KB that become 80 MB; what does not inflate; what was not agreed on (RSV1, masked with zeros).
    compressor = zlib.compressobj(wbits=-15)
    bomb = compressor.compress(b" " * 80_000_000) + compressor.flush(zlib.Z_SYNC_FLUSH)
    head = b"\xc1\xff" + len(bomb).to_bytes(8, "big") + bytes(4)
    for data, compression, code in [
        (head + bomb, "deflate", 1009),
        (b"\xc1\x85\x00\x00\x00\x00hello", "deflate", 1007),
        (b"\xc1\x85\x00\x00\x00\x00hello", None, 1002),
    ]:
        with socket(attacked, compression=compression) as client:
            assert client.response is not None
            assert ("Sec-WebSocket-Extensions" in client.response.headers) is (compression is not None)
            client.socket.sendall(data)
            assert ends(client) == []
            assert client.close_code == code


def test_a_compressed_request_is_refused(attacked: ServerProcess) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = httpx.post(f"{attacked.url}/api/query", content=b"x" * 100, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")


def test_names_of_fields_cannot_be_chosen_to_collide() -> None:
    # Python mixes a secret into the hash of every text, a new one in each process.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    program = "import sys; print(sys.flags.hash_randomization, hash('field'))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(3)
    }
    assert len(runs) == 3
    assert all(run.startswith("1 ") for run in runs)


def test_many_sockets_of_one_address_are_refused_and_others_are_not(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server()
    server.environment = {"REWAKE_LIMIT_SOCKETS_PER_ADDRESS_MAX": "2"}
    server.start()

    def come(address: str) -> ClientConnection:
        return socket(server, additional_headers={"X-Forwarded-For": address})

    with come("203.0.113.9"):
        with come("6.6.6.6, 203.0.113.9"):
            with pytest.raises(InvalidStatus) as refused, come("203.0.113.9"):
                pass
            assert refused.value.response.status_code == 429
            assert b"TooManyConcurrentRequests" in (refused.value.response.body or b"")
            with come("203.0.113.10"):
                pass
        # The closing handshake is over before the server has given the place back.
        for _ in range(100):
            with suppress(InvalidStatus), come("203.0.113.9"):
                break
        else:
            pytest.fail("the place was not given back")
    assert is_well(server)


def test_too_many_subscriptions_end_their_socket_for_good(make_server: Callable[..., ServerProcess]) -> None:
    server = make_server()
    server.environment = {"REWAKE_LIMIT_SOCKET_QUERIES_MAX": "5"}
    server.start()
    with RawClient(server.url) as client:
        for number in range(5):
            client.result(client.add("counters:get", {"name": str(number)}))
        client.add("counters:get", {"name": "one more"})
        message = client.receive()
        assert message["type"] == "FatalError"
        assert message["error"] == "Too many live queries on a single websocket (limit: 5)."
        with pytest.raises(SocketClosed):
            client.receive()
    assert is_well(server)
