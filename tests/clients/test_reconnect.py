"""The wire is cut; what was queued, sent or half answered is carried out exactly once all the same.

npm waits about a second before it connects again, so each test cuts once or twice.
"""

from __future__ import annotations

import uuid

import httpx
import pytest

from tests.clients.client_host import ClientHost
from tests.clients.cuttable_proxy import CuttableProxy
from tests.clients.raw_client import RUST_HEADERS, RUST_PATH, RawClient, SocketClosed, decode_ts
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients


def test_mutations_queued_while_offline_run_once_and_in_order(server: ServerProcess, npm: ClientHost) -> None:
    witness = npm.open(server.url)
    with CuttableProxy(server.port) as proxy:
        client = npm.open(proxy.url)
        seen = client.subscribe("ledger:numbers", {"source": "npm"})
        seen.wait_value(lambda numbers: numbers == [])
        proxy.cut()
        queued = [
            client.call("mutation", "ledger:record", {"source": "npm", "number": float(number)})
            for number in range(20)
        ]
        assert client.state()["inflightMutations"] == 20
        # The live query of a client without a connection keeps its last answer and says nothing.
        assert seen.values == [[]]
        proxy.mend()
        assert [each.wait(seconds=40) for each in queued] == list(range(20))
        assert witness.query("ledger:numbers", {"source": "npm"}) == list(range(20))
        assert witness.query("ledger:total") == 20
        assert seen.values[-1] == list(range(20))
        assert client.state()["connectionCount"] == 2


def test_mutations_whose_answers_were_lost_are_not_run_again(server: ServerProcess, npm: ClientHost) -> None:
    witness = npm.open(server.url)
    carried_out = witness.subscribe("ledger:total")
    with CuttableProxy(server.port) as proxy:
        client = npm.open(proxy.url)
        counter = client.subscribe("counters:get", {"name": "entries"})
        counter.wait_value(lambda value: value == 0)
        proxy.deafen()
        sent = [
            client.call("mutation", "ledger:record", {"source": "npm", "number": float(number)})
            for number in range(5)
        ]
        carried_out.wait_value(lambda total: total == 5)
        proxy.wait_dropped(10)
        assert not any(each.is_settled for each in sent), "the answers were lost on the way"
        proxy.cut()
        proxy.mend()
        assert [each.wait(seconds=40) for each in sent] == [0, 1, 2, 3, 4]
        assert witness.query("ledger:numbers", {"source": "npm"}) == [0, 1, 2, 3, 4]
        assert counter.values[-1] == 5


def test_what_others_wrote_meanwhile_is_there_after_the_reconnect(
    server: ServerProcess, npm: ClientHost
) -> None:
    writer = npm.open(server.url)
    with CuttableProxy(server.port) as proxy:
        client = npm.open(proxy.url)
        counter = client.subscribe("counters:get", {"name": "a"})
        untouched = client.subscribe("counters:get", {"name": "b"})
        counter.wait_value(lambda value: value == 0)
        untouched.wait_value(lambda value: value == 0)
        proxy.cut()
        for _ in range(3):
            writer.mutation("counters:increment", {"name": "a"})
        proxy.mend()
        counter.wait_value(lambda value: value == 3, seconds=40)
        assert counter.values == [0, 3], "no flash of loading, nothing twice"


def test_pypi_reconnects_and_goes_on(server: ServerProcess, pypi: ClientHost) -> None:
    with CuttableProxy(server.port) as proxy:
        client = pypi.open(proxy.url)
        counter = client.subscribe("counters:get", {"name": "a"})
        counter.wait_value(lambda value: value == 0)
        assert client.mutation("counters:increment", {"name": "a"}) == 1.0
        proxy.cut()
        proxy.mend()
        # A change past the client shows when it is back. A call in flight just then is replayed under a new
        # session and may fail in this family ("channel closed"); this one is not in flight.
        body = {"path": "counters:increment", "args": {"name": "a"}}
        assert httpx.post(f"{server.url}/api/mutation", json=body).json()["status"] == "success"
        counter.wait_value(lambda value: value == 2, seconds=40)
        assert client.mutation("counters:increment", {"name": "a"}, seconds=40) == 3.0
        counter.wait_value(lambda value: value == 3, seconds=40)


def test_a_returning_rust_client_gets_the_answers_to_its_replays_first(shared_server: ServerProcess) -> None:
    # It would take an earlier Transition for the one it missed, settle the mutation, and then trip over the
    # answer to its replay: a storm of reconnects.
    flavour = {"path": RUST_PATH, "headers": RUST_HEADERS, "connection_count": 1}
    with RawClient(shared_server.url, **flavour) as client:  # type: ignore[arg-type]
        with client.together():
            client.modify()
            requests = [client.mutate("counters:increment", {"name": "a"}) for _ in range(3)]
        client.settle(requests[-1])
        assert client.heard[:3] == [f"MutationResponse {request}" for request in requests]


def test_both_families_live_through_an_orderly_restart(
    server: ServerProcess, npm: ClientHost, pypi: ClientHost
) -> None:
    clients = [npm.open(server.url), pypi.open(server.url)]
    counters = [client.subscribe("counters:get", {"name": "a"}) for client in clients]
    for counter in counters:
        counter.wait_value(lambda value: value == 0)
    server.stop()
    server.start()
    for client in clients:
        client.mutation("counters:increment", {"name": "a"}, seconds=40)
    for counter in counters:
        counter.wait_value(lambda value: value == 2, seconds=40)


def test_a_replay_gets_the_first_answer_and_its_timestamp(server: ServerProcess) -> None:
    session = str(uuid.uuid4())
    args = {"source": "raw", "number": 1.0}
    with RawClient(server.url, session_id=session) as first:
        answer = first.settle(first.mutate("ledger:record", args))
        ts = first.version.ts
    with RawClient(server.url, session_id=session, connection_count=1, max_observed=ts) as again:
        replayed = again.settle(again.mutate("ledger:record", args, request_id=0))
        assert (replayed["result"], replayed["ts"]) == (answer["result"], answer["ts"])
        fresh = again.settle(again.mutate("ledger:record", args, request_id=1))
        assert decode_ts(fresh["ts"]) > decode_ts(answer["ts"])
        assert again.result(again.add("ledger:numbers", {"source": "raw"})) == [1, 1]


def test_two_sockets_of_one_session_that_overlap_carry_out_a_request_once(server: ServerProcess) -> None:
    session = str(uuid.uuid4())
    with RawClient(server.url, session_id=session) as old, RawClient(server.url, session_id=session) as new:
        for number in range(20):
            for socket in (old, new):
                socket.mutate("ledger:record", {"source": "overlap", "number": float(number)})
        answers = [
            [(socket.settle(number)["result"], socket.settle(number)["ts"]) for number in range(20)]
            for socket in (old, new)
        ]
        assert answers[0] == answers[1]
        assert new.result(new.add("ledger:numbers", {"source": "overlap"})) == list(range(20))


def test_the_same_request_of_another_session_is_another_request(server: ServerProcess) -> None:
    with RawClient(server.url) as one, RawClient(server.url) as two:
        for socket in (one, two):
            socket.settle(socket.mutate("counters:increment", {"name": "a"}, request_id=0))
        assert two.result(two.add("counters:get", {"name": "a"})) == 2


def test_a_failure_is_not_recorded_so_its_replay_runs_again(server: ServerProcess) -> None:
    session = str(uuid.uuid4())
    with RawClient(server.url, session_id=session) as first:
        failed = first.settle(first.mutate("failures:application_mutation", {"data": "no"}))
        assert (failed["success"], failed["errorData"]) == (False, "no")
    with RawClient(server.url, session_id=session, connection_count=1) as again:
        answer = again.settle(again.mutate("counters:increment", {"name": "a"}, request_id=0))
        assert (answer["success"], answer["result"]) == (True, 1)


def test_a_client_that_saw_the_future_is_not_served_the_past(shared_server: ServerProcess) -> None:
    client = RawClient(shared_server.url, connection_count=1, max_observed=2**62)
    closed: SocketClosed = client.wait_close()
    assert closed.code == 1011
    assert closed.reason == "InternalServerError"
