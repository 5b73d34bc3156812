"""What the end-to-end tests stand on: Node with the official packages, Chromium, and a server process.

A missing instrument is a failure, never a skip: a suite that passes because it did not run is worse than
one that fails.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.browser import Browser
from tests.clients.client_host import ClientHost
from tests.clients.json_program import JsonProgram
from tests.clients.server_process import PROJECT, ServerProcess

HERE = Path(__file__).parent
INLINE_TOO = {"test_overload", "test_raw_protocol", "test_reconnect"}
"""Modules whose tests meet worker processes, as all do, and functions in the server's own process too."""
NODE_MAJOR_MIN = 20
INSTALL_SECONDS = 300


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node, with the packages of `package-lock.json` installed beside this file."""
    program = _need("node", f"Node {NODE_MAJOR_MIN} or newer")
    _need("npm", "npm")
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < NODE_MAJOR_MIN:
        pytest.fail(f"the client tests need Node {NODE_MAJOR_MIN} or newer; {program} is {version.strip()}")
    install_packages(HERE)
    return program


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that can run without a screen."""
    named = os.environ.get("REWAKE_TEST_CHROMIUM")
    for candidate in [named] if named else ["chromium", "chromium-browser", "google-chrome"]:
        found = shutil.which(candidate)
        if found:
            return found
    pytest.fail(
        "the browser tests need Chromium: install it, or name the program in REWAKE_TEST_CHROMIUM",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of `INLINE_TOO` on both runners."""
    if metafunc.module.__name__.rpartition(".")[2] in INLINE_TOO and "runner" in metafunc.fixturenames:
        arguments = [(), ("--workers", "0")]
        metafunc.parametrize("runner", arguments, ids=["workers", "inline"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def runner(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Arguments of `rewake serve` that say where functions run; none: in worker processes."""
    arguments: tuple[str, ...] = getattr(request, "param", ())
    return arguments


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Build servers that are stopped at the end of the test, and whose output shows if it fails."""
    made: list[ServerProcess] = []

    def make(project: Path = PROJECT, *arguments: str) -> ServerProcess:
        name = f"server-{len(made)}"
        server = ServerProcess(
            data=tmp_path / f"{name}.sqlite3",
            log=tmp_path / f"{name}.log",
            project=project,
            arguments=arguments,
        )
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()
        print(f"--- output of the server on port {server.port}\n{server.output()}")


@pytest.fixture
def server(make_server: Callable[..., ServerProcess], runner: tuple[str, ...]) -> ServerProcess:
    """A server on the test backend, ready, with nothing stored."""
    server = make_server(PROJECT, *runner)
    server.start()
    return server


@pytest.fixture(scope="module")
def _server_of_module(
    tmp_path_factory: pytest.TempPathFactory, runner: tuple[str, ...]
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("shared")
    data, log = folder / "shared.sqlite3", folder / "shared.log"
    with ServerProcess(data=data, log=log, arguments=runner) as server:
        yield server


@pytest.fixture
def shared_server(_server_of_module: ServerProcess) -> Iterator[ServerProcess]:
    """One server for all tests of a module that do not mind what others have stored in it: starts once."""
    yield _server_of_module
    print(f"--- output of the shared server\n{_server_of_module.output()}")


@pytest.fixture
def run_program(node: str, tmp_path: Path) -> Iterator[Callable[..., JsonProgram]]:
    """Start programs of `programs/`; those that still run at the end of the test are ended."""
    with ExitStack() as programs:

        def start(name: str, *arguments: object) -> JsonProgram:
            interpreter = sys.executable if name.endswith(".py") else node
            command = [interpreter, name, *(str(each) for each in arguments)]
            log = tmp_path / f"{name}.stderr"
            program = JsonProgram(command, name=name, folder=HERE / "programs", log=log)
            return programs.enter_context(program)

        yield start


@pytest.fixture
def npm(run_program: Callable[..., JsonProgram]) -> ClientHost:
    """A process that holds official npm clients and does with them what it is told."""
    return ClientHost(run_program("npm_host.mjs"))


@pytest.fixture
def pypi(run_program: Callable[..., JsonProgram]) -> ClientHost:
    """The same with official PyPI clients."""
    return ClientHost(run_program("pypi_host.py"))


@pytest.fixture
def browser(run_program: Callable[..., JsonProgram], chromium: str) -> Browser:
    """A headless Chromium, ready."""
    program = run_program("browser_host.mjs", chromium)
    program.wait(lambda event: event["event"] == "ready", seconds=60)
    return Browser(program)


def install_packages(folder: Path) -> None:
    """Make `node_modules` of `folder` what its lock file says; quick when it already is.

    Test processes that run side by side take turns. npm writes its own copy of the lock file at the end of an
    install, so a half-made folder is never taken for a whole one; the Makefile goes by the same file.
    """
    wanted = folder / "package-lock.json"
    installed = folder / "node_modules" / ".package-lock.json"
    with (folder / ".npmrc").open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if installed.is_file() and installed.stat().st_mtime >= wanted.stat().st_mtime:
            return
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"`npm ci` in {folder.name} failed:\n{done.stdout}\n{done.stderr}")
        installed.touch()


def installed_version(package: str) -> str:
    """The version of an npm package as it lies in `node_modules`."""
    text = (HERE / "node_modules" / package / "package.json").read_text(encoding="utf-8")
    version: str = json.loads(text)["version"]
    return version


def _need(program: str, what: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"the client tests need {what}; no `{program}` was found on PATH")
    return found
