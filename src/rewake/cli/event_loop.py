"""The event loop of a command, and the wish to end it.

Floor 8, `cli`. Apart from what serves (`hosting.py`), for commands that only talk to a server need not load
one.

    run_loop    the fastest event loop there is
    Stopping    SIGINT and SIGTERM become an event; the second Ctrl-C does not wait for anything

Not here: what becomes of the wish (`serving.py`, `development.py`, `watching.py`).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from rewake.cli.failure import ExitCode

T = TypeVar("T")


class Stopping:
    """The wish to stop, from Ctrl-C or from whoever manages the process."""

    def __init__(self) -> None:
        self._wished = asyncio.Event()
        self.exit_code = ExitCode.OK

    def listen(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP for the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._wish, ExitCode.INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, self._wish, ExitCode.OK)
        # The terminal window was closed: nobody reads us any more, and the data is still to be closed.
        loop.add_signal_handler(signal.SIGHUP, self._wish, ExitCode.OK)

    @property
    def is_wished(self) -> bool:
        """Whether it is time to end."""
        return self._wished.is_set()

    async def wait(self) -> None:
        """Return when it is time to end."""
        await self._wished.wait()

    def _wish(self, code: ExitCode) -> None:
        if self._wished.is_set() and code is ExitCode.INTERRUPTED:
            # Whatever was acknowledged is on disk; the rest has had its chance.
            os._exit(ExitCode.INTERRUPTED)
        self.exit_code = code
        self._wished.set()


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
