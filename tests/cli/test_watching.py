"""A live query in the terminal: the state machine by itself, then with a server that goes and comes back."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake.cli.watching import Refused, Watch
from tests.cli.command import Running, free_port, run_apart


def transition(ts: str, *modifications: dict[str, Any]) -> str:
    return json.dumps({"type": "Transition", "endVersion": {"ts": ts}, "modifications": modifications})


def updated(value: Any, *, journal: str | None = None, log_lines: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"type": "QueryUpdated", "queryId": 0, "value": value, "journal": journal, "logLines": log_lines}


@pytest.fixture
def watch() -> Watch:
    return Watch("m:f", {"n": 1}, admin_key="k|1", session_id="s")


def test_a_socket_opens_with_three_messages(watch: Watch) -> None:
    connect, authenticate, modify = map(json.loads, watch.open(close_reason="x"))
    assert connect == {
        "type": "Connect",
        "sessionId": "s",
        "connectionCount": 0,
        "lastCloseReason": "InitialConnect",
    }
    assert authenticate == {"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": "k|1"}
    assert modify["modifications"] == [
        {"type": "Add", "queryId": 0, "udfPath": "m:f", "args": [{"n": 1}], "journal": None}
    ]


def test_a_later_socket_says_what_was_seen(watch: Watch) -> None:
    list(watch.open(close_reason="x"))
    watch.hear(transition("AQAAAAAAAAA=", updated(1.0, journal="j")))
    connect, _, modify = map(json.loads, watch.open(close_reason="gone"))
    assert connect["connectionCount"] == 1
    assert connect["lastCloseReason"] == "gone"
    assert connect["maxObservedTimestamp"] == "AQAAAAAAAAA="
    assert modify["modifications"][0]["journal"] == "j"


def test_values_are_given_in_their_readable_form(watch: Watch) -> None:
    (answer,) = watch.hear(
        transition("a", updated({"n": {"$integer": "AQAAAAAAAAA="}}, log_lines=("[LOG] 1",)))
    )
    assert (answer.value, answer.log_lines) == ('{"n":"1"}', ("[LOG] 1",))


def test_the_same_again_is_no_news(watch: Watch) -> None:
    assert watch.hear(transition("a", updated(1.0)))
    assert not watch.hear(transition("b", updated(1.0)))
    assert not watch.hear(transition("c"))
    assert watch.hear(transition("d", updated(2.0)))


@pytest.mark.parametrize("data", [None, {"code": "full"}, "absent"])
def test_failures_are_answers(watch: Watch, data: Any) -> None:
    failed = {"type": "QueryFailed", "queryId": 0, "errorMessage": "no", "logLines": [], "journal": None}
    if data != "absent":
        failed["errorData"] = data
    (answer,) = watch.hear(transition("a", failed))
    assert (answer.value, answer.error) == (None, "no")
    assert answer.data == (None if data == "absent" else (data,))


def test_pings_and_removals_are_no_news(watch: Watch) -> None:
    assert not watch.hear('{"type": "Ping"}')
    assert not watch.hear(transition("a", {"type": "QueryRemoved", "queryId": 0}))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "AuthError", "error": "no", "baseVersion": 0}, "refuses this admin key"),
        ({"type": "FatalError", "error": "Base version"}, "Base version"),
    ],
)
def test_a_refusal_ends_it(watch: Watch, message: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused, match=text):
        watch.hear(json.dumps(message))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(project: Path, port: int) -> Iterator[Running]:
    with Running("serve", ".", "--port", str(port), cwd=project) as running:
        running.wait_for("ready at")
        yield running


def send(project: Path, body: str) -> None:
    assert run_apart("run", "messages:send", f"body={body}", cwd=project).code == 0


def test_each_new_result_is_printed_until_ctrl_c(project: Path, server: Running) -> None:
    with Running("run", "messages:list_recent", "--watch", cwd=project) as watching:
        watching.wait_for(r"^\[\]$")
        send(project, "first")
        watching.wait_for('"body": "first"')
        send(project, "second")
        watching.wait_for('"body": "second"')
        assert watching.stop(signal.SIGINT) == 130
        assert "Traceback" not in watching.text


def test_it_comes_back_after_the_server_did(project: Path, server: Running, port: int) -> None:
    with Running("run", "messages:list_recent", "-w", cwd=project) as watching:
        watching.wait_for(r"^\[\]$")
        server.process.kill()
        watching.wait_for("connection lost")
        server.process.wait()
        with Running("serve", ".", "--port", str(port), cwd=project) as again:
            again.wait_for("ready at")
            watching.wait_for("connected again")
            send(project, "back")
            watching.wait_for('"body": "back"')
        # The same result as before the loss was not printed a second time.
        assert watching.lines.count("[]") == 1
        assert watching.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["messages:nope"], 1, "There is no function"),
        (["messages:send", "body=x"], 1, "defined as Mutation"),
        (["messages:list_recent", "--admin-key", "wrong|1"], 1, "refuses this admin key"),
        (["messages:list_recent", "--url", "http://127.0.0.1:1"], 3, "does not answer"),
    ],
)
def test_what_cannot_be_watched_ends_at_once(
    project: Path, server: Running, words: list[str], code: int, text: str
) -> None:
    done = run_apart("run", *words, "--watch", cwd=project)
    assert (done.code, done.out) == (code, "")
    assert text in done.err
