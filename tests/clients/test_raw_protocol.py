"""The sync protocol as a strict client sees it: every rule of wire 1.7 is asserted by `RawClient` itself."""

from __future__ import annotations

import random
from functools import partial
from operator import eq
from typing import Any

import pytest

from tests.clients.raw_client import RUST_HEADERS, RUST_PATH, QueryFailure, RawClient, decode_ts
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/1.48.0/sync", {}),
        ("//api/1.48.0/sync", {}),
        ("/api/sync", {}),
        (RUST_PATH, RUST_HEADERS),
    ],
)
def test_every_address_that_clients_use_is_served(
    shared_server: ServerProcess, path: str, headers: dict[str, str]
) -> None:
    with RawClient(shared_server.url, path=path, headers=headers) as client:
        assert client.result(client.add("counters:get", {"name": "never"})) == 0


def test_an_empty_query_set_gets_its_transition(shared_server: ServerProcess) -> None:
    with RawClient(shared_server.url) as client:
        client.modify()
        client.until(lambda: client.version.query_set == 1)
        assert client.transitions[-1]["modifications"] == []


def test_the_response_comes_before_the_transition_that_shows_the_write(server: ServerProcess) -> None:
    with RawClient(server.url) as client:
        counter = client.add("counters:get", {"name": "a"})
        assert client.result(counter) == 0
        for expected in range(1, 30):
            shown_before = client.version.ts
            request = client.mutate("counters:increment", {"name": "a"})
            response = client.response(request)
            assert client.result(counter) == expected - 1, "the write was shown before its response"
            assert client.version.ts < decode_ts(response["ts"])
            assert client.version.ts >= shown_before
            client.settle(request)
            assert client.result(counter) == expected


def test_no_transition_overtakes_the_response_of_a_mutation_that_it_covers(server: ServerProcess) -> None:
    # Many at once: a Transition that already holds the next mutation of this client, whose response is still
    # to come, would be shown by npm with the optimistic update on top: one too many for a moment.
    with RawClient(server.url) as client:
        counter = client.add("counters:get", {"name": "a"})
        assert client.result(counter) == 0
        requests = [client.mutate("counters:increment", {"name": "a"}) for _ in range(300)]
        for request in requests:
            response = client.response(request)
            assert client.version.ts < decode_ts(response["ts"]), f"mutation {request} was overtaken"
        client.settle(requests[-1])
        assert client.result(counter) == 300


def test_a_transition_follows_every_response_also_a_failure(shared_server: ServerProcess) -> None:
    with RawClient(shared_server.url) as client:
        for path, args in (
            ("failures:plain_mutation", {}),
            ("failures:application_mutation", {"data": None}),
            ("nowhere:nothing", {}),
        ):
            response = client.settle(client.mutate(path, args))
            assert not response["success"]
            assert ("errorData" in response) == (path == "failures:application_mutation")


def test_many_sockets_and_changing_query_sets_keep_every_rule(server: ServerProcess) -> None:
    chance = random.Random(11)
    names = [f"counter-{number}" for number in range(6)]
    clients = [RawClient(server.url) for _ in range(4)]
    expected = dict.fromkeys(names, 0)
    requests: list[tuple[RawClient, int]] = []
    wanted: dict[RawClient, dict[int, str]] = {client: {} for client in clients}
    for _ in range(120):
        client = chance.choice(clients)
        live = wanted[client]
        if chance.random() < 0.5:
            name = chance.choice(names)
            expected[name] += 1
            requests.append((client, client.mutate("counters:increment", {"name": name})))
        else:
            removed = [query for query in live if chance.random() < 0.4]
            added_names = chance.sample(names, chance.randrange(3))
            added = client.modify(
                add=[("counters:get", {"name": name}) for name in added_names], remove=removed
            )
            for query in removed:
                del live[query]
            live.update(zip(added, added_names, strict=True))
    for client, request in requests:
        assert client.settle(request)["success"]
    for client, live in wanted.items():
        for query, name in live.items():
            assert client.wait_result(query, partial(eq, expected[name])) == expected[name]
        client.close()


def test_an_add_and_its_remove_in_one_go_are_answered(server: ServerProcess) -> None:
    with RawClient(server.url) as client:
        gone = client.add("counters:get", {"name": "a"})
        client.remove(gone)
        kept = client.add("counters:get", {"name": "b"})
        assert client.result(kept) == 0
        client.until(lambda: gone not in client.queries)


def test_an_unchanged_result_is_not_sent_again(server: ServerProcess) -> None:
    with RawClient(server.url) as client:
        calm = client.add("failures:while_positive", {"name": "a"})
        assert client.result(calm) == "calm"
        # Each write wakes the query, which gives the same answer; `RawClient` would refuse a repetition.
        for _ in range(3):
            client.settle(client.mutate("counters:increment", {"name": "a", "by": -1.0}))
        assert client.queries[calm].updates == 1


def test_one_query_of_a_set_may_fail_alone(shared_server: ServerProcess) -> None:
    with RawClient(shared_server.url) as client:
        fails, works = client.modify(
            add=[("failures:application_query", {"data": {"a": 1.0}}), ("counters:get", {"name": "never"})]
        )
        with pytest.raises(QueryFailure) as raised:
            client.result(fails)
        assert raised.value.modification["errorData"] == {"a": 1.0}
        assert client.result(works) == 0


def test_the_request_id_of_a_mutation_follows_from_its_session(shared_server: ServerProcess) -> None:
    with RawClient(shared_server.url, session_id="3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f") as client:
        response = client.settle(client.mutate("failures:plain_mutation"))
        assert response["result"].startswith(
            "[Request ID: 0b7f6589656abd68] Server Error\nUncaught ValueError"
        )


def test_logging_out_is_answered_by_a_new_identity_version(shared_server: ServerProcess) -> None:
    with RawClient(shared_server.url) as client:
        client.authenticate("None")
        counter = client.add("counters:get", {"name": "never"})
        assert client.result(counter) == 0
        client.until(lambda: client.version.identity == 1)


def test_a_token_that_cannot_be_checked_is_refused_with_an_auth_error(shared_server: ServerProcess) -> None:
    client = RawClient(shared_server.url)
    client.authenticate("User", value="not a token")
    error = client.receive()
    assert (error["type"], error["baseVersion"], error["authUpdateAttempted"]) == ("AuthError", 0, True)
    client.wait_close()


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("Received Invalid JSON on websocket", {"type": "Unheard"}),
    ("Received Invalid JSON on websocket", {"type": "Mutation", "requestId": 0}),
    ("Received Invalid JSON on websocket", {"type": "Connect", "sessionId": "x", "connectionCount": 0}),
    (
        "Base version 3 passed up doesn't match the current version 0",
        {"type": "ModifyQuerySet", "baseVersion": 3, "newVersion": 4, "modifications": []},
    ),
]


@pytest.mark.parametrize(("expected", "message"), BROKEN)
def test_a_client_bug_is_fatal_for_its_socket_only(
    shared_server: ServerProcess, expected: str, message: dict[str, Any]
) -> None:
    with RawClient(shared_server.url) as bystander:
        counter = bystander.add("counters:get", {"name": "a"})
        value = bystander.result(counter)
        broken = RawClient(shared_server.url, says_connect=message["type"] != "Connect")
        broken.send(message)
        fatal = broken.receive()
        assert fatal["type"] == "FatalError"
        assert expected in fatal["error"]
        broken.wait_close()
        bystander.settle(bystander.mutate("counters:increment", {"name": "a"}))
        assert bystander.result(counter) == value + 1


def test_text_that_is_not_json_is_fatal(shared_server: ServerProcess) -> None:
    client = RawClient(shared_server.url)
    client.socket.send("{not json")
    assert "Received Invalid JSON on websocket" in client.receive()["error"]
    client.wait_close()


def test_a_binary_message_is_an_error(shared_server: ServerProcess) -> None:
    client = RawClient(shared_server.url)
    client.socket.send(b"{}")
    assert client.wait_close().code == 1011
