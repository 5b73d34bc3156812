"""The current run: which query or mutation a thread is running.

Floor 3, `execution`. Whoever runs functions says so here, once at the begin of a run and once at its end.
Some have to know who are not called by the run, but by Python itself in the middle of it:

    `time_limit`         who computes at this moment?
    `side_effects`       is it an author's code that opens a file?
    `memory_limit`       whose failure is a MemoryError?
    `standard_sources`   whose time and chance do Python's clocks and random numbers give?

Threads that a function starts run nothing, as far as this goes. Not here: what it prints, which follows the
context instead (`output.py`).
"""

from __future__ import annotations

import threading
from random import Random
from typing import Any, Protocol

from rewake.execution.output import LogLines


class Run(Protocol):
    """One run, as those see it who ask here. A `Host` is one."""

    now_ms: float
    log_lines: LogLines
    has_read_clock: bool
    """Set when its code has looked at a clock."""
    author_seconds: float
    """Processor time that its author's code has used so far (`time_limit.py`)."""
    is_out_of_time: bool
    """Set when that is too much: then it is over, whatever it does."""
    is_out_of_memory: bool
    """Set when one of its author's handlers has met a MemoryError."""
    standard_sources: Any
    """What Python's own sources give it; None until it asks one. Used by `standard_sources` alone."""

    @property
    def chance(self) -> Random:
        """Its generator."""
        ...


class _Current(threading.local):
    run: Run | None = None
    """Set and cleared by who runs functions (`function_runs.py`)."""
    is_guarded: bool = False
    """Whether the author's code is running: set around each handler, and off while the house itself reaches
    outside on its behalf."""


current = _Current()
