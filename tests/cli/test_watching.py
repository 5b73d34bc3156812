"""A live query in the terminal: what results and ends look like, then a server that goes and comes back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed
from rewake.cli.screen import Screen
from rewake.cli.watching import Watcher
from rewake.client import (
    ApplicationError,
    CallFailed,
    Int64,
    Result,
)
from rewake.environment import seeded_environment
from tests.cli.command import Running, free_port, run_apart

SERVER = ServerAddress("http://server", "key|00", Path("/nowhere"), is_guess=False)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher(SERVER, "m:f", Screen(), seeded_environment(1))


def test_values_are_printed_in_their_readable_form(
    watcher: Watcher, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher.show(Result({"n": Int64(1), "b": b"x"}, None, ("[LOG] 1",), 7))
    printed = capsys.readouterr()
    assert printed.out == '{\n  "b": "eA==",\n  "n": "1"\n}\n'
    assert "[LOG] 1" in printed.err


def test_a_failure_is_a_result(watcher: Watcher, capsys: pytest.CaptureFixture[str]) -> None:
    text = "[Request ID: 12] Server Error\nUncaught ConvexError: x\n    at f (m.py:1:1)\n"
    watcher.show(Result(None, ApplicationError({"code": Int64(2)}), (), 7, text))
    watcher.show(
        Result(None, CallFailed("no"), (), 8, "[Request ID: 12] Server Error\nUncaught ValueError: no\n")
    )
    printed = capsys.readouterr()
    assert printed.out == ""
    assert 'data: {"code":"2"}' in printed.err
    assert "at f (m.py:1:1)" in printed.err
    assert "Uncaught ValueError: no" in printed.err


def test_a_function_that_vanishes_later_is_a_result_too(
    watcher: Watcher, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Result(None, CallFailed(""), (), 7, "Could not find public function for 'm:f'.")
    with pytest.raises(CommandFailed, match="There is no function `m:f`"):
        watcher.show(gone)
    watcher.show(Result(1.0, None, (), 7))
    watcher.show(gone)
    assert "There is no function" in capsys.readouterr().err


def test_the_connection_is_told_about_from_the_first_loss_on(
    watcher: Watcher, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher.tell_connection(True)
    assert capsys.readouterr().err == ""
    watcher.tell_connection(False)
    watcher.tell_connection(True)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("connection lost; trying again")
    assert second.endswith("connected again")


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
        (["messages.list_recent"], 1, "Write it as module:function"),
        (["messages:list_recent", '{"x": "\\ud800"}'], 1, "not valid Unicode"),
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
