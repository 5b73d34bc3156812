"""`rewake run` against a server: values, log lines, failures, and those who do not answer."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rewake.cli.calling import acting_user, as_values
from rewake.values import Int64, InvalidValue
from tests.cli.command import Outcome, Running, free_port, run_apart, run_here

Run = Callable[..., Outcome]

FUNCTIONS = """
from rewake import ApplicationError, Int64, MutationCtx, QueryCtx, internal_mutation, mutation, query

@query
def echo(ctx: QueryCtx, text: str, count: float = 1) -> dict[str, str | float]:
    print("echoing", text)
    return {"text": text, "count": count}

@internal_mutation
def hidden(ctx: MutationCtx) -> Int64:
    return Int64(2**60)

@query
def who(ctx: QueryCtx) -> list[str | None]:
    user = ctx.auth.require_identity()
    return [user.subject, user.token_identifier, user.name]

@query
def nothing(ctx: QueryCtx) -> None:
    return None

@query
def broken(ctx: QueryCtx) -> None:
    raise ValueError("no such luck")

@mutation
def refuse(ctx: MutationCtx) -> None:
    raise ApplicationError({"code": "full", "inner": {"deep": [1]}})
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running server."""
    project = tmp_path_factory.mktemp("calling")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "tools.py").write_text(FUNCTIONS)
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        (project / ".rewake").mkdir(exist_ok=True)
        server.wait_for("Rewake is ready at ")
        yield project
        assert server.stop() == 0


@pytest.fixture
def run(served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command inside the served project."""
    monkeypatch.chdir(served)

    def call(*words: str) -> Outcome:
        return run_here(capsys, "run", *words)

    return call


def test_the_value_goes_to_stdout_and_log_lines_to_stderr(run: Run) -> None:
    done = run("tools:echo", '{"text": "hi", "count": 2}')
    assert (done.code, json.loads(done.out)) == (0, {"count": 2.0, "text": "hi"})
    assert done.err == "[LOG] 'echoing' 'hi'\n"


def test_pairs_are_arguments_too(run: Run) -> None:
    assert json.loads(run("tools:echo", "text=hi", "count=3").out) == {"count": 3.0, "text": "hi"}


def test_internal_functions_can_be_called(run: Run) -> None:
    assert run("tools:hidden").out == f'"{2**60}"\n'


def test_null_is_a_value(run: Run) -> None:
    assert run("tools:nothing").out == "null\n"


def test_an_exception_is_a_failure_with_its_place(run: Run) -> None:
    done = run("tools:broken")
    assert (done.code, done.out) == (1, "")
    assert "ValueError: no such luck" in done.err
    assert "tools.py:" in done.err
    assert "Request ID" not in done.err


def test_application_data_is_shown(run: Run) -> None:
    done = run("tools:refuse")
    assert done.code == 1
    assert '"code":"full"' in done.err


def test_wrong_arguments_are_a_failure(run: Run) -> None:
    done = run("tools:echo", "text=1")
    assert done.code == 1
    assert "ArgumentValidationError" in done.err
    assert "Path: .text" in done.err


def test_a_text_that_reads_as_a_number_is_told_how_to_be_one(run: Run) -> None:
    assert """To pass the text 5: text='"5"'""" in run("tools:echo", "text=5").err
    assert run("tools:echo", 'text="5"').code == 0
    assert "To pass the text" not in run("tools:echo", "text=x", "count=y").err
    assert "To pass the text" not in run("tools:echo", 'text=["a"]').err


def test_what_wants_a_user_says_how_to_be_one(run: Run) -> None:
    done = run("tools:who")
    assert (done.code, "--identity" in done.err) == (1, True), done.err


def test_what_is_no_query_is_called_without_watching(run: Run) -> None:
    done = run("tools:refuse", "--watch")
    assert (done.code, "Leave --watch out" in done.err) == (1, True), done.err


@pytest.mark.parametrize("name", ["tools:ecko", "tools.echo", "other:echo", "tools.js:ehco"])
def test_an_unknown_function_suggests_near_names(run: Run, name: str) -> None:
    done = run(name)
    assert done.code == 1
    assert "no function" in done.err
    assert "`tools:echo`" in done.err
    assert "npx" not in done.err


def test_arguments_come_from_stdin(served: Path) -> None:
    done = run_apart("run", "tools:echo", "-", cwd=served, stdin='{"text": "piped"}\n')
    assert json.loads(done.out)["text"] == "piped"


def test_output_into_a_pipe_has_no_colours(served: Path) -> None:
    done = run_apart("run", "tools:echo", "text=x", cwd=served)
    assert "\x1b" not in done.out + done.err


def test_a_wrong_key_is_a_failure_with_a_way_out(run: Run) -> None:
    done = run("tools:nothing", "--admin-key", "wrong|1")
    assert done.code == 1
    assert "refuses this admin key" in done.err
    assert "--admin-key" in done.err


def test_half_a_character_cannot_be_sent(run: Run) -> None:
    done = run("tools:echo", '{"text": "\\ud800"}')
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_nobody_at_the_address(run: Run) -> None:
    done = run("tools:nothing", "--url", f"http://127.0.0.1:{free_port()}")
    assert done.code == 3
    assert "does not answer: connection refused" in done.err


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b"<html>"), (404, b"{}"), (500, b"[]")])
def test_a_stranger_at_the_address(run: Run, status: int, body: bytes) -> None:
    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        done = run("tools:nothing", "--url", f"http://127.0.0.1:{stranger.server_port}")
        stranger.shutdown()
    assert done.code == 3
    assert "it is not Rewake" in done.err


def test_arguments_that_are_too_large_are_refused_in_the_servers_words(run: Run) -> None:
    done = run("tools:echo", json.dumps({"text": "x" * 21 * 2**20}))
    assert done.code == 1
    assert "Arguments for tools:echo are too large" in done.err


def test_a_call_can_be_a_users(run: Run) -> None:
    done = run("tools:who", "--identity", '{"subject": "ada", "name": "Ada"}')
    assert json.loads(done.out) == ["ada", "https://convex.test|ada", "Ada"]
    assert run("tools:who", "--identity", "ada").code == 2


def test_users_without_a_subject_are_told_apart_by_their_attributes() -> None:
    ada, bob = acting_user('{"name": "Ada"}'), acting_user('{"name": "Bob"}')
    assert ada["tokenIdentifier"] == f"https://convex.test|{ada['subject']}"
    assert ada["subject"] != bob["subject"]
    assert acting_user('{"tokenIdentifier": "t"}')["tokenIdentifier"] == "t"


def test_a_system_function_needs_no_place_in_the_spec(run: Run) -> None:
    assert json.loads(run("_system/cli/crons:list").out) == []


def test_arguments_may_hold_encoded_forms() -> None:
    assert as_values({"n": {"$integer": "AQAAAAAAAAA="}, "m": 1}) == {"n": Int64(1), "m": 1.0}
    with pytest.raises(InvalidValue):
        as_values({"n": {"$integer": "AQ=="}})
