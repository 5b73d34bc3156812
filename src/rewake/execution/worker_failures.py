"""What a caller reads when a function took its worker with it.

Floor 3, `execution`. Not here: telling that it did (`writer_desk.py`, `reader_pool.py`).
Source: semantics 5.8.
"""

from __future__ import annotations

from rewake.errors import Unavailable
from rewake.execution.calls import Failure
from rewake.limits import Limits


class WorkerLost(Unavailable):
    """A worker process ended before it could answer. It is started again; try again."""

    code = "WorkerLost"
    template = "A worker process ended before it could answer. Try again."


def timed_out(limits: Limits) -> Failure:
    """A run that was cut off because it took too long."""
    return Failure(f"Function execution timed out (maximum duration: {limits.function_seconds_max:g}s)\n")


def given_up(path: str) -> Failure:
    """A function that ended its worker process twice."""
    return Failure(
        f"Function {path} ended the worker process that ran it, twice, and is not tried again. "
        "A crash in a native library or the end of the machine's memory does that; see the server's log.\n"
    )
