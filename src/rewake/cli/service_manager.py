"""Word for the service manager: systemd's readiness protocol, for units of `Type=notify`.

Floor 8, `cli`. One datagram a word, to the socket that `NOTIFY_SOCKET` names; without it nobody is told.

    READY=1       functions can be called
    WATCHDOG=1    again and again, from the event loop: a server that hangs is restarted (`WatchdogSec`)
    STOPPING=1    the end has begun

Not here: when (`serving.py`).
Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import MutableMapping

from rewake.environment import pause
from rewake.observability import logger

_log = logger(__name__)
_USEC = 1_000_000


class ServiceManager:
    """Whoever started the process and wants to hear of it; nobody, mostly."""

    def __init__(self, variables: MutableMapping[str, str] = os.environ) -> None:
        """Take the variables away: they are about this process, not about those that it starts."""
        self._place = variables.pop("NOTIFY_SOCKET", "")
        every, process = variables.pop("WATCHDOG_USEC", ""), variables.pop("WATCHDOG_PID", "")
        is_ours = process in ("", str(os.getpid()))
        # Twice as often as is asked for, as the manual says.
        self._seconds = int(every) / _USEC / 2 if every.isdigit() and is_ours else 0.0
        self._watchdog: asyncio.Task[None] | None = None  # From `ready` to `stopping`.

    def ready(self) -> None:
        """The server is ready."""
        self._tell("READY=1")
        if self._place and self._seconds:
            self._watchdog = asyncio.get_running_loop().create_task(self._live())

    def stopping(self) -> None:
        """The server has begun to stop."""
        self._tell("STOPPING=1")
        if self._watchdog is not None:
            self._watchdog.cancel()

    async def _live(self) -> None:
        while True:
            self._tell("WATCHDOG=1")
            await pause(self._seconds)

    def _tell(self, word: str) -> None:
        if not self._place:
            return
        # A name that begins with @ lies in the abstract namespace.
        address = "\0" + self._place[1:] if self._place.startswith("@") else self._place
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(word.encode(), address)
        except OSError as error:
            _log.warning("the service manager cannot be told %s: %s", word, error)
