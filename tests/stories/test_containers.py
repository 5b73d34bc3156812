"""A server as a container holds it: process 1, a root file system that cannot be written, no home.

Where namespaces cannot be made (another user than root, a container without the right to), the same server
runs without them: what is left of the story is the environment, the signals and the files.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rewake.cli.starter_project import write_starter
from tests.cli.command import WAIT_SECONDS, clean_variables, free_port
from tests.clients.deadline import Deadline
from tests.house.source_tree import ROOT

DEPLOY = ROOT / "deploy"

_ENTER = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "sh", "-ec"]
# Everything is read-only but the data and a /tmp of its own; then the server takes the shell's place.
_CLOSE = """
data=$1 tmp=$2 shm=$3
shift 3
mount --bind "$data" "$data"
mount -t tmpfs tmpfs "$tmp"
mount -o remount,bind,ro /
if mountpoint -q "$shm"; then mount -o remount,bind,ro "$shm"; fi
if (echo x > "$data/../written") 2>/dev/null; then echo "the root is not read-only" >&2; exit 9; fi
exec "$@"
"""


def has_namespaces() -> bool:
    try:
        tried = subprocess.run([*_ENTER, "mount -o remount,bind,ro /"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


class Container:
    """One server in it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{free_port()}"
        self.project, self.data, tmp = folder / "chat", folder / "data", folder / "tmp"
        if not self.project.exists():
            write_starter(self.project, keep=False)
            self.data.mkdir()
            tmp.mkdir()
        self.is_closed = has_namespaces()
        command = [sys.executable, "-m", "rewake", "serve", *words]
        if self.is_closed:
            command = [*_ENTER, _CLOSE, "sh", str(self.data), str(tmp), "/dev/shm", *command]
        variables = clean_variables(
            {
                "REWAKE_PROJECT": str(self.project),
                "REWAKE_DATA": str(self.data),
                "REWAKE_PORT": self.url.rpartition(":")[2],
                "HOME": "/nonexistent",
                "TMPDIR": str(tmp),
            }
        )
        self.log = folder / "log"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.project,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_ready(self) -> None:
        deadline = Deadline(WAIT_SECONDS * 2)
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert not deadline.is_over, self.log.read_text()
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                continue

    @property
    def server(self) -> int:
        """The server's process: process 1 of the namespace."""
        return children(self.process.pid)[0] if self.is_closed else self.process.pid

    def call(self, kind: str, path: str, **args: object) -> object:
        answer = httpx.post(f"{self.url}/api/{kind}", json={"path": path, "args": args}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]


def children(process: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == process:
            found.append(int(stat.parent.name))
    return found


def state_of(process: int) -> str | None:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


@contextmanager
def container(folder: Path, *words: str) -> Iterator[Container]:
    running = Container(folder, *words)
    try:
        running.wait_ready()
        yield running
    finally:
        if running.process.poll() is None:
            for process in (*children(running.process.pid), running.process.pid):
                os.kill(process, signal.SIGKILL)
            running.process.wait(WAIT_SECONDS)
        print(running.log.read_text())


@pytest.mark.parametrize("words", [(), ("--workers", "0")], ids=["workers", "inline"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_it_serves_and_stops_when_it_is_told(
    tmp_path: Path, words: tuple[str, ...], number: signal.Signals
) -> None:
    with container(tmp_path, *words) as running:
        running.call("mutation", "messages:send", body="kept")
        os.kill(running.server, number)
        code = running.process.wait(WAIT_SECONDS)
        assert code == (130 if number is signal.SIGINT else 0), running.log.read_text()
        assert "Stopped." in running.log.read_text()
    with container(tmp_path, *words) as running:
        assert [one["body"] for one in running.call("query", "messages:list_recent")] == ["kept"]  # type: ignore[attr-defined]


def test_nothing_is_written_beside_the_data(tmp_path: Path) -> None:
    with container(tmp_path) as running:
        running.call("mutation", "messages:send", body="kept")
        written = {file.name for file in running.data.iterdir()}
        assert {"data.sqlite3", "admin_key"} <= written
        if running.is_closed:
            names = {file.name for file in running.project.rglob("*")}
            assert not names & {".rewake", "server.json", "__pycache__"}, names
        key = (running.data / "admin_key").read_text().strip()
        asked = httpx.get(f"{running.url}/api/check_admin_key", headers={"authorization": f"Convex {key}"})
        assert json.loads(asked.text)["success"] is True


def test_the_health_check_of_the_image_tells_a_server_from_none(tmp_path: Path) -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    words = json.loads(re.search(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", text)[1])  # type: ignore[index]
    assert words[0] == "python"
    with container(tmp_path) as running:
        port = running.url.rpartition(":")[2]
        for variables, code in (
            ({"REWAKE_PORT": port}, 0),
            ({"PORT": port}, 0),
            ({"REWAKE_PORT": str(free_port()), "PORT": port}, 1),
        ):
            checked = subprocess.run(
                [sys.executable, *words[1:]],
                env=variables,
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert checked.returncode == code, checked.stderr.decode()


def test_files_of_deploy_set_nothing_that_is_not_a_setting() -> None:
    known = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for file in DEPLOY.iterdir():
        for name in re.findall(r"\bREWAKE_[A-Z_]+", file.read_text(encoding="utf-8")):
            assert f"`{name}`" in known, f"{file.name}: {name}"


def test_workers_that_die_leave_no_zombies_behind(tmp_path: Path) -> None:
    with container(tmp_path, "--workers", "1") as running:
        template = children(running.server)
        workers = [grandchild for child in template for grandchild in children(child)] or template
        os.kill(workers[0], signal.SIGKILL)
        running.call("mutation", "messages:send", body="after")
        assert running.call("query", "messages:list_recent")
        deadline = Deadline(WAIT_SECONDS)
        while state_of(workers[0]) is not None:
            assert not deadline.is_over, f"{workers[0]} is {state_of(workers[0])}"
