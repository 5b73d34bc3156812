"""The prompt of `breakpoint()`: pdb, while it has the terminal for itself.

Floor 3, `execution`. A module of its own, which is imported when a function stops and not before: pdb takes a
good part of the interpreter's library along. Functions that stop at once wait for their turn.

Not here: when a function stops (`debugger.py`).
"""

from __future__ import annotations

import pdb
import threading
from types import FrameType, TracebackType

from rewake.execution.side_effects import unguarded

_turn = threading.RLock()


class Prompt(pdb.Pdb):
    """pdb, while it has the terminal for itself."""

    def __init__(self) -> None:
        with unguarded():  # It reads `.pdbrc`.
            super().__init__(nosigint=True)  # Signals belong to the server's loop.

    def interaction(self, frame: FrameType | None, traceback: TracebackType | BaseException | None) -> None:
        """Take commands until one lets the function go on."""
        with _turn, unguarded():
            super().interaction(frame, traceback)  # type: ignore[arg-type]  # An exception, from 3.13 on.
