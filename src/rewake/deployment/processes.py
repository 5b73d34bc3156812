"""Processes: what worker processes take of the machine.

Floor 5, `deployment`. The kernel is asked about other processes by their numbers; where it cannot be, as on
macOS, nothing is known but that they are there.

Not here: the server's own process, which the Prometheus library reports.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class ProcessFigures(msgspec.Struct, frozen=True):
    """The processes of one role."""

    role: str
    count: int
    resident_bytes: int
    open_files: int


def process_figures(workers: Iterable[tuple[str, int]]) -> tuple[ProcessFigures, ...]:
    """What the processes of each role take together; `workers` are roles and process numbers."""
    found: dict[str, ProcessFigures] = {}
    for role, pid in workers:
        known = found.get(role, ProcessFigures(role, 0, 0, 0))
        found[role] = ProcessFigures(
            role,
            known.count + 1,
            known.resident_bytes + _resident_bytes(pid),
            known.open_files + _open_files(pid),
        )
    return tuple(found.values())


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as facts:
            return int(facts.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0  # It has ended meanwhile, or this machine has no such files.


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
