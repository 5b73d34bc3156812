"""The official command line, unmodified, against our server: environment variables and logs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.clients.server_process import ServerProcess

HERE = Path(__file__).parent
PROGRAM = "node_modules/convex/bin/main.js"
SECONDS = 60.0

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


@pytest.fixture
def cli(node: str, server: ServerProcess) -> Cli:
    """Runs `npx convex ...` to its end."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
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


def test_logs_show_what_runs_and_fails(node: str, server: ServerProcess) -> None:
    for path in ("counters:get", "failures:plain_query"):
        body = {"path": path, "args": {"name": "a"} if path == "counters:get" else {}}
        assert httpx.post(f"{server.url}/api/query", json=body).status_code == 200
    following = subprocess.Popen(
        [node, PROGRAM, "logs", "--history", "10", "--success"],
        cwd=HERE,
        env=_variables(server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert following.stdout is not None
        seen = [following.stdout.readline() for _ in range(2)]
        assert "[CONVEX Q(counters:get)] Function executed in " in seen[0]
        assert "[CONVEX Q(failures:plain_query)] Uncaught " in seen[1]
        body = {"path": "counters:increment", "args": {"name": "a"}}
        httpx.post(f"{server.url}/api/mutation", json=body)
        while "[CONVEX M(counters:increment)] Function executed in " not in following.stdout.readline():
            assert following.poll() is None
    finally:
        following.kill()
        following.wait(SECONDS)
