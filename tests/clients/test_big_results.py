"""Results of 20 MB on the wire reach both families, each in the form it can take (wire 1.9).

A function may return 16 MiB, and bytes grow by a third on the wire.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.clients.client_host import ClientHost
from tests.clients.raw_client import RUST_HEADERS, RUST_PATH, RawClient
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients

SIZE = 15_500_000
REPEATS = 1_300_000
PATTERN = "0aé€🌊"
ARGS = {"size": SIZE, "name": "a"}
SECONDS = 60.0


def holds(value: Any, byte: int) -> bool:
    """Whether this is `SIZE` times that byte."""
    return base64.b64decode(value["$bytes"]) == bytes([byte]) * SIZE


def test_npm_puts_20_megabytes_together_from_chunks(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    watched = client.subscribe("big:data", ARGS)
    watched.wait_value(lambda value: holds(value, 0), seconds=SECONDS)
    assert npm.received().get("TransitionChunk", 0) >= 4
    # The socket is as good as before: the same query again, with another result.
    client.mutation("counters:increment", {"name": "a"}, seconds=SECONDS)
    watched.wait_value(lambda value: holds(value, 1), seconds=SECONDS)
    assert client.state()["connectionCount"] == 1


def test_npm_chunks_are_cut_between_characters(shared_server: ServerProcess, npm: ClientHost) -> None:
    value = npm.open(shared_server.url).query("big:text", {"repeats": REPEATS}, seconds=SECONDS)
    assert value == PATTERN * REPEATS
    assert npm.received().get("TransitionChunk", 0) >= 3


def test_pypi_takes_20_megabytes_in_fragments(server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(server.url)
    watched = client.subscribe("big:data", ARGS)
    watched.wait_value(lambda value: holds(value, 0), seconds=SECONDS)
    assert client.query("big:text", {"repeats": REPEATS}, seconds=SECONDS) == PATTERN * REPEATS
    client.mutation("counters:increment", {"name": "a"}, seconds=SECONDS)
    watched.wait_value(lambda value: holds(value, 1), seconds=SECONDS)


def test_npm_gets_results_compressed(shared_server: ServerProcess, npm: ClientHost) -> None:
    repeats = 20_000
    value = npm.open(shared_server.url).query("big:text", {"repeats": repeats}, seconds=SECONDS)
    assert value == PATTERN * repeats
    received = npm.received()
    assert received["open permessage-deflate"] == 1
    assert received["wireBytes"] < len(value.encode()) / 20


def test_npm_takes_20_megabytes_over_http(server: ServerProcess, npm: ClientHost) -> None:
    assert holds(npm.open_http(server.url).query("big:data", ARGS, seconds=SECONDS), 0)


def test_pypi_takes_20_megabytes_over_http(server: ServerProcess, pypi: ClientHost) -> None:
    assert holds(pypi.open_http(server.url).query("big:data", ARGS, seconds=SECONDS), 0)


def test_an_npm_socket_gets_chunks(server: ServerProcess) -> None:
    with RawClient(server.url) as client:
        assert holds(client.result(client.add("big:data", ARGS), seconds=SECONDS), 0)
        assert client.result(client.add("counters:get", {"name": "a"})) == 0
        assert client.chunks >= 4


def test_a_rust_socket_gets_one_message_in_several_frames(server: ServerProcess) -> None:
    with RawClient(server.url, path=RUST_PATH, headers=RUST_HEADERS) as client:
        # `RawClient` itself refuses a frame over 16 MiB and any chunk here.
        assert holds(client.result(client.add("big:data", ARGS), seconds=SECONDS), 0)
        assert client.result(client.add("counters:get", {"name": "a"})) == 0
        assert client.fragments_max >= 2


def test_a_result_beyond_the_limit_is_an_error_of_that_query_alone(
    server: ServerProcess, npm: ClientHost
) -> None:
    client = npm.open(server.url)
    watched = client.subscribe("big:data", {"size": 17_000_000, "name": "a"})
    assert "return value is too large" in str(watched.wait_error(seconds=SECONDS))
    assert client.query("counters:get", {"name": "a"}) == 0
