"""A Rewake server as a process of its own, the way an operator runs it.

The end-to-end tests look at the product from outside: bytes on a port, a process that lives or dies. So
nothing of the house is imported here. `readiness` is asked of `/readyz`; while it is not there yet we wait
for the one event that could make further asking pointless, the death of the process.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx

from tests.clients.deadline import Deadline

PROJECT = Path(__file__).parent / "backend_project"
START_SECONDS = 90.0
ASK_SECONDS = 0.02


class ServerDied(AssertionError):
    """The server ended before it was ready; the message holds what it printed."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class ServerProcess:
    """`rewake serve` on one port and one data folder, started as often as a test likes."""

    data: Path
    log: Path
    project: Path | None = PROJECT
    """None: what was deployed to `data` is served."""
    port: int = field(default_factory=free_port)
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside those of the test's own process, of which none that sets up Rewake is passed on."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, kill_point: str | None = None) -> None:
        """Start the process and return when it is ready; `kill_point` is `name:count`.

        Raises:
            ServerDied: it ended first, with its output in the message.
        """
        self.launch(kill_point=kill_point)
        self.wait_ready()

    def launch(self, *, kill_point: str | None = None) -> None:
        """Start the process and return at once."""
        assert self.process is None or self.process.poll() is not None, "the last one still runs"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REWAKE_")}
        environment["PYTHONUNBUFFERED"] = "1"
        # The tests read why calls failed, which a server in production does not tell.
        environment["REWAKE_ERROR_DETAILS"] = "1"
        environment |= self.environment
        if kill_point is not None:
            environment["REWAKE_KILL_POINT"] = kill_point
        command = [sys.executable, "-m", "rewake", "serve", "--port", str(self.port)]
        command += [] if self.project is None else [str(self.project)]
        command += ["--data", str(self.data), *self.arguments]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )

    def wait_ready(self) -> None:
        """Return once `/readyz` answers 200."""
        assert self.process is not None
        deadline = Deadline(START_SECONDS)
        with httpx.Client() as client:
            while not self._is_ready(client):
                try:
                    code = self.process.wait(ASK_SECONDS)
                except subprocess.TimeoutExpired:
                    if deadline.is_over:
                        raise ServerDied(f"not ready after {START_SECONDS} s\n{self.output()}") from None
                else:
                    raise ServerDied(f"ended with {code} before it was ready\n{self.output()}")

    def wait_killed(self, seconds: float) -> None:
        """Return when the process killed itself with SIGKILL; any other end, or none, is a failure."""
        assert self.process is not None
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the kill point was not reached in {seconds} s\n{self.output()}") from None
        assert code == -signal.SIGKILL, f"ended with {code} instead of SIGKILL\n{self.output()}"

    def kill(self) -> None:
        """`kill -9`, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end in an orderly way, and do not take no for an answer."""
        self._end(signal.SIGTERM)

    def output(self) -> str:
        """What all lives of this server printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def _is_ready(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
