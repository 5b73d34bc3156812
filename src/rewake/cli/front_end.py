"""`rewake dev --start COMMAND`: the front end's own development server, beside ours.

Floor 8, `cli`. The command is a shell's, begins once the server is ready, and shares the terminal's output.
It is told where the server is by the variables that the official tools of each framework look for, and ends
with us. Should it end by itself, that is said, and ours goes on.

    start -> runs -> ended by itself: told          (its whole process group is signalled, so that what npm
                  -> end(): SIGTERM, SIGKILL         started ends as well)

Not here: when (`development.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

URL_VARIABLES = (
    "CONVEX_URL",
    "VITE_CONVEX_URL",
    "NEXT_PUBLIC_CONVEX_URL",
    "NUXT_PUBLIC_CONVEX_URL",
    "PUBLIC_CONVEX_URL",
    "EXPO_PUBLIC_CONVEX_URL",
)
"""What the command is told the server's address by; one that is set already stays as it is."""
END_SECONDS = 5.0


class FrontEnd:
    """One command beside the server."""

    def __init__(self, command: str, *, root: Path, url: str, ended: Callable[[int], None]) -> None:
        """`ended` hears the exit code where the command ends by itself."""
        self._command = command
        self._root = root
        self._url = url
        self._ended = ended
        self._process: asyncio.subprocess.Process | None = None  # From `start` on.
        self._watching: asyncio.Task[None] | None = None
        self._is_ending = False

    async def start(self) -> None:
        """Begin, in the project's folder."""
        self._process = await asyncio.create_subprocess_shell(
            self._command,
            cwd=self._root,
            env=dict.fromkeys(URL_VARIABLES, self._url) | dict(os.environ),
            # A group of its own, so that `end` reaches whatever it starts; it has no terminal to read from.
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watching = asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if not self._is_ending:
            self._ended(code)

    async def end(self) -> None:
        """End it with all that it started."""
        self._is_ending = True
        if self._process is None or self._watching is None:
            return
        self._signal(self._process.pid, signal.SIGTERM)
        await asyncio.wait([self._watching], timeout=END_SECONDS)
        # Whatever of the group is left: its first process may have gone without the others.
        self._signal(self._process.pid, signal.SIGKILL)
        await self._watching

    def _signal(self, group: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
