"""A server on a failing disk, seen by official clients: writes are refused, nobody is cut off, all by itself.

With functions in the server's own process and with worker processes. The disk is `tests/faults/fault_disk.py`
in every process of the server, and a real small file system where one can be mounted.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.client_host import ClientError, ClientHost
from tests.clients.raw_client import RawClient
from tests.clients.server_process import PROJECT, ServerProcess
from tests.clients.test_kill import BASE_SEED
from tests.clients.test_workers import children
from tests.faults.fault_disk import CONTROL_VARIABLE, Control

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["0", "2"], ids=["one-process", "workers"])
def server(request: pytest.FixtureRequest, make_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server on a disk that can be told to fail."""
    server = make_server(PROJECT, "--workers", request.param)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    server.environment = {
        "REWAKE_FAULT_DISK": "tests.faults.fault_disk:shared_disk",
        CONTROL_VARIABLE: str(control_file(server)),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    Control.shared(control_file(server))
    server.start()
    return server


def control_file(server: ServerProcess) -> Path:
    return server.data.with_name(server.data.name + ".control")


@pytest.fixture
def disk(server: ServerProcess) -> Iterator[Control]:
    control = Control.shared(control_file(server))
    yield control
    control.heal()


def call(server: ServerProcess, kind: str, path: str, **args: object) -> httpx.Response:
    body = {"path": path, "args": args, "format": "json"}
    return httpx.post(f"{server.url}/api/{kind}", json=body, timeout=60)


def test_a_full_disk_refuses_writes_and_nothing_else(server: ServerProcess, disk: Control) -> None:
    with RawClient(server.url) as client:
        counter = client.add("counters:get", {"name": "a"})
        assert client.settle(client.mutate("counters:increment", {"name": "a"}))["result"] == 1
        disk.is_full = True
        refused = [client.mutate("counters:increment", {"name": "a"}) for _ in range(3)]
        for request in refused:
            response = client.response(request)
            assert not response["success"]
            assert "disk that holds the data file is full" in response["result"]
            assert "errorData" not in response
        # The socket is the same and goes on: a query that is new is read, HTTP is served.
        assert client.result(client.add("counters:get", {"name": "other"})) == 0
        assert client.result(counter) == 1
        answer = call(server, "mutation", "counters:increment", name="a")
        assert (answer.status_code, answer.json()["code"]) == (503, "StorageFull")
        assert call(server, "query", "counters:get", name="a").json()["value"] == 1
        assert verify(server.data, environment=Environment()).is_clean, "while it is served"
        disk.is_full = False
        # No restart; and what was refused was not recorded, so its request id may be used again.
        assert client.settle(client.mutate("counters:increment", {"name": "a"}))["result"] == 2
        assert client.wait_result(counter, lambda value: value == 2) == 2
        session, observed = client.session_id, client.version.ts
    with RawClient(server.url, session_id=session, connection_count=1, max_observed=observed) as again:
        response = again.settle(again.mutate("counters:increment", {"name": "a"}, request_id=refused[0]))
        assert response["result"] == 3, "it runs: there is no record of it"
    server.stop()
    assert verify(server.data, environment=Environment()).is_clean
    assert server.output().count("disk that holds the data file is full") < 20, "its log does not fill it"


@pytest.mark.parametrize(("operation", "error"), [("sync", "EIO"), ("write", "EIO"), ("write", "short")])
def test_one_error_of_the_disk_costs_one_call(
    server: ServerProcess, disk: Control, operation: str, error: str
) -> None:
    with RawClient(server.url) as client:
        counter = client.add("counters:get", {"name": "a"})
        assert client.settle(client.mutate("counters:increment", {"name": "a"}))["result"] == 1
        disk.fail(operation, error, file="wal")
        response = client.response(client.mutate("counters:increment", {"name": "a"}))
        assert not response["success"]
        assert "could not be read or written" in response["result"]
        assert client.settle(client.mutate("counters:increment", {"name": "a"}))["result"] == 2
        assert client.wait_result(counter, lambda value: value == 2) == 2
    # What was refused stays refused over the death of everything.
    server.kill()
    server.start()
    assert call(server, "query", "counters:get", name="a").json()["value"] == 2
    server.stop()
    assert verify(server.data, environment=Environment()).is_clean


@pytest.mark.parametrize("kind", ["npm", "pypi"])
def test_official_clients_neither_hang_nor_send_again(
    server: ServerProcess, disk: Control, kind: str, request: pytest.FixtureRequest
) -> None:
    host: ClientHost = request.getfixturevalue(kind)
    client = host.open(server.url)
    numbers = client.subscribe("ledger:numbers", {"source": kind})
    numbers.wait_value(lambda value: value == [])
    disk.is_full = True
    for number in range(3):
        with pytest.raises(ClientError, match="Server Error"):
            client.mutation("ledger:record", {"source": kind, "number": float(number)})
    disk.is_full = False
    for number in range(3, 6):
        assert client.mutation("ledger:record", {"source": kind, "number": float(number)}) == number
    assert numbers.wait_value(lambda value: len(value) == 3) == [3, 4, 5]
    if kind == "npm":
        assert client.state()["connectionCount"] == 1
        assert client.state()["inflightMutations"] == 0
    stored = call(server, "query", "ledger:numbers", source=kind).json()["value"]
    assert Counter(stored) == Counter([3, 4, 5]), "nothing that was refused was sent again"


def test_when_nobody_can_know_npm_finds_out_by_itself(
    server: ServerProcess, disk: Control, npm: ClientHost
) -> None:
    client = npm.open(server.url)
    assert client.mutation("ledger:record", {"source": "npm", "number": 0.0}) == 0
    # Neither the commit nor its undoing reaches the disk: the socket closes and npm sends the call again.
    disk.fail("sync", "EIO", file="wal", times=2)
    assert client.mutation("ledger:record", {"source": "npm", "number": 1.0}, seconds=40) == 1
    assert client.state()["connectionCount"] == 2
    assert call(server, "query", "ledger:numbers", source="npm").json()["value"] == [0, 1]


@pytest.mark.parametrize("seed", [f"{BASE_SEED}:disk-and-deaths:{number}" for number in range(2)])
def test_faults_and_deaths_at_random(server: ServerProcess, disk: Control, seed: str) -> None:
    """Calls over HTTP, where nothing is sent again: what each was told is what is there in the end."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    kept: set[int] = set()
    refused: set[int] = set()

    def record(number: int) -> None:
        try:
            answer = call(server, "mutation", "ledger:record", source="http", number=number)
        except httpx.TransportError:
            return  # Nobody knows.
        if answer.status_code == httpx.codes.OK:
            assert answer.json()["status"] == "success", answer.json()
            kept.add(number)
        else:
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
            if answer.json()["code"] in ("StorageFull", "StorageFailed"):
                refused.add(number)

    with ThreadPoolExecutor(4) as callers:
        for step in range(12):
            event = chance.choice(["full", "sync", "write", "read", "heal", "heal", "worker", "front"])
            if event == "full":
                disk.is_full = True
            elif event in ("sync", "write", "read"):
                disk.fail(event, "EIO", file=chance.choice(["wal", "any"]), after=chance.randint(0, 5))
            elif event == "heal":
                disk.heal()
            calls = [callers.submit(record, 10 * step + each) for each in range(8)]
            assert server.process is not None
            if event == "front":
                disk.heal()  # A server cannot start on a disk that has no room at all.
                server.kill()
                wait(calls)
                server.start()
            elif event == "worker" and children(server.process.pid):
                (template,) = children(server.process.pid)
                for process in children(template)[:1]:
                    os.kill(process, signal.SIGKILL)
            for each in calls:
                each.result()
    disk.heal()
    record(1_000)
    assert 1_000 in kept, "it works again by itself"
    server.kill()
    server.start()
    stored = Counter(int(n) for n in call(server, "query", "ledger:numbers", source="http").json()["value"])
    assert not [number for number, times in stored.items() if times > 1]
    assert kept <= stored.keys()
    assert not refused & stored.keys()
    assert call(server, "query", "ledger:total").json()["value"] == stored.total()
    server.stop()
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 12 MB, or a folder on the usual one where none can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(folder)]
    is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    yield folder
    if is_mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_real_file_system_without_room(make_server: Callable[..., ServerProcess], small_disk: Path) -> None:
    server = make_server(PROJECT)
    server.data = small_disk / "data.sqlite3"
    server.start()
    ballast = small_disk / "ballast"
    if not os.path.ismount(small_disk):
        # Only a mounted file system can be filled; the faults above are the same story on any machine.
        assert call(server, "mutation", "counters:increment", name="a").json()["value"] == 1
        return
    with RawClient(server.url) as client:
        assert client.settle(client.mutate("counters:increment", {"name": "a"}))["result"] == 1
        with ballast.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    break
        # The write-ahead log has blocks of its own, so it takes a while until the disk is needed.
        response = {"success": True}
        for _ in range(2_000):
            response = client.response(client.mutate("messages:send", {"author": "a", "body": "x" * 100_000}))
            if not response["success"]:
                break
        assert not response["success"]
        assert "full" in response["result"]
        assert client.result(client.add("counters:get", {"name": "a"})) == 1
        ballast.unlink()
        assert client.settle(client.mutate("counters:increment", {"name": "a"}))["result"] == 2
    server.stop()
    assert verify(server.data, environment=Environment()).is_clean
