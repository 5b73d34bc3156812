"""`examples/saas/run.py` as a process of its own: the application, its page, and the stand-in provider."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.clients.deadline import Deadline
from tests.clients.server_process import free_port

SAAS = Path(__file__).parents[2] / "examples" / "saas"
START_SECONDS = 180.0
ASK_SECONDS = 0.05
READY = "Ctrl-C ends all of it."


@dataclass
class SaasProcess:
    """Everything that one command started."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str
    desk: str
    """The provider's address: what a test does there, a person does at its desk."""

    def do(self, path: str, **fields: str) -> httpx.Response:
        """Press a button of the provider's desk."""
        answer = httpx.post(f"{self.desk}{path}", data=fields, timeout=60)
        assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
        return answer

    def account(self, name: str) -> str:
        """The id of the account of this name, as the desk's page has it."""
        page = httpx.get(self.desk).text
        before, _, _ = page.partition(f"New name of\n{name}</label>")
        return before.rpartition('for="name-')[2].removesuffix('">')

    def output(self) -> str:
        """What it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self) -> None:
        """Return when it says that it is there."""
        deadline = Deadline(START_SECONDS)
        while READY not in self.output():
            try:
                code = self.process.wait(ASK_SECONDS)
            except subprocess.TimeoutExpired:
                assert not deadline.is_over, f"not ready after {START_SECONDS} s\n{self.output()}"
            else:
                raise AssertionError(f"ended with {code}\n{self.output()}")

    def stop(self) -> int:
        """Ask it to end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(30)


@contextmanager
def saas_process(folder: Path, **variables: str) -> Iterator[SaasProcess]:
    """Start it on free ports, with its data in `folder`."""
    port, site_port, provider_port = (free_port() for _ in range(3))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REWAKE_")}
    environment |= {
        "SAAS_PORT": str(port),
        "SAAS_SITE_PORT": str(site_port),
        "SAAS_PROVIDER_PORT": str(provider_port),
        "SAAS_FOLDER": str(folder),
        **variables,
    }
    log = folder / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(SAAS / "run.py")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
    address = "http://127.0.0.1"
    saas = SaasProcess(process, log, f"{address}:{port}", f"{address}:{provider_port}")
    try:
        saas.wait_ready()
        yield saas
    finally:
        saas.stop()
