"""npm `ConvexHttpClient`: one request, one answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.client_host import ClientError, ClientHost
from tests.clients.conftest import installed_version
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["body"] for message in messages]


def test_the_packages_are_the_ones_we_promise_to_serve(node: str) -> None:
    assert installed_version("convex") == "1.48.0"


def test_a_query_sees_what_a_mutation_wrote(server: ServerProcess, npm: ClientHost) -> None:
    http = npm.open_http(server.url)
    assert http.query("messages:list_all") == []
    written = http.mutation("messages:send", {"author": "ada", "body": "hello"})
    [message] = http.query("messages:list_all")
    assert message["_id"] == written
    assert (message["author"], message["body"]) == ("ada", "hello")
    assert message["_creationTime"] > 1.6e12


def test_mutations_of_one_client_run_in_the_order_called(server: ServerProcess, npm: ClientHost) -> None:
    http = npm.open_http(server.url)
    pending = [
        http.call("mutation", "messages:send", {"author": "ada", "body": str(number)}) for number in range(10)
    ]
    for each in pending:
        each.wait()
    assert bodies(http.query("messages:list_all")) == [str(number) for number in range(10)]


def test_consistent_queries_see_no_write_that_came_in_between(server: ServerProcess, npm: ClientHost) -> None:
    reader, writer = npm.open_http(server.url), npm.open_http(server.url)
    writer.mutation("messages:send", {"author": "ada", "body": "before"})
    writer.mutation("counters:increment", {"name": "a"})
    # The first consistent query fixes the timestamp of all that follow on this client.
    assert bodies(reader.consistent_query("messages:list_all")) == ["before"]
    writer.mutation("messages:send", {"author": "ada", "body": "after"})
    writer.mutation("counters:increment", {"name": "a"})
    assert bodies(reader.consistent_query("messages:list_all")) == ["before"]
    assert reader.consistent_query("counters:get", {"name": "a"}) == 1
    assert reader.consistent_query("counters:get", {"name": "never"}) == 0
    # An ordinary query of the same client reads the present, and so does a new client's consistent one.
    assert bodies(reader.query("messages:list_all")) == ["before", "after"]
    assert npm.open_http(server.url).consistent_query("counters:get", {"name": "a"}) == 2


def test_an_application_error_becomes_a_convex_error(shared_server: ServerProcess, npm: ClientHost) -> None:
    http = npm.open_http(shared_server.url)
    data = {"code": "full", "left": 0.0, "who": ["ada"]}
    for path, kind in (
        ("failures:application_query", "query"),
        ("failures:application_mutation", "mutation"),
    ):
        with pytest.raises(ClientError) as raised:
            http.call(kind, path, {"data": data}).wait()
        assert raised.value.is_convex_error
        assert raised.value.data == data


def test_an_application_error_without_data_is_still_a_convex_error(
    shared_server: ServerProcess, npm: ClientHost
) -> None:
    with pytest.raises(ClientError) as raised:
        npm.open_http(shared_server.url).query("failures:application_query", {"data": None})
    assert raised.value.is_convex_error
    assert raised.value.data is None


def test_an_exception_is_an_error_with_the_authors_frames(
    shared_server: ServerProcess, npm: ClientHost
) -> None:
    with pytest.raises(
        ClientError, match=r"Server Error\nUncaught ValueError: boom\n    at plain_query"
    ) as raised:
        npm.open_http(shared_server.url).query("failures:plain_query")
    assert not raised.value.is_convex_error


def test_what_a_failed_mutation_wrote_is_gone(server: ServerProcess, npm: ClientHost) -> None:
    http = npm.open_http(server.url)
    with pytest.raises(ClientError, match="boom"):
        http.mutation("failures:plain_mutation")
    assert http.query("messages:list_all") == []


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("query", "nowhere:nothing", {}), "Could not find public function for 'nowhere:nothing'"),
        (("query", "failures:hidden", {}), "Could not find public function for 'failures:hidden'"),
        (("query", "counters:get", {}), "ArgumentValidationError"),
        (("query", "counters:get", {"name": 1.0}), "ArgumentValidationError"),
        (("query", "counters:get", {"name": "a", "more": 1.0}), "extra field `more`"),
        (("query", "counters:increment", {"name": "a"}), "Trying to execute counters.js:increment as Query"),
        (("mutation", "counters:get", {"name": "a"}), "Trying to execute counters.js:get as Mutation"),
        (("query", "failures:wrong_return", {}), "ReturnsValidationError"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    shared_server: ServerProcess, npm: ClientHost, call: tuple[str, str, dict[str, Any]], expected: str
) -> None:
    with pytest.raises(ClientError) as raised:
        npm.open_http(shared_server.url).call(*call).wait()
    assert expected in str(raised.value)
    assert not raised.value.is_convex_error
