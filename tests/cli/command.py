"""The command line under test: in this process, or as a process of its own whose lines can be waited for."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

from rewake.cli import main
from tests.clients.deadline import Deadline

WAIT_SECONDS = 60.0
FRONT_MODULES = "the files of its modules: "
_TELLS_MODULES = f"""
import atexit, json, sys
from rewake.cli import main
def tell():
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    print("{FRONT_MODULES}" + json.dumps(files), flush=True)
atexit.register(tell)
main()
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_here(capsys: pytest.CaptureFixture[str], *words: str) -> Outcome:
    """Run a command in this process."""
    before = sys.argv
    sys.argv = ["rewake", *words]
    capsys.readouterr()
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = before
    captured = capsys.readouterr()
    return Outcome(code, captured.out, captured.err)


def clean_variables(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what could lead a command elsewhere."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("REWAKE_")}
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        variables.pop(name, None)
    # Tests read why calls failed; the one of redaction takes this back.
    usual = {"PYTHONUNBUFFERED": "1", "TERM": "xterm-256color", "REWAKE_ERROR_DETAILS": "1"}
    return variables | usual | dict(changes or {})


def run_apart(*words: str, cwd: Path, variables: Mapping[str, str] | None = None, stdin: str = "") -> Outcome:
    """Run a command as a process of its own until it ends."""
    done = subprocess.run(
        [sys.executable, "-m", "rewake", *words],
        cwd=cwd,
        env=clean_variables(variables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


class Running:
    """A command that goes on, with stderr among its lines."""

    def __init__(
        self,
        *words: str,
        cwd: Path,
        variables: Mapping[str, str] | None = None,
        tells_modules: bool = False,
    ) -> None:
        """Start it; `tells_modules` has it say at its end, after `FRONT_MODULES`, what it had imported."""
        program = ["-c", _TELLS_MODULES] if tells_modules else ["-m", "rewake"]
        self.process = subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=cwd,
            env=clean_variables(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._fresh: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                self._fresh.put(line.rstrip("\n"))
        self._fresh.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Go on reading until a line has `pattern` in it."""
        deadline = Deadline(WAIT_SECONDS)
        while True:
            try:
                line = self._fresh.get(timeout=deadline.left or 0.001)
            except queue.Empty:
                raise AssertionError(f"no line with {pattern!r} in\n{self.text}") from None
            if line is None:
                raise AssertionError(f"it ended without a line with {pattern!r}:\n{self.text}")
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    @property
    def text(self) -> str:
        """Everything read so far."""
        return "\n".join(self.lines)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; gives the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; gives the exit code. The rest of the lines is read."""
        code = self.process.wait(WAIT_SECONDS)
        while True:
            line = self._fresh.get(timeout=WAIT_SECONDS)
            if line is None:
                return code
            self.lines.append(line)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_SECONDS)
        assert self.process.stdout is not None
        if kind is not None:
            print(self.text)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
