"""A command on a terminal of its own, typed into by a test."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.cli.command import WAIT_SECONDS, clean_variables
from tests.clients.deadline import Deadline

_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """`rewake ...` whose standard streams are a pseudo-terminal."""

    def __init__(self, *words: str, cwd: Path, variables: Mapping[str, str] | None = None) -> None:
        self._own, theirs = pty.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[3] &= ~termios.ECHO  # What is typed is not to be found as what was answered.
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self._attributes = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rewake", *words],
            cwd=cwd,
            env=clean_variables({"TERM": "dumb", "NO_COLOR": "1", **(variables or {})}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""
        self._seen = 0

    def wait_for(self, text: str) -> None:
        """Go on reading until `text` came, after what was waited for last."""
        deadline = Deadline(WAIT_SECONDS)
        while True:
            place = self.text.find(text, self._seen)
            if place >= 0:
                self._seen = place + len(text)
                return
            ready, _, _ = select.select([self._own], [], [], deadline.left or 0.001)
            if not ready:
                raise AssertionError(f"no {text!r} in\n{self.text}")
            try:
                self.text += os.read(self._own, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"it ended without {text!r}:\n{self.text}") from None

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._own, line.encode() + b"\n")

    def wait_asking(self) -> None:
        """Return when the process sleeps, as it does while it waits for a line. A Ctrl-C just before that is
        seen by Python only with the next key.
        """
        deadline = Deadline(WAIT_SECONDS)
        stat = Path(f"/proc/{self.process.pid}/stat")
        while stat.read_text().rpartition(") ")[2][0] != "S":
            assert deadline.left, "it never waits"

    def interrupt(self) -> int:
        """Press Ctrl-C, and read on until the end; gives the exit code. The terminal is as it was."""
        os.killpg(self.process.pid, signal.SIGINT)
        deadline = Deadline(WAIT_SECONDS)
        with contextlib.suppress(OSError):
            while select.select([self._own], [], [], deadline.left or 0)[0]:
                piece = os.read(self._own, 65536)
                if not piece:
                    break
                self.text += piece.decode(errors="replace")
        code = self.process.wait(WAIT_SECONDS)
        assert termios.tcgetattr(self._own) == self._attributes
        assert self.text.rfind(_SHOW_CURSOR) >= self.text.rfind(_HIDE_CURSOR), "the cursor is gone"
        return code

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_SECONDS)
        os.close(self._own)
        if kind is not None:
            print(self.text)
