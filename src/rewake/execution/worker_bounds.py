"""What a worker process takes on itself: an end with its parent, a bound on its memory, no debugger.

Floor 3, `execution`, in templates and workers. Not here: the limit on time (`time_limit.py`), what is refused
inside a function (`side_effects.py`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from rewake.errors import FunctionError

if sys.platform != "win32":
    import resource  # By the template, and not by each of its workers.

_PR_SET_PDEATHSIG = 1


class NoDebugger(FunctionError):
    """A worker process has no terminal. Start the server with `--workers 0` to stop in a function."""

    code = "NoDebugger"
    template = (
        "breakpoint() cannot stop here: functions run in worker processes, which have no terminal. Start the "
        "server with `--workers 0` to run them in its own process."
    )


def refuse_debugger() -> None:
    """Have `breakpoint()` say where it works, instead of reading from a terminal that is not there."""

    def refuse(*_arguments: object, **_named: object) -> NoReturn:
        raise NoDebugger()

    sys.breakpointhook = refuse


class MemoryBound:
    """How much more memory functions may take than is taken now; beyond it they see MemoryError."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        # None: not Linux, where there is no bound that would count the right thing.
        self._taken = _data_bytes()
        if self._taken is None:
            return
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bound = self._taken + bytes_max
        if hard == resource.RLIM_INFINITY or bound < hard:
            resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))

    @property
    def is_worn(self) -> bool:
        """Whether so much is still taken, now that nothing runs, that functions would go on failing for what
        earlier ones have left behind: the process should give its place to a fresh one.
        """
        now = _data_bytes()
        return now is not None and self._taken is not None and now - self._taken > self._bytes_max // 2


def _data_bytes() -> int | None:
    """The private memory of this process, where the system tells."""
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(b"VmData:"))


def die_with(parent: int) -> None:
    """End this process when the one that made it ends, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)  # It went before we could ask.
