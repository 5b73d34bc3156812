"""The official command line, unmodified, against our server: variables, logs, data, functions and calls."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.clients.server_process import ServerProcess

HERE = Path(__file__).parent
PROGRAM = "node_modules/convex/bin/main.js"
SECONDS = 180.0

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def _variables(server: ServerProcess) -> dict[str, str]:
    key = server.data.with_name(server.data.name + ".admin_key").read_text().strip()
    # With CI set the program sends no crash reports of its failures.
    ours = {
        "CONVEX_SELF_HOSTED_URL": server.url,
        "CONVEX_SELF_HOSTED_ADMIN_KEY": key,
        "CI": "1",
        "NO_COLOR": "1",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("CONVEX_")} | ours


def run_official(node: str, server: ServerProcess, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [node, PROGRAM, *words],
        cwd=HERE,
        env=_variables(server),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def cli(node: str, server: ServerProcess) -> Cli:
    """Runs `npx convex ...` to its end."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return run_official(node, server, *words)

    return run


def test_variables_are_set_listed_and_removed(cli: Cli) -> None:
    assert cli("env", "set", "NAME", "Ada").returncode == 0
    assert cli("env", "set", "OTHER", "two words").returncode == 0
    assert cli("env", "get", "NAME").stdout == "Ada\n"
    assert "NAME=Ada\n" in cli("env", "list").stdout
    refused = cli("env", "set", "CONVEX_SITE_URL", "x")
    assert refused.returncode == 1
    assert "EnvVarNameForbidden" in refused.stderr
    assert cli("env", "remove", "NAME").returncode == 0
    listed = cli("env", "list").stdout
    assert "NAME=" not in listed
    assert "OTHER=" in listed


@contextmanager
def followed_logs(node: str, server: ServerProcess, *words: str) -> Iterator[Callable[[], str]]:
    """Runs `npx convex logs` meanwhile; gives what reads its next line."""
    following = subprocess.Popen(
        [node, PROGRAM, "logs", *words],
        cwd=HERE,
        env=_variables(server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    ending = threading.Timer(SECONDS, following.kill)
    ending.start()

    def read() -> str:
        assert following.stdout is not None
        line = following.stdout.readline()
        assert line, "it ended"
        return line

    try:
        yield read
    finally:
        ending.cancel()
        following.kill()
        following.wait(SECONDS)


def _one_goes_well_and_one_fails(server: ServerProcess) -> None:
    for path in ("counters:get", "failures:plain_query"):
        body = {"path": path, "args": {"name": "a"} if path == "counters:get" else {}}
        assert httpx.post(f"{server.url}/api/query", json=body).status_code == 200


def test_logs_show_what_runs_and_fails(node: str, server: ServerProcess) -> None:
    _one_goes_well_and_one_fails(server)
    with followed_logs(node, server, "--history", "10", "--success") as read:
        assert "[CONVEX Q(counters:get)] Function executed in " in read()
        assert "[CONVEX Q(failures:plain_query)] Uncaught " in read()
        body = {"path": "counters:increment", "args": {"name": "a"}}
        httpx.post(f"{server.url}/api/mutation", json=body)
        while "[CONVEX M(counters:increment)] Function executed in " not in read():
            pass


def test_logs_show_only_the_latest_of_the_history(node: str, server: ServerProcess) -> None:
    _one_goes_well_and_one_fails(server)
    _one_goes_well_and_one_fails(server)
    with followed_logs(node, server, "--history", "1") as read:
        assert "[CONVEX Q(failures:plain_query)] Uncaught " in read()
        _one_goes_well_and_one_fails(server)
        # The second of the four was not shown; nor, without `--success`, what went well: the next line that
        # begins an entry is that of the new failure.
        lines = [read()]
        while "[CONVEX " not in lines[-1]:
            lines.append(read())
        assert "[CONVEX Q(failures:plain_query)] Uncaught " in lines[-1]


def test_logs_are_json_lines(node: str, server: ServerProcess) -> None:
    _one_goes_well_and_one_fails(server)
    with followed_logs(node, server, "--jsonl", "--history", "2") as read:
        well, failed = json.loads(read()), json.loads(read())
        assert (well["identifier"], well["udfType"], well["kind"]) == ("counters:get", "Query", "Completion")
        assert (well["error"], failed["identifier"]) == (None, "failures:plain_query")
        assert failed["error"].startswith("Uncaught ")
        body = {"path": "counters:increment", "args": {"name": "a"}}
        httpx.post(f"{server.url}/api/mutation", json=body)
        told = json.loads(read())
        assert (told["identifier"], told["udfType"]) == ("counters:increment", "Mutation")
        assert told["usageStats"]["databaseWriteDocuments"] == 1


DECLARING = """
from typing import Literal
from rewake import EnvironmentVariables, QueryCtx, query


class Env(EnvironmentVariables):
    MODE: Literal["test", "live"]


@query
def mode(ctx: QueryCtx) -> str:
    return ctx.env["MODE"]
"""


def test_required_variables_cannot_be_removed(
    node: str, tmp_path: Path, make_server: Callable[..., ServerProcess]
) -> None:
    project = tmp_path / "project"
    (project / "backend").mkdir(parents=True)
    (project / "backend" / "modes.py").write_text(DECLARING)
    server = make_server(project)
    server.start()

    def cli(*words: str) -> subprocess.CompletedProcess[str]:
        return run_official(node, server, *words)

    assert "Required environment variables are not set: MODE." in server.output()
    refused = cli("env", "set", "MODE", "secret")
    assert refused.returncode != 0
    assert "MODE is not one that the application declares" in refused.stdout + refused.stderr
    assert cli("env", "set", "MODE", "live").returncode == 0
    refused = cli("env", "remove", "MODE")
    assert refused.returncode != 0
    assert "Cannot delete required environment variables: MODE." in refused.stdout + refused.stderr
    assert cli("env", "get", "MODE").stdout == "live\n"


@pytest.fixture
def filled(server: ServerProcess) -> ServerProcess:
    """A server with messages and values of every kind."""
    for n in range(5):
        body = {"path": "messages:send", "args": {"author": "Ada", "body": f"body {n}"}}
        assert httpx.post(f"{server.url}/api/mutation", json=body).json()["status"] == "success"
    value = {
        "exact": {"$integer": "AQAAAAAAACA="},
        "bytes": {"$bytes": "AQI="},
        "zero": {"$float": "AAAAAAAAAIA="},
        "none": None,
        "list": [1, "two"],
    }
    body = {"path": "values:keep", "args": {"value": value}, "format": "convex_encoded_json"}
    assert httpx.post(f"{server.url}/api/mutation", json=body).json()["status"] == "success"
    return server


def test_data_lists_tables_and_rows(cli: Cli, filled: ServerProcess) -> None:
    tables = cli("data").stdout.split()
    assert {"kept", "messages"} <= set(tables)
    assert tables == sorted(tables)
    shown = cli("data", "messages", "--limit", "2")
    header, _, *rows = shown.stdout.splitlines()
    assert [name.strip() for name in header.split("|")] == ["_id", "_creationTime", "author", "body"]
    assert ['"body 4"' in rows[0], '"body 3"' in rows[1], len(rows)] == [True, True, 2]
    assert "Showing the 2 most recently created documents" in shown.stderr
    lines = cli("data", "messages", "--order", "asc", "--format", "jsonLines").stdout.splitlines()
    assert [json.loads(line)["body"] for line in lines] == [f"body {n}" for n in range(5)]
    kept = cli("data", "kept").stdout
    assert '"exact": 2305843009213693953n' in kept
    assert '"bytes": Bytes("AQI=")' in kept
    assert "There are no documents in this table." in cli("data", "nothing").stderr


def test_function_spec_is_printed(cli: Cli, server: ServerProcess) -> None:
    spec = json.loads(cli("function-spec").stdout)
    assert spec["url"] == server.url
    by_name = {each.get("identifier"): each for each in spec["functions"]}
    assert by_name["messages.js:send"]["functionType"] == "Mutation"
    assert by_name["values.js:kinds"]["args"]["value"]["exact"] == {
        "fieldType": {"type": "bigint"},
        "optional": False,
    }


def test_run_calls_functions_of_every_kind(cli: Cli, server: ServerProcess) -> None:
    del server
    assert cli("run", "counters:increment", '{"name": "a"}').returncode == 0
    assert json.loads(cli("run", "counters:get", '{"name": "a"}').stdout) == 1
    encoded = cli("run", "values:echo", '{"value": {"$integer": "AQAAAAAAACA="}}')
    assert json.loads(encoded.stdout) == {"$integer": "AQAAAAAAACA="}
    unknown = cli("run", "counters:gte", "{}")
    assert unknown.returncode == 1
    assert "Could not find function" in unknown.stderr
    assert "counters:get" in unknown.stderr
    failed = cli("run", "failures:plain_query", "{}")
    assert failed.returncode == 1
    assert "Uncaught" in failed.stderr


def test_run_acts_as_a_user(node: str, tmp_path: Path, make_server: Callable[..., ServerProcess]) -> None:
    project = tmp_path / "project"
    (project / "backend").mkdir(parents=True)
    (project / "backend" / "who.py").write_text(WHO)
    server = make_server(project)
    server.start()
    done = run_official(
        node, server, "run", "who:am_i", "{}", "--identity", '{"subject": "ada", "name": "Ada"}'
    )
    assert json.loads(done.stdout) == ["ada", "Ada"]
    assert json.loads(run_official(node, server, "run", "who:internally", "{}").stdout) == "secret"


WHO = """
from rewake import QueryCtx, internal_query, query


@query
def am_i(ctx: QueryCtx) -> list[str | None]:
    identity = ctx.auth.require_identity()
    return [identity.subject, identity.name]


@internal_query
def internally(ctx: QueryCtx) -> str:
    return "secret"
"""


def test_run_watches_a_query(node: str, server: ServerProcess) -> None:
    watching = subprocess.Popen(
        [node, PROGRAM, "run", "counters:get", '{"name": "w"}', "--watch"],
        cwd=HERE,
        env=_variables(server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline()) == 0
        body = {"path": "counters:increment", "args": {"name": "w"}}
        httpx.post(f"{server.url}/api/mutation", json=body)
        assert json.loads(watching.stdout.readline()) == 1
    finally:
        watching.kill()
        watching.wait(SECONDS)
