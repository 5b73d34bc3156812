"""A server on a failing disk, seen by official clients: writes are refused, nobody is cut off, all by itself.

With functions in the server's own process and with worker processes. The disk is `tests/faults/fault_disk.py`
in every process of the server, and a real small file system where one can be mounted.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.client_host import ClientError, ClientHost
from tests.clients.raw_client import RawClient
from tests.clients.server_process import PROJECT, ServerProcess
from tests.faults.fault_disk import CONTROL_VARIABLE, Control

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["0", "2"], ids=["one-process", "workers"])
def server(request: pytest.FixtureRequest, make_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server on a disk that can be told to fail."""
    server = make_server(PROJECT, "--workers", request.param)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    server.variables = {
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
    return httpx.post(f"{server.url}/api/{kind}", json=body, timeout=20)


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
