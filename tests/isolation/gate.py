"""A gate at which the house waits for a test, in a thread or in another process.

    house:  pass_through()   says that it is there, and waits    (only the first that comes; others pass)
    test:   wait_arrived(), then other things happen, then open()

Two named pipes make it: opening one waits for whoever opens the other end.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path

WAIT_SECONDS = 60.0


class Gate:
    """One gate, by the folder in which its pipes lie."""

    def __init__(self, folder: Path) -> None:
        self._arrived = folder / "arrived"
        self._go = folder / "go"
        self._used = folder / "used"

    def make(self) -> None:
        """Put it up, before anybody can come."""
        os.mkfifo(self._arrived)
        os.mkfifo(self._go)
        # A reader is there from now on, so whoever arrives waits at the second pipe only.
        self._reading = os.open(self._arrived, os.O_RDONLY | os.O_NONBLOCK)

    def wait_arrived(self) -> None:
        """Return once somebody waits."""
        ready, _, _ = select.select([self._reading], [], [], WAIT_SECONDS)
        assert ready, f"nobody came in {WAIT_SECONDS} s"

    def open(self) -> None:
        """Let whoever waits go on."""
        os.close(os.open(self._go, os.O_WRONLY))

    def take_down(self) -> None:
        """Let whoever may still wait go on. Harmless when nobody does."""
        with suppress(OSError):
            os.close(os.open(self._go, os.O_WRONLY | os.O_NONBLOCK))
        os.close(self._reading)

    def pass_through(self) -> None:
        """Wait here, if nobody did before."""
        try:
            os.close(os.open(self._used, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        with open(self._arrived, "wb", buffering=0) as arrived:
            arrived.write(b".")
        with open(self._go, "rb") as go:
            go.read()
