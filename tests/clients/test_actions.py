"""Actions called by the official clients, which know nothing of where they run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.client_host import ClientError, ClientHost
from tests.clients.cuttable_proxy import CuttableProxy
from tests.clients.deadline import Deadline
from tests.clients.raw_client import RawClient, decode_ts
from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = pytest.mark.clients

LOST = "Transient error while executing action"


@pytest.fixture(params=["npm", "pypi"])
def host(request: pytest.FixtureRequest) -> ClientHost:
    """Each official client in turn."""
    host: ClientHost = request.getfixturevalue(request.param)
    return host


def post(server: ServerProcess, path: str, /, **args: Any) -> Any:
    answer = httpx.post(f"{server.url}/api/action", json={"path": path, "args": args}, timeout=30)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()


@pytest.mark.parametrize("name", ["record", "record_blocking"])
def test_a_client_gets_what_an_action_returns(
    shared_server: ServerProcess, host: ClientHost, name: str
) -> None:
    client = host.open(shared_server.url)
    source = f"{name} {host.program.name}"
    seen = client.subscribe("ledger:numbers", {"source": source})
    assert client.call("action", f"deeds:{name}", {"source": source, "number": 7.0}).wait() == 7
    seen.wait_value(lambda numbers: numbers == [7])


def test_errors_are_told_as_those_of_mutations_are(shared_server: ServerProcess, host: ClientHost) -> None:
    client = host.open(shared_server.url)
    with pytest.raises(ClientError, match="Uncaught ValueError: boom"):
        client.call("action", "deeds:fail").wait()
    with pytest.raises(ClientError, match="ArgumentValidationError"):
        client.call("action", "deeds:record", {"source": 3.0}).wait()
    with pytest.raises(ClientError, match="ReturnsValidationError"):
        client.call("action", "deeds:wrong_return").wait()
    with pytest.raises(ClientError, match="Could not find public function for 'later:act'"):
        client.call("action", "later:act").wait()
    with pytest.raises(ClientError, match="as Action, but it is defined as Mutation"):
        client.call("action", "ledger:record").wait()
    with pytest.raises(ClientError) as refused:
        client.call("action", "deeds:refuse", {"data": {"code": "full"}}).wait()
    assert refused.value.is_convex_error
    assert refused.value.data == {"code": "full"}


def test_actions_of_one_client_run_side_by_side(server: ServerProcess, npm: ClientHost) -> None:
    client = npm.open(server.url)
    waiting = [client.call("action", "deeds:wait_for", {"source": "a", "gate": "gate"}) for _ in range(10)]
    client.subscribe("ledger:numbers", {"source": "a"}).wait_value(lambda numbers: len(numbers) == 10)
    assert client.call("action", "deeds:echo", {"value": "between"}).wait() == "between"
    assert not any(each.is_settled for each in waiting)
    client.mutation("counters:increment", {"name": "gate"})
    assert [each.wait() for each in waiting] == [1] * 10


def test_blocking_code_in_one_action_stops_no_other_call(
    server: ServerProcess, npm: ClientHost, tmp_path: Path
) -> None:
    client = npm.open(server.url)
    blocked = [client.call("action", "deeds:block", {"file": str(tmp_path / "gate")}) for _ in range(5)]
    for number in range(10):
        assert client.mutation("ledger:record", {"source": "b", "number": float(number)}) == number
        assert client.call("action", "deeds:echo", {"value": number}).wait() == number
    assert not any(each.is_settled for each in blocked)
    (tmp_path / "gate").touch()
    assert [each.wait() for each in blocked] == ["unblocked"] * 5


def test_npm_gives_up_an_action_whose_connection_is_lost_and_the_server_goes_on(
    server: ServerProcess, npm: ClientHost
) -> None:
    witness = npm.open(server.url)
    done = witness.subscribe("ledger:numbers", {"source": "c"})
    with CuttableProxy(server.port) as proxy:
        client = npm.open(proxy.url)
        lost = client.call("action", "deeds:wait_for", {"source": "c", "gate": "gate"})
        done.wait_value(lambda numbers: numbers == [0])
        proxy.cut()
        proxy.mend()
        with pytest.raises(ClientError, match="Connection lost while action was in flight"):
            lost.wait(seconds=40)
    witness.mutation("counters:increment", {"name": "gate"})
    done.wait_value(lambda numbers: numbers == [0, 1])
    assert done.values[-1] == [0, 1], "it ran once, to its end"


def test_a_transition_that_covers_it_follows_every_answer(server: ServerProcess) -> None:
    with RawClient(server.url) as client:
        numbers = client.add("ledger:numbers", {"source": "d"})
        assert client.result(numbers) == []
        client.send(
            {
                "type": "Action",
                "requestId": 0,
                "udfPath": "deeds:record",
                "args": [{"source": "d", "number": 1.0}],
            }
        )
        response = client.response(0)
        assert response["type"] == "ActionResponse"
        assert (response["success"], response["result"]) == (True, 1.0)
        assert response["logLines"] == ["[LOG] 'recording' 1"]
        assert "ts" not in response or decode_ts(response["ts"]) >= 0
        client.wait_result(numbers, lambda value: value == [1.0])


def test_an_action_over_http(shared_server: ServerProcess) -> None:
    assert post(shared_server, "deeds:record", source="http", number=3) == {
        "status": "success",
        "value": 3.0,
        "logLines": ["[LOG] 'recording' 3"],
    }
    failed = post(shared_server, "deeds:fail")
    assert failed["status"] == "error"
    assert "Uncaught ValueError: boom" in failed["errorMessage"]
    assert failed["logLines"] == ["[LOG] 'about to fail'"]
    assert post(shared_server, "deeds:refuse", data=[1])["errorData"] == [1]


@pytest.mark.parametrize("arguments", [("--workers", "0"), ("--workers", "1")], ids=["inline", "workers"])
def test_more_than_the_limit_at_once_are_refused_with_429(
    make_server: Callable[..., ServerProcess], arguments: tuple[str, ...], npm: ClientHost
) -> None:
    server = make_server(PROJECT, *arguments)
    server.environment = {"REWAKE_LIMIT_ACTIONS_RUNNING_MAX": "2", "REWAKE_LIMIT_ACTION_WAIT_SECONDS": "0.1"}
    server.start()
    client = npm.open(server.url)
    waiting = [client.call("action", "deeds:wait_for", {"source": "e", "gate": "g"}) for _ in range(2)]
    client.subscribe("ledger:numbers", {"source": "e"}).wait_value(lambda numbers: len(numbers) == 2)
    body = {"path": "deeds:process", "args": {}}
    answer = httpx.post(f"{server.url}/api/action", json=body, timeout=30)
    assert answer.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert answer.json() == {
        "code": "TooManyConcurrentRequests",
        "message": "Too many concurrent requests. Your backend is limited to 2 concurrent actions. To "
        "resolve, wait for running actions to finish or raise the setting actions_running_max.",
    }
    client.mutation("counters:increment", {"name": "g"})
    assert [each.wait() for each in waiting] == [1, 1]


def test_more_than_1000_in_flight_on_one_socket_close_it(server: ServerProcess) -> None:
    with RawClient(server.url) as client:
        for number in range(1_001):
            args = [{"source": "f", "gate": "never"}]
            client.send({"type": "Action", "requestId": number, "udfPath": "deeds:wait_for", "args": args})
        closed = client.wait_close()
    assert closed.code == 1013
    assert closed.reason == "TooManyInflightActionsForSingleClient"


def test_an_action_whose_process_is_killed_fails_and_the_next_one_runs(
    server: ServerProcess, host: ClientHost
) -> None:
    process = post(server, "deeds:process")["value"]
    lost = host.open(server.url).call("action", "deeds:wait_for", {"source": "g", "gate": "never"})
    with RawClient(server.url) as witness:
        numbers = witness.add("ledger:numbers", {"source": "g"})
        witness.wait_result(numbers, lambda value: value == [0])
        os.kill(int(process), signal.SIGKILL)
        with pytest.raises(ClientError, match=LOST):
            lost.wait()
        assert post(server, "deeds:process")["value"] != process
        assert witness.result(numbers) == [0]


def test_a_server_that_stops_gives_actions_a_little_time_and_no_more(server: ServerProcess) -> None:
    server.stop()
    server.environment = {"REWAKE_LIMIT_ACTION_GRACE_SECONDS": "0.2"}
    server.start()
    with RawClient(server.url) as client:
        for number in range(20):
            args = [{"source": "h", "gate": "never"}]
            client.send({"type": "Action", "requestId": number, "udfPath": "deeds:wait_for", "args": args})
        client.wait_result(client.add("ledger:numbers", {"source": "h"}), lambda value: len(value) == 20)
        deadline = Deadline(9.0)  # After ten seconds `stop` uses force.
        server.stop()
        assert not deadline.is_over
        assert client.wait_close().code == 1001
