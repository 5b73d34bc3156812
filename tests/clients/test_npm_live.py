"""npm `ConvexClient`: live queries over one socket."""

from __future__ import annotations

import uuid

import pytest

from tests.clients.client_host import ClientError, ClientHost
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients


def test_what_one_client_writes_the_other_sees(server: ServerProcess, npm: ClientHost) -> None:
    ada, grace = npm.open(server.url), npm.open(server.url)
    seen = grace.subscribe("messages:list_all")
    assert seen.wait_value(lambda messages: messages == []) == []
    for number in range(5):
        ada.mutation("messages:send", {"author": "ada", "body": str(number)})
    seen.wait_value(lambda messages: len(messages) == 5)
    lengths = [len(messages) for messages in seen.values]
    assert lengths == sorted(lengths), "no update goes back"
    assert [message["body"] for message in seen.values[-1]] == ["0", "1", "2", "3", "4"]


def test_after_a_mutation_the_clients_own_queries_show_it(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    counter = client.subscribe("counters:get", {"name": "a"})
    counter.wait_value(lambda value: value == 0)
    for expected in range(1, 21):
        assert client.mutation("counters:increment", {"name": "a"}) == expected
        # The callback ran before the promise settled: no waiting here.
        assert counter.values[-1] == expected


def test_a_write_elsewhere_wakes_nobody(server: ServerProcess, npm: ClientHost) -> None:
    client, writer = npm.open(server.url), npm.open(server.url)
    quiet = client.subscribe("counters:get", {"name": "quiet"})
    loud = client.subscribe("counters:get", {"name": "loud"})
    quiet.wait_value(lambda value: value == 0)
    for _ in range(3):
        writer.mutation("counters:increment", {"name": "loud"})
    loud.wait_value(lambda value: value == 3)
    assert quiet.values == [0]


def test_queries_of_one_client_change_together(server: ServerProcess, npm: ClientHost) -> None:
    client, writer = npm.open(server.url), npm.open(server.url)
    numbers = client.subscribe("ledger:numbers", {"source": "x"})
    total = client.subscribe("ledger:total")
    total.wait_value(lambda value: value == 0)
    pending = [
        writer.call("mutation", "ledger:record", {"source": "x", "number": float(number)})
        for number in range(30)
    ]
    for each in pending:
        each.wait()
    total.wait_value(lambda value: value == 30)
    numbers.wait_value(lambda value: len(value) == 30)
    # Both come from one Transition each time, so at no moment did the pair disagree: between two updates of
    # the one there is exactly one of the other, with the same count.
    assert [len(value) for value in numbers.values] == total.values


def test_errors_of_live_queries_come_and_go(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    watched = client.subscribe("failures:while_positive", {"name": "fever"})
    watched.wait_value(lambda value: value == "calm")
    client.mutation("counters:increment", {"name": "fever", "by": 2.0})
    error = watched.wait_error()
    assert error.is_convex_error
    assert error.data == {"value": 2}
    client.mutation("counters:increment", {"name": "fever", "by": -2.0})
    watched.wait_value(lambda value: value == "calm")


def test_mutation_errors_carry_their_data(shared_server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(shared_server.url)
    for data in ({"code": "full"}, "words", 3.0, None, [{"$integer": "AQAAAAAAAAA="}]):
        with pytest.raises(ClientError) as raised:
            client.mutation("failures:application_mutation", {"data": data})
        assert raised.value.is_convex_error
        assert raised.value.data == data


def test_an_exception_rejects_the_promise_and_breaks_nothing(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    with pytest.raises(ClientError, match=r"\[CONVEX M\(failures:plain_mutation\)\].*Server Error") as raised:
        client.mutation("failures:plain_mutation")
    assert not raised.value.is_convex_error
    assert "Uncaught ValueError: boom" in str(raised.value)
    assert client.query("messages:list_all") == []
    assert client.state()["connectionCount"] == 1


def test_a_mutation_after_a_failed_one_keeps_its_place(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    first = client.call("mutation", "counters:increment", {"name": "a"})
    failed = client.call("mutation", "failures:application_mutation", {"data": "no"})
    last = client.call("mutation", "counters:increment", {"name": "a"})
    assert first.wait() == 1
    with pytest.raises(ClientError, match="no"):
        failed.wait()
    assert last.wait() == 2


def test_two_clients_on_one_session_carry_out_a_request_once(
    shared_server: ServerProcess, npm: ClientHost
) -> None:
    session = str(uuid.uuid4())
    one, two = npm.open(shared_server.url, session=session), npm.open(shared_server.url, session=session)
    # Both count their requests from 0, so the second is a replay of the first as far as the server can tell.
    answers = [
        client.call("mutation", "ledger:record", {"source": "session", "number": 7.0})
        for client in (one, two)
    ]
    assert [answer.wait() for answer in answers] == [7, 7]
    assert one.query("ledger:numbers", {"source": "session"}) == [7]


def test_an_unsubscribed_query_is_quiet_and_the_others_go_on(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    stopped = client.subscribe("counters:get", {"name": "a"})
    stopped.wait_value(lambda value: value == 0)
    going = client.subscribe("messages:list_all")
    going.wait_value(lambda messages: messages == [])
    stopped.stop()
    client.mutation("counters:increment", {"name": "a"})
    client.mutation("messages:send", {"author": "ada", "body": "still here"})
    going.wait_value(lambda messages: len(messages) == 1)
    assert stopped.values == [0]


def test_thousands_of_queries_share_one_socket(server: ServerProcess, npm: ClientHost) -> None:
    client, writer = npm.open(server.url), npm.open(server.url)
    names = [f"counter-{number}" for number in range(3000)]
    watched = {name: client.subscribe("counters:get", {"name": name}) for name in names}
    program = npm.program

    def count_answered() -> bool | None:
        answered = {event["id"] for event in program.events if event["event"] == "update"}
        return True if len(answered) == len(names) else None

    program.wait_for(count_answered, seconds=60)
    before = len(program.events)
    writer.mutation("counters:increment", {"name": "counter-1234"})
    watched["counter-1234"].wait_value(lambda value: value == 1)
    writer.mutation("counters:increment", {"name": "counter-2999"})
    watched["counter-2999"].wait_value(lambda value: value == 1)
    woken = [event["id"] for event in program.events[before:] if event["event"] == "update"]
    assert woken == [watched["counter-1234"].number, watched["counter-2999"].number]
    assert client.state()["connectionCount"] == 1
