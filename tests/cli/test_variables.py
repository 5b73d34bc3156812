"""`rewake env` against a server, and what a `.env` file means."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.variables import wanted_changes
from tests.cli.command import Outcome, Running, run_here

Run = Callable[..., Outcome]

FUNCTIONS = """
from rewake import QueryCtx, query

@query
def seen(ctx: QueryCtx) -> str:
    return f'{ctx.env.get("NAME")} {ctx.env["CONVEX_SITE_URL"].startswith("http://127.0.0.1:")}'
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running server."""
    project = tmp_path_factory.mktemp("env")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "tools.py").write_text(FUNCTIONS)
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        server.wait_for("Rewake is ready at ")
        yield project
        assert server.stop() == 0
        assert "s3cret" not in server.text


@pytest.fixture
def run(served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command inside the served project."""
    monkeypatch.chdir(served)
    return lambda *words: run_here(capsys, *words)


def test_a_variable_is_set_read_listed_and_removed(run: Run) -> None:
    done = run("env", "set", "NAME", "s3cret")
    assert (done.code, done.out, done.err) == (0, "", "added     NAME\n"), "values are not echoed"
    assert json.loads(run("run", "tools:seen").out) == "s3cret True"
    assert run("env", "get", "NAME").out == "s3cret\n"
    assert run("env", "list").out == "NAME\n"
    assert run("env", "list", "--values").out == "NAME=s3cret\n"
    assert json.loads(run("env", "list", "--json").out) == ["NAME"]
    assert json.loads(run("env", "list", "--json", "--values").out) == {"NAME": "s3cret"}
    assert run("env", "set", "NAME=other").err == "changed   NAME\n"
    assert run("env", "set", "NAME", "other").err == "as before NAME\n"
    assert run("env", "remove", "NAME").err == "removed   NAME\n"
    assert json.loads(run("run", "tools:seen").out) == "None True"
    assert run("env", "list").err == "No environment variables are set.\n"


def test_a_secret_comes_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("two\nlines\n"))
    assert run("env", "set", "PEM").code == 0
    assert run("env", "get", "PEM").out == "two\nlines\n"
    assert run("env", "list", "--values").out == 'PEM="two\\nlines"\n'
    assert run("env", "remove", "PEM").code == 0


def test_a_file_is_set_as_a_whole_or_not(run: Run, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nB='two words'\n")
    assert run("env", "set", "--file", str(file)).err == "added     A\nadded     B\n"
    file.write_text("A=2\nCONVEX_SITE_URL=x\n")
    done = run("env", "set", "--file", str(file))
    assert done.code == 1
    assert "built-in and cannot be overridden (EnvVarNameForbidden)" in done.err
    assert run("env", "get", "A").out == "1\n"
    file.write_text("# nothing\n")
    assert run("env", "set", "--file", str(file)).err == "There is nothing to set.\n"
    assert run("env", "remove", "A", "B").code == 0


def test_what_is_not_there_is_said(run: Run) -> None:
    done = run("env", "get", "NOWHERE")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: The environment variable NOWHERE is not set.\n"
    assert "Not set: NOWHERE. Nothing was removed." in run("env", "remove", "NOWHERE").err
    assert run("env", "set").code == 2
    assert "refuses this admin key" in run("env", "list", "--admin-key", "x|00").err


def test_a_server_that_is_not_there_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "env", "list", "--url", "http://127.0.0.1:9", "--admin-key", "x|00")
    assert done.code == 3


def test_a_name_and_a_file_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage):
        wanted_changes("A", None, tmp_path / ".env")
    with pytest.raises(CommandFailed, match="cannot be read"):
        wanted_changes(None, None, tmp_path / "missing")


def test_on_a_terminal_the_value_is_asked_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    asked: list[str] = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return "typed"

    monkeypatch.setattr("rewake.cli.variables.getpass", getpass)
    assert wanted_changes("KEY", None, None) == {"KEY": "typed"}
    assert asked == ["Value of KEY (not shown): "]
