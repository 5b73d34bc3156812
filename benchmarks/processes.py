"""Processor time and memory of other processes, from /proc; 0 where there is none."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and all that run below it have used so far."""
    total = 0.0
    for each in [pid, *_descendants(pid)]:
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def resident_bytes_peak(pid: int) -> int:
    """The most memory that a process has held at a time."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def private_bytes(pid: int) -> int:
    """Memory that a process and all below it hold for themselves now; pages of files do not count."""
    total = 0
    for each in [pid, *_descendants(pid)]:
        try:
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)
    return total


def _descendants(pid: int) -> list[int]:
    """All processes below one: workers are children of the process that they were forked from."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, listed) for each in (child, *_descendants(child))]
