"""systemd is told when the server is ready, that it lives, and that it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.cli.service_manager import ServiceManager
from tests.cli.command import WAIT_SECONDS, Running, free_port


class Hearing:
    """The socket of a service manager."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.place)
        self.socket.settimeout(WAIT_SECONDS)

    def hear(self) -> str:
        return self.socket.recv(100).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Hearing]:
    hearing = Hearing(tmp_path / "notify")
    yield hearing
    hearing.socket.close()


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_server_tells_its_service_manager(project: Path, manager: Hearing, workers: str) -> None:
    variables = {
        "NOTIFY_SOCKET": manager.place,
        "WATCHDOG_USEC": "200000",
        # All of it by the environment, as a unit or a container says it.
        "REWAKE_PROJECT": str(project),
        "REWAKE_PORT": str(free_port()),
        "REWAKE_WORKERS": workers,
    }
    with Running("serve", cwd=project.parent, variables=variables) as serving:
        assert manager.hear() == "READY=1"
        serving.wait_for("ready at")
        assert [manager.hear() for _ in range(3)] == ["WATCHDOG=1"] * 3
        assert serving.stop(signal.SIGTERM) == 0
        heard = manager.hear()
        while heard == "WATCHDOG=1":
            heard = manager.hear()
        assert heard == "STOPPING=1"


def test_without_a_manager_nothing_is_told_and_children_do_not_inherit_it(manager: Hearing) -> None:
    ServiceManager({}).ready()
    variables = {"NOTIFY_SOCKET": manager.place, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1", "HOME": "/"}

    async def story() -> None:
        service = ServiceManager(variables)
        service.ready()
        assert manager.hear() == "READY=1"
        assert service._watchdog is None, "the watchdog is another process's"
        service.stopping()
        assert manager.hear() == "STOPPING=1"

    asyncio.run(story())
    assert variables == {"HOME": "/"}


def test_an_abstract_name_and_a_manager_that_left(caplog: pytest.LogCaptureFixture) -> None:
    name = f"@rewake-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind("\0" + name[1:])
        hearing.settimeout(WAIT_SECONDS)
        service = ServiceManager({"NOTIFY_SOCKET": name})
        service.stopping()
        assert hearing.recv(100) == b"STOPPING=1"
    service.stopping()
    assert "cannot be told STOPPING=1" in caplog.text
