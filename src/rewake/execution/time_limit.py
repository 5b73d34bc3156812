"""The soft time limit: a function that computes for too long is interrupted where it stands.

Floor 3, `execution`, in worker processes, whose only thread runs functions. The kernel tells every few
milliseconds of processor time (SIGPROF), and costs nothing while the process sleeps. What passed since the
last tick is the author's or the house's, by whose frame comes first on the way out from where the process
was: a library that an author calls counts for the author, a query or an insert for the house. So waiting for
the database is not counted, and nothing is ever raised inside the house: no write is cut in two.

    a run is current -> (tick: its author's share grows)* -> out of time -> raised in the author's frame

`FunctionTimedOut` is no `Exception`, and who catches it all the same gets it again at once, in the handler or
behind it: once the limit is reached the signal stays pending until the run is over (`current_run.py`).
Whatever the function returns then does not count.

Not here: the hard limit on a whole run, which ends the process (`worker_runner.py`); what a run then comes to
(`function_runs.py`).
Source: semantics 5.8.
"""

from __future__ import annotations

import _thread
import os
import signal
import sysconfig
from pathlib import Path
from types import FrameType

from rewake.environment import processor_seconds
from rewake.execution.current_run import Run, current
from rewake.limits import Limits

_TICK_SECONDS = 0.01
BEGIN_SECONDS = -_TICK_SECONDS
"""What a run has used when it begins. Asking the processor's clock is a system call, and what passed since
the last tick is a tick at the most, and not held against the run."""
_PATIENCE_SECONDS = 0.1
"""So long we wait for an author's own frame, so that a library of theirs is not left half done."""

_NOT_COUNTED = (str(Path(__file__).resolve().parent.parent) + os.sep, "<frozen importlib")
"""The house; and the import system: a library that is first imported inside a function is heavy once in each
process, and one that is interrupted in the middle of it may be of no use ever after.
"""
_PYTHON = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class FunctionTimedOut(BaseException):
    """The function computed for too long. It is over, whatever is done with this."""

    def __str__(self) -> str:
        return "the function computed for too long"


class _Signal(int):
    """A signal that makes itself pending when it is asked for `again`.

    Calling `interrupt_main` would do the same, but Python looks for pending signals after every call, and
    the handler would be called inside itself; reading an attribute is no call.
    """

    again = property(_thread.interrupt_main)


_TICK = _Signal(signal.SIGPROF)


class TimeLimit:
    """The limit on the runs of one process, in its main thread. One is used; `start` takes over SIGPROF."""

    def __init__(self, limits: Limits, *, root: Path | None) -> None:
        self._most = limits.function_seconds_max
        self._root = None if root is None else os.path.join(root, "")
        # Whose a file is: True the author's, False the house's, None of whoever calls it.
        self._owners: dict[str, bool | None] = {}
        # Up to which all processor time is given to somebody: moved by every tick.
        self._counted_to = 0.0
        self._is_in_tick = False

    def start(self) -> None:
        """Count from now on. Call it in the main thread."""
        signal.signal(signal.SIGPROF, self._tick)
        signal.siginterrupt(signal.SIGPROF, False)
        self._counted_to = processor_seconds()
        signal.setitimer(signal.ITIMER_PROF, _TICK_SECONDS, _TICK_SECONDS)

    def stop(self) -> None:
        """Count no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _tick(self, _number: int, frame: FrameType | None) -> None:
        if self._is_in_tick:
            return
        self._is_in_tick = True
        run, is_due = None, False
        try:
            run = current.run
            is_due = self._count(run, frame)
        except Exception:
            pass  # No memory, or no stack left: the next tick looks again.
        # No call from here on, or the next tick would begin inside this one.
        if run is not None and run.is_out_of_time:
            _TICK.again  # noqa: B018
        self._is_in_tick = False
        if is_due:
            raise FunctionTimedOut

    def _count(self, run: Run | None, frame: FrameType | None) -> bool:
        """Give the time since the last tick to whose it is; True where it is time to interrupt, and the place
        for it.
        """
        now = processor_seconds()
        passed, self._counted_to = now - self._counted_to, now
        if run is None:
            return False
        is_authors, is_own = self._whose(frame)
        if is_authors:
            run.author_seconds += passed
        if run.author_seconds >= self._most:
            run.is_out_of_time = True
        is_impatient = run.author_seconds >= self._most + _PATIENCE_SECONDS
        return run.is_out_of_time and is_authors and (is_own or is_impatient)

    def _whose(self, frame: FrameType | None) -> tuple[bool, bool]:
        """Whether the author computes, and whether in a file of their own."""
        is_innermost = True
        while frame is not None:
            file = frame.f_code.co_filename
            try:
                is_authors = self._owners[file]
            except KeyError:
                is_authors = self._owners[file] = self._owner(file)
            if is_authors is not None:
                return is_authors, is_innermost
            is_innermost = False
            frame = frame.f_back
        return False, False

    def _owner(self, file: str) -> bool | None:
        if file.startswith(_NOT_COUNTED):
            return False
        if self._root is None or not file.startswith(self._root):
            return None
        is_library = file.startswith(_PYTHON) or any(part in file for part in _LIBRARIES)
        return None if is_library else True
