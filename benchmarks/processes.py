"""Processor time and memory of other processes, from the kernel of Linux; 0 where there is none."""

from __future__ import annotations

import resource
import time
from pathlib import Path

_CPUCLOCK_SCHED = 2
"""Of Linux, include/linux/posix-timers.h: all that the process's threads have run."""


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and all that run below it have used so far."""
    return sum(cpu_seconds_alone(each) for each in [pid, *descendants(pid)])


def cpu_seconds_alone(pid: int) -> float:
    """Processor time of one process, without those below it, to the nanosecond; 0 where there is none.

    The number of a process's clock: `clock_getcpuclockid`(3), which Python does not have.
    """
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def resident_bytes_peak(pid: int) -> int:
    """The most memory that a process has held at a time."""
    return _memory(pid, "VmHWM:")


def private_bytes(pid: int) -> int:
    """Memory that a process and all below it hold for themselves now; pages of files do not count."""
    return sum(private_bytes_alone(each) for each in [pid, *descendants(pid)])


def private_bytes_alone(pid: int) -> int:
    """The same of one process, without those below it."""
    return _memory(pid, "RssAnon:")


def raise_open_files() -> int:
    """Let this process and those that it starts open as many files as they may; says how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def _memory(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def descendants(pid: int) -> list[int]:
    """All processes below one: workers are children of the process that they were forked from."""
    listed: list[str] = []
    try:
        # A child belongs to the thread that started it.
        for thread in Path(f"/proc/{pid}/task").iterdir():
            listed += (thread / "children").read_text().split()
    except OSError:
        pass
    return [each for child in map(int, listed) for each in (child, *descendants(child))]
