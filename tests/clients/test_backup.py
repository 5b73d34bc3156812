"""`rewake backup` beside a server that is written: proven by `verify`, served, and killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = pytest.mark.clients
SECONDS = 120.0


def backup(server: ServerProcess, target: Path, *more: str, kill_point: str = "") -> int:
    command = [sys.executable, "-m", "rewake", "backup", str(target), "--data", str(server.data)]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("REWAKE_")}
    if kill_point:
        variables["REWAKE_KILL_POINT"] = kill_point
    command += ["--project", str(PROJECT), *more]
    done = subprocess.run(command, env=variables, capture_output=True, timeout=SECONDS, check=False)
    return done.returncode


def verify(path: Path) -> str:
    command = [sys.executable, "-m", "rewake", "verify", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def increment(url: str, name: str) -> None:
    body = {"path": "counters:increment", "args": {"name": name}}
    assert httpx.post(f"{url}/api/mutation", json=body).json()["status"] == "success"


@contextmanager
def writing(server: ServerProcess) -> Iterator[None]:
    """Write as long as the block runs."""
    is_over = threading.Event()

    def write() -> None:
        number = 0
        while not is_over.is_set():
            increment(server.url, f"c{number % 7}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        is_over.set()
        writer.join(SECONDS)


def test_a_backup_under_load_is_sound_and_can_be_served(server: ServerProcess, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    increment(server.url, "before")
    with writing(server):
        assert backup(server, target) == 0
        assert backup(server, target) == 1  # Nothing is overwritten by accident.
        assert "Everything agrees." in verify(target)
        assert backup(server, target, "--force") == 0
    assert [path.name for path in tmp_path.glob("*copy*") if path.name.startswith(".")] == []
    assert "Everything agrees." in verify(target)
    restored = ServerProcess(data=target, log=tmp_path / "restored.log")
    restored.start()
    try:
        body = {"path": "counters:get", "args": {"name": "before"}}
        answer = httpx.post(f"{restored.url}/api/query", json=body).json()
        assert answer["status"] == "success"
        assert answer["value"] == 1.0
        increment(restored.url, "after")
    finally:
        restored.stop()
    verify(target)


@pytest.mark.parametrize("point", ["backup.after_pages:1", "backup.before_rename:1"])
def test_a_backup_that_is_killed_leaves_nothing_under_the_name(
    server: ServerProcess, tmp_path: Path, point: str
) -> None:
    target = tmp_path / "copy.sqlite3"
    increment(server.url, "a")
    assert backup(server, target, kill_point=point) == -signal.SIGKILL
    assert not target.exists()
    assert backup(server, target) == 0
    before = target.read_bytes()
    # An old one stays, whole, until the new one is there.
    assert backup(server, target, "--force", kill_point=point) == -signal.SIGKILL
    assert target.read_bytes() == before
    verify(target)
