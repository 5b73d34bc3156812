"""`rewake logs`: what is shown of the log, against a server and against answers of a test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake.cli import following
from rewake.cli.failure import ServerUnreachable
from rewake.cli.following import LogWishes, follow, show_history
from rewake.cli.screen import Screen
from tests.cli.command import Outcome, Running, run_here

Run = Callable[..., Outcome]

FUNCTIONS = """
from rewake import ActionCtx, ApplicationError, MutationCtx, QueryCtx, action, internal_query, mutation, query

@mutation
def send(ctx: MutationCtx, body: str) -> None:
    print("sending", body)

@query
def broken(ctx: QueryCtx) -> None:
    raise ValueError("no such luck")

@internal_query
def inner(ctx: QueryCtx) -> None:
    print("inside")

@query
def outer(ctx: QueryCtx) -> None:
    ctx.run_query(inner)

@action
async def act(ctx: ActionCtx) -> None:
    print("acting")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running server."""
    project = tmp_path_factory.mktemp("logs")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "tools.py").write_text(FUNCTIONS)
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        server.wait_for("Rewake is ready at ")
        yield project
        assert server.stop() == 0


@pytest.fixture
def run(served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command inside the served project."""
    monkeypatch.chdir(served)
    return lambda *words: run_here(capsys, *words)


def test_the_log_is_shown_filtered_and_as_json(run: Run, served: Path) -> None:
    run("run", "tools:send", "body=hello")
    failed = run("run", "tools:broken")
    run("run", "tools:outer")
    run("run", "tools:act")
    assert failed.code == 1
    shown = run("logs").out
    assert "mutation  tools:send" in shown
    assert "            [LOG] 'sending' 'hello'\n" in shown
    assert "ValueError: no such luck" in shown
    assert "[LOG] tools:inner: 'inside'" in shown
    assert shown.count("[LOG] 'acting'") == 1, "once, while it ran"
    only = run("logs", "--errors").out
    assert "tools:broken" in only
    assert "tools:send" not in only
    assert "tools:send" in run("logs", "--function", "tools").out
    assert run("logs", "--function", "tool").out == ""
    assert run("logs", "--history", "0").out == ""
    lines = [
        json.loads(line) for line in run("logs", "--json", "--function", "tools:broken").out.splitlines()
    ]
    assert [(line["identifier"], line["kind"]) for line in lines] == [("tools:broken", "Completion")]
    assert lines[0]["requestId"] in only


def test_it_goes_on_as_functions_run(served: Path, run: Run) -> None:
    with Running("logs", "--follow", "--history", "0", "--function", "tools:send", cwd=served) as logs:
        # The first answer is history; nothing says that it has come but a run that is shown.
        for number in range(100):
            run("run", "tools:send", f"body=n{number}")
            if logs.process.poll() is not None or not logs._fresh.empty():
                break
        logs.wait_for("tools:send")
        logs.wait_for(r"\[LOG\] 'sending' 'n")


class Answers:
    """Answers of a server, one after another; then the end of the test."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.cursors: list[float] = []

    def __call__(self, cursor: float) -> dict[str, Any]:
        self.cursors.append(cursor)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, dict)
        return answer


class Enough(Exception):
    """Nothing more is to be asked."""


def entry(path: str, error: str | None = None) -> dict[str, Any]:
    return {
        "kind": "Completion",
        "udfType": "Query",
        "identifier": path,
        "timestamp": 1.0,
        "executionTime": 0.1,
        "logLines": [],
        "error": error,
        "requestId": "r",
    }


def test_a_server_that_goes_away_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_AGAIN_SECONDS", 0.0)
    gone = ServerUnreachable("It is gone.")
    ask = Answers(
        {"entries": [entry("m:f")], "newCursor": 7.5}, gone, gone, {"entries": [], "newCursor": 8.0}, Enough()
    )
    with pytest.raises(Enough):
        follow(ask, 1.0, LogWishes(), Screen())
    assert ask.cursors == [1.0, 7.5, 7.5, 7.5, 8.0]
    captured = capsys.readouterr()
    assert "m:f" in captured.out
    assert captured.err == "It is gone. Waiting for it.\nThe server is back.\n"


def test_ctrl_c_does_not_wait_for_an_answer() -> None:
    def ask(_: float) -> dict[str, Any]:
        assert threading.current_thread() is threading.main_thread(), "others are not interrupted"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(ask, 1.0, LogWishes(), Screen())


def test_history_is_the_latest_of_what_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    ask = Answers(
        {"entries": [entry("m:a"), entry("m:b"), entry("n:c"), entry("m:d", "no")], "newCursor": 3.0}
    )
    assert show_history(ask, LogWishes(functions=["m"], history=2), Screen()) == 3.0
    shown = capsys.readouterr().out
    assert "m:a" not in shown
    assert "n:c" not in shown
    assert "m:b" in shown
    assert "failed  r" in shown
