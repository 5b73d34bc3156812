"""PyPI `convex` 0.8.1: the socket client, its subscriptions, and the HTTP client."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients.client_host import ClientError, ClientHost
from tests.clients.json_program import JsonProgram
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients

DATA: list[Any] = [{"code": "full", "left": 0.0}, "words", 3.0, None, [{"$integer": "AQAAAAAAAAA="}]]


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["body"] for message in messages]


def test_the_package_is_the_one_we_promise_to_serve() -> None:
    assert importlib.metadata.version("convex") == "0.8.1"


def test_a_query_sees_what_a_mutation_wrote(server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(server.url)
    assert client.query("messages:list_all") == []
    key = client.mutation("messages:send", {"author": "ada", "body": "hello"})
    [message] = client.query("messages:list_all")
    assert (message["_id"], message["author"], message["body"]) == (key, "ada", "hello")


def test_a_subscription_iterates_over_what_others_write(
    server: ServerProcess, pypi: ClientHost, run_program: Callable[..., JsonProgram]
) -> None:
    loop = run_program("pypi_iterate.py", server.url, "messages:list_all", "{}")
    loop.wait(lambda event: event["value"] == [])
    writer = pypi.open(server.url)
    for number in range(3):
        writer.mutation("messages:send", {"author": "ada", "body": str(number)})
    loop.wait(lambda event: bodies(event["value"]) == ["0", "1", "2"])
    lengths = [len(event["value"]) for event in loop.events]
    assert lengths == sorted(lengths), "no answer goes back"


def test_two_subscriptions_with_different_arguments_are_two(server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(server.url)
    one = client.subscribe("counters:get", {"name": "one"})
    two = client.subscribe("counters:get", {"name": "two"})
    for each in (one, two):
        each.wait_value(lambda value: value == 0)
    client.mutation("counters:increment", {"name": "two"})
    two.wait_value(lambda value: value == 1)
    # This family hands out the last answer again whenever anything changed.
    assert set(one.values) == {0}


def test_both_families_see_each_other(server: ServerProcess, pypi: ClientHost, npm: ClientHost) -> None:
    python, javascript = pypi.open(server.url), npm.open(server.url)
    seen = [client.subscribe("messages:list_all") for client in (python, javascript)]
    for each in seen:
        each.wait_value(lambda messages: messages == [])
    python.mutation("messages:send", {"author": "python", "body": "from Python"})
    javascript.mutation("messages:send", {"author": "javascript", "body": "from JavaScript"})
    for each in seen:
        each.wait_value(lambda messages: bodies(messages) == ["from Python", "from JavaScript"])


def test_a_query_error_with_data_is_a_convex_error(shared_server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(shared_server.url)
    for data in DATA:
        with pytest.raises(ClientError) as raised:
            client.query("failures:application_query", {"data": data})
        assert raised.value.is_convex_error
        assert raised.value.data == data


def test_a_mutation_works_after_one_that_failed_with_data(server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(server.url)
    for count, data in enumerate(DATA, start=1):
        # This family waits for the next Transition before it raises: without one it would hang here.
        with pytest.raises(ClientError) as raised:
            client.mutation("failures:application_mutation", {"data": data})
        assert raised.value.is_convex_error
        assert raised.value.data == data
        assert client.mutation("counters:increment", {"name": "a"}) == count


def test_a_plain_exception_is_an_error_without_data(server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open(server.url)
    for kind, path in (("query", "failures:plain_query"), ("mutation", "failures:plain_mutation")):
        with pytest.raises(ClientError, match="Uncaught ValueError: boom") as raised:
            client.call(kind, path).wait()
        assert not raised.value.is_convex_error
    assert client.query("messages:list_all") == []


@pytest.mark.parametrize(
    ("path", "args", "expected"),
    [
        ("nowhere:nothing", {}, "Could not find public function for 'nowhere:nothing'"),
        ("counters:get", {"name": 1}, "ArgumentValidationError"),
        ("failures:wrong_return", {}, "ReturnsValidationError"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    shared_server: ServerProcess, pypi: ClientHost, path: str, args: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ClientError, match=expected):
        pypi.open(shared_server.url).query(path, args)


def test_an_error_of_a_live_query_passes(server: ServerProcess, pypi: ClientHost) -> None:
    client, writer = pypi.open(server.url), pypi.open(server.url)
    watched = client.subscribe("failures:while_positive", {"name": "fever"})
    watched.wait_value(lambda value: value == "calm")
    writer.mutation("counters:increment", {"name": "fever"})
    assert watched.wait_error().data == {"value": 1}
    writer.mutation("counters:increment", {"name": "fever", "by": -1})
    watched.wait_value(lambda value: value == "calm")


def test_the_http_client_calls_and_fails_alike(server: ServerProcess, pypi: ClientHost) -> None:
    client = pypi.open_http(server.url)
    assert client.mutation("counters:increment", {"name": "a", "by": 2}) == 2
    assert client.query("counters:get", {"name": "a"}) == 2
    for data in DATA:
        for kind, path in (
            ("query", "failures:application_query"),
            ("mutation", "failures:application_mutation"),
        ):
            with pytest.raises(ClientError) as raised:
                client.call(kind, path, {"data": data}).wait()
            assert raised.value.is_convex_error
            assert raised.value.data == data
    with pytest.raises(ClientError, match="Uncaught ValueError: boom") as raised:
        client.query("failures:plain_query")
    assert not raised.value.is_convex_error
