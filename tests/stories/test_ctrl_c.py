"""Ctrl-C ends every command with 130, without a traceback, and leaves nothing half done."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cli.command import WAIT_SECONDS, Outcome, Running, clean_variables, run_apart
from tests.cli.stalling import Stalling
from tests.cli.terminal import Terminal
from tests.clients.deadline import Deadline

ROWS = 100_000
FUNCTIONS = """
from rewake import QueryCtx, query

@query
def count(ctx: QueryCtx) -> int:
    return 1
"""
_BLOCKS = """
import signal, sys
from rewake.cli import backing_up, main
original = backing_up.copy_data_file
def copy(*args, on_pages, **named):
    def pages(done, total):
        print("copying now", flush=True)
        signal.pause()
    return original(*args, on_pages=pages, **named)
backing_up.copy_data_file = copy
main()
"""


@dataclass(frozen=True)
class Served:
    """A project with a running server."""

    project: Path
    url: str
    key: str

    def run(self, *words: str) -> Outcome:
        return run_apart(*words, cwd=self.project)

    def ask(self, path: str, body: object) -> httpx.Response:
        headers = {"Authorization": f"Convex {self.key}"}
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, trust_env=False)

    def tables(self) -> dict[str, int]:
        done = self.run("data", "--json")
        return {each["name"]: each["documents"] for each in json.loads(done.out)}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = tmp_path_factory.mktemp("ctrl-c")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "m.py").write_text(FUNCTIONS)
    rows = project / "rows.jsonl"
    rows.write_text("".join(f'{{"n": {n}, "text": "some words of a row"}}\n' for n in range(ROWS)))
    small = project / "small.jsonl"
    small.write_text("".join(f'{{"n": {n}}}\n' for n in range(3_000)))
    with Running("serve", ".", "--port", "0", "--workers", "1", cwd=project) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        key = (project / ".rewake" / "admin_key").read_text().strip()
        found = Served(project, url, key)
        done = found.run("import", "small.jsonl", "--table", "small")
        assert done.code == 0, done.err
        yield found
        assert server.stop() == 0


def interrupted(served: Served, at: str, *words: str) -> str:
    """What a command said that was interrupted while it waited for the answer to `at`."""
    key = {"REWAKE_ADMIN_KEY": served.key}
    with (
        Stalling(served.url, at) as way,
        Terminal(*words, "--url", way.url, cwd=served.project, variables=key | {"TERM": "xterm"}) as terminal,
    ):
        way.wait_reached()
        code = terminal.interrupt()
        assert code == 130, terminal.text
        assert "Traceback" not in terminal.text
        return terminal.text


@pytest.mark.parametrize("at", ["/api/import/upload_part", "/api/perform_import"])
def test_an_import_is_taken_back(served: Served, at: str) -> None:
    interrupted(served, at, "import", "rows.jsonl", "--table", "rows")
    assert served.tables().get("rows", 0) == 0
    # It holds no place, and no bytes.
    folder = served.project / ".rewake"
    deadline = Deadline(WAIT_SECONDS)
    while left := [path for path in folder.rglob("*") if path.is_file() and "import" in str(path.parent)]:
        assert deadline.left, left
    done = served.run("import", "small.jsonl", "--table", "again", "--replace", "--yes")
    assert done.code == 0, done.err


def test_an_export_is_taken_back_on_the_server_and_leaves_no_file(served: Served, tmp_path: Path) -> None:
    body = {"path": "_system/cli/exports:getLatest", "args": {}, "format": "json"}
    interrupted(served, "/api/query", "export", str(tmp_path / "a.zip"))
    assert list(tmp_path.iterdir()) == []
    assert served.ask("/api/query", body).json()["value"]["state"] in ("canceled", "completed")
    # The archive is there, and on its way here.
    interrupted(served, "/api/export/zip/", "export", str(tmp_path / "a.zip"))
    assert list(tmp_path.iterdir()) == []
    done = served.run("export", str(tmp_path / "a.zip"))
    assert done.code == 0, done.err


def test_a_backup_leaves_no_file(served: Served, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    with subprocess.Popen(
        [sys.executable, "-c", _BLOCKS, "backup", str(target)],
        cwd=served.project,
        env=clean_variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "copying now\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, "Traceback" in said) == (130, False), said
    assert list(tmp_path.iterdir()) == []


def test_a_statement_and_the_prompt_of_sql_end(served: Served) -> None:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    interrupted(served, "/api/sql", "sql", endless)
    for typed in ("", "SELECT 1", f"{endless};"):
        with Terminal("sql", cwd=served.project) as terminal:
            terminal.wait_for("sql> ")
            if typed:
                terminal.type(typed)
            if typed == "SELECT 1":
                terminal.wait_for("...> ")
            if not typed.endswith(";"):
                terminal.wait_asking()
            assert terminal.interrupt() == 130, terminal.text
            assert "Traceback" not in terminal.text


def test_rows_stop_and_a_watched_query_ends(served: Served) -> None:
    for words, sign in ((("data", "small", "--all"), "| "), (("run", "m:count", "--watch"), "m:count")):
        with Terminal(*words, cwd=served.project) as terminal:
            terminal.wait_for(sign)
            assert terminal.interrupt() == 130, terminal.text
            assert "Traceback" not in terminal.text


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Served]:
    """A server that takes deploys, with one; the project's code has lost a function since."""
    project = tmp_path / "project"
    (project / "backend").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    module = project / "backend" / "m.py"
    module.write_text(FUNCTIONS + FUNCTIONS.replace("count", "other"))
    data = tmp_path / "data.sqlite3"
    with Running("serve", "--data", str(data), "--port", "0", "--workers", "1", cwd=tmp_path) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        found = Served(project, url, (tmp_path / "data.sqlite3.admin_key").read_text().strip())
        done = found.run("deploy", "--yes", "--url", url, "--admin-key", found.key)
        assert done.code == 0, done.err
        module.write_text(FUNCTIONS)
        yield found
        assert server.stop() == 0


def active(served: Served) -> int:
    """The number of the deploy that is served."""
    done = served.run("deploy", "--list", "--json", "--url", served.url, "--admin-key", served.key)
    return next(int(each["number"]) for each in json.loads(done.out) if each["state"] == "active")


def test_a_deploy_that_is_planned_is_taken_back(deployed: Served) -> None:
    interrupted(deployed, "/api/deploys/start", "deploy", "--yes")
    to = ("--url", deployed.url, "--admin-key", deployed.key)
    with Terminal("deploy", *to, cwd=deployed.project) as terminal:
        terminal.wait_for("Go on?")
        terminal.wait_asking()
        assert terminal.interrupt() == 130, terminal.text
        assert "Traceback" not in terminal.text
    assert active(deployed) == 1


def test_a_deploy_that_is_carried_out_goes_on_and_says_so(deployed: Served) -> None:
    said = interrupted(deployed, "/api/deploys/progress", "deploy", "--yes")
    assert "the server goes on by itself" in said
    deadline = Deadline(WAIT_SECONDS)
    while active(deployed) == 1:
        assert deadline.left, "the deploy never came"
