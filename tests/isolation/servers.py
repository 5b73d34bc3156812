"""The two servers that are looked at: threads of this process, and a process with worker processes.

Both serve the same project. The first can be patched from a test; the second is what runs in production, and
has one writer and two readers.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from random import Random

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import load_project, read_settings
from rewake.loop_thread import LoopThread
from rewake.server import Server
from tests.clients.deadline import Deadline
from tests.clients.server_process import ServerProcess
from tests.isolation.calls import ADMIN_KEY

PROJECT = Path(__file__).parent / "project"
READERS = 2


class InlineServer:
    """A server in a thread of this process, its functions in threads too."""

    def __init__(self, data: Path, *, environment: Environment | None = None) -> None:
        self._data = data
        self._environment = environment or Environment()
        self._loop = LoopThread("rewake-testing")
        self._server = self._loop.run(self._open())

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def restart(self) -> None:
        """Close everything and open it again."""
        self._loop.run(self._stop())
        self._server = self._loop.run(self._open())

    def close(self) -> None:
        """Close everything."""
        self._loop.run(self._stop())
        self._loop.close()

    async def _open(self) -> Server:
        deployment = await Deployment.open(
            data=self._data,
            registry=load_project(read_settings(PROJECT)),
            name="lists",
            version="0",
            admin_key=AdminKey(ADMIN_KEY),
            environment=self._environment,
        )
        server = Server(deployment, port=0)
        await server.start()
        return server

    async def _stop(self) -> None:
        await self._server.stop()
        await self._server.deployment.close()


def server_with_workers(folder: Path, **environment: str) -> ServerProcess:
    """A server process with one writer and two readers, not started yet."""
    return ServerProcess(
        data=folder / "data.sqlite3",
        log=folder / "server.log",
        project=PROJECT,
        arguments=("--workers", str(READERS)),
        environment={"REWAKE_ADMIN_KEY": ADMIN_KEY, **environment},
    )


def children(process: int) -> list[int]:
    """The processes that a process has made. Linux only."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(number) for number in text.split()]


def workers(server: ServerProcess) -> list[int]:
    """The writer and the readers that are there now."""
    assert server.process is not None
    try:
        return [worker for template in children(server.process.pid) for worker in children(template)]
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill_a_worker(server: ServerProcess, random: Random) -> int:
    """End the writer or a reader in the middle of whatever it does; its process id."""
    victim = random.choice(workers(server))
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return victim


def wait_for_workers(server: ServerProcess, seconds: float = 90.0) -> None:
    """Return once all workers are there (again)."""
    deadline = Deadline(seconds)
    while len(workers(server)) < 1 + READERS:
        assert not deadline.is_over, server.output()
