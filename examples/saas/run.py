"""`make saas`: the application, its page and a stand-in for the provider, all on this machine.

    SAAS_PORT=4000             the application; 3210, or a free port if that is taken
    SAAS_SITE_PORT=4001        its HTTP actions; 3211, or a free port if that is taken
    SAAS_PROVIDER_PORT=4002    the provider; 3220, or a free port if that is taken
    SAAS_TOKEN_SECONDS=60      how long a token is good
    SAAS_SETTLE_SECONDS=1.5    how long a payment is pending
    SAAS_FOLDER=some/folder    an empty folder for data, page and log; a temporary one without it

Each start begins with empty data, since the provider forgets its accounts. The npm packages must be there
(`npm ci` in this folder); the Makefile does that first.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx
import uvicorn
from provider.accounts import Accounts
from provider.app import Provider
from provider.outbox import Outbox
from provider.tokens import Signer

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
PORT_USUAL, SITE_PORT_USUAL, PROVIDER_PORT_USUAL = 3210, 3211, 3220
TOKEN_SECONDS, SETTLE_SECONDS = 60.0, 1.5
START_SECONDS_MAX, STOP_SECONDS_MAX = 60.0, 10.0


class CannotRun(Exception):
    """Something that the demo stands on is missing; the message says what."""


def listen(variable: str, usual: int) -> socket.socket:
    """A socket on the port that was asked for, else on the usual one, else on any that is free."""
    asked = os.environ.get(variable)
    for port in [int(asked)] if asked else [usual, 0]:
        with suppress(OSError):
            return socket.create_server((HOST, port))
    raise CannotRun(f"port {asked} is taken" if asked else "no port is free")


def choose_port(variable: str, usual: int) -> int:
    """The same for a process that makes its own socket: the port alone."""
    with listen(variable, usual) as probe:
        return int(probe.getsockname()[1])


def build_page(folder: Path, provider_url: str) -> Path:
    """The page, built for this provider."""
    npm = shutil.which("npm")
    if npm is None or not (HERE / "node_modules").is_dir():
        raise CannotRun("run it as `make saas`, which sets up npm's packages")
    page = folder / "page"
    command = [
        npm,
        "run",
        "--silent",
        "build",
        "--",
        "--outDir",
        str(page),
        "--emptyOutDir",
        "--logLevel",
        "warn",
    ]
    done = subprocess.run(
        command,
        cwd=HERE,
        env=os.environ | {"VITE_PROVIDER_URL": provider_url},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise CannotRun(f"the page cannot be built:\n{done.stdout}{done.stderr}")
    return page


class Backend:
    """`rewake dev` on this project, as a process of its own."""

    def __init__(self, folder: Path, *, page: Path, port: int, site_port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.log = folder / "backend.log"
        self._data = folder / "data.sqlite3"
        self._variables = folder / "variables.env"
        self._command = [sys.executable, "-m", "rewake", "dev", str(HERE), "--data", str(self._data)]
        self._command += ["--port", str(port), "--site-port", str(site_port), "--static", str(page)]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it takes calls."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
            )
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(START_SECONDS_MAX):
            while self._process.returncode is None:
                with suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/readyz")).is_success:
                        return
                await asyncio.sleep(0.05)
        raise CannotRun(f"the backend did not start:\n{self.log.read_text(errors='replace')}")

    def set_variables(self, **variables: str) -> None:
        """What `rewake env set` does. By a file, which other users of the machine cannot read."""
        self._variables.touch(mode=0o600)
        self._variables.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        environment = dict(os.environ)
        if "REWAKE_ADMIN_KEY" not in environment:
            key_file = self._data.with_name(f"{self._data.name}.admin_key")
            environment["REWAKE_ADMIN_KEY"] = key_file.read_text().strip()
        command = [
            sys.executable,
            "-m",
            "rewake",
            "env",
            "set",
            "--file",
            str(self._variables),
            "--url",
            self.url,
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotRun(f"the variables cannot be set: {done.stderr}")

    async def wait(self) -> None:
        """Return when it has ended."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS_MAX)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def run(folder: Path) -> None:
    """Start everything, and go on until somebody says stop."""
    door = listen("SAAS_PROVIDER_PORT", PROVIDER_PORT_USUAL)
    provider_url = f"http://{HOST}:{door.getsockname()[1]}"
    port, site_port = choose_port("SAAS_PORT", PORT_USUAL), choose_port("SAAS_SITE_PORT", SITE_PORT_USUAL)
    backend = Backend(folder, page=build_page(folder, provider_url), port=port, site_port=site_port)
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    provider = Provider(
        page_url=backend.url,
        signer=Signer(provider_url, token_seconds=float(os.environ.get("SAAS_TOKEN_SECONDS", TOKEN_SECONDS))),
        outbox=Outbox(f"{backend.url}/http/webhooks/clerk", secret),
        accounts=Accounts(),
        settle_seconds=float(os.environ.get("SAAS_SETTLE_SECONDS", SETTLE_SECONDS)),
    )
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="warning", timeout_graceful_shutdown=1))
    try:
        await backend.start()
        backend.set_variables(CLERK_JWT_ISSUER_DOMAIN=provider_url, CLERK_WEBHOOK_SECRET=secret)
        await provider.announce()
        listening = asyncio.create_task(server.serve(sockets=[door]))
        while not server.started and not listening.done():
            await asyncio.sleep(0.02)
        print(f"The application: {backend.url}", flush=True)
        print(f"The provider's desk: {provider_url}", flush=True)
        print(f"What the backend says is in {backend.log}. Ctrl-C ends all of it.", flush=True)
        ended = asyncio.create_task(backend.wait())
        await asyncio.wait([listening, ended], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise CannotRun(f"the backend has ended:\n{backend.log.read_text(errors='replace')}")
        await listening
    finally:
        await backend.stop()


def main() -> int:
    # `make` may be stopped by its own parent, which sends SIGTERM and not Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="saas-") as temporary:
        folder = Path(os.environ.get("SAAS_FOLDER", temporary)).resolve()
        try:
            asyncio.run(run(folder))
        except CannotRun as error:
            print(f"saas: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
