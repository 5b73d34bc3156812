"""What a caller reads when a function took too much time or memory, or its worker with it.

Floor 3, `execution`. Not here: telling that it did (`time_limit.py`, `writer_desk.py`, `reader_pool.py`).
Source: semantics 5.8.
"""

from __future__ import annotations

from rewake.errors import Unavailable
from rewake.execution.calls import Failure
from rewake.limits import MIB, Limits


class WorkerLost(Unavailable):
    """A worker process ended before it could answer. It is started again; try again."""

    code = "WorkerLost"
    template = "A worker process ended before it could answer. Try again."


class ResultLost(Unavailable):
    """The call was made durable, and the process that knew its result ended before it could tell. Look at the
    data before you send it again.
    """

    code = "ResultLost"
    template = (
        "This call was committed, but its result was lost with the process that ran it. Look at the data "
        "before you send it again."
    )


def cut_off(limits: Limits) -> Failure:
    """A run that was cut off because it took too long (`Limits.system_seconds_max`)."""
    most = limits.system_seconds_max
    return Failure(
        "Your request timed out performing too many system operations.\n"
        f"[setting system_seconds_max, observed more than {most:g}, limit {most:g}]\n"
    )


def timed_out(limits: Limits, log_lines: tuple[str, ...], *, seconds: float) -> Failure:
    """A run whose own code computed for too long: `seconds` of processor time."""
    most = limits.function_seconds_max
    text = (
        f"Function execution timed out (maximum duration: {most:g}s)\n"
        f"[setting function_seconds_max, observed {seconds:.2f}, limit {most:g}]\n"
    )
    return Failure(text, None, log_lines)


def out_of_memory(limits: Limits, log_lines: tuple[str, ...]) -> Failure:
    """A run that took more memory than there is for it (`Limits.worker_memory_bytes_max`)."""
    most = limits.worker_memory_bytes_max // MIB
    text = (
        f"Function execution ran out of memory (maximum memory usage: {most} MB)\n"
        f"[setting worker_memory_bytes_max, observed more than {most * MIB}, limit {most * MIB}]\n"
    )
    return Failure(text, None, log_lines)


def given_up(path: str) -> Failure:
    """A function that ended its worker process twice."""
    return Failure(
        f"Function {path} ended the worker process that ran it, twice, and is not tried again. "
        "A crash in a native library or the end of the machine's memory does that; see the server's log.\n"
    )
