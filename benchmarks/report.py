"""Tables of ratios, and where and when they were measured."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import apsw

PACKAGES = ["uvicorn", "uvloop", "httptools", "orjson", "msgspec", "websockets", "fastapi", "starlette"]


@dataclass(slots=True)
class Table:
    """Rows of one question."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        assert len(cells) == len(self.columns), "a cell for each column"
        self.rows.append(list(cells))

    def markdown(self) -> str:
        everything = [self.columns, *self.rows]
        widths = [max(len(row[place]) for row in everything) for place in range(len(self.columns))]
        lines = [_line(self.columns, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
        lines += [_line(row, widths) for row in self.rows]
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", *lines, "", *notes, ""])


def ratio(value: float, floor: float) -> str:
    return f"{value / floor:.2f} x"


def verdict(is_reached: bool) -> str:
    return "reached" if is_reached else "not reached"


def circumstances(scratch: Path) -> str:
    """Machine, versions, durability, date."""
    now = datetime.datetime.now(datetime.UTC)
    machine = [_processor(), f"{os.cpu_count()} cores", _memory(), _disk(scratch)]
    machine.append(f"{platform.system()} {platform.release()}")
    versions = [f"rewake {version('rewake')}", f"Python {platform.python_version()}"]
    versions.append(f"SQLite {apsw.sqlite_lib_version()} (Rewake and the bare commit)")
    versions += [f"{name} {version(name)}" for name in PACKAGES]
    return "\n".join(
        [
            f"- date: {now:%Y-%m-%d %H:%M} UTC",
            f"- machine: {', '.join(machine)}",
            f"- versions: {', '.join(versions)}",
            "- durability: WAL, synchronous=FULL, unless a row says no fsync",
        ]
    )


def _line(cells: list[str], widths: list[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "| " + " | ".join(padded) + " |"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"


def _disk(folder: Path) -> str:
    """The kind of file system under `folder`: on tmpfs an fsync costs nothing and the ratios say nothing."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "file system unknown"
    place = str(folder.resolve()) + "/"
    under = [mount for mount in mounts if place.startswith(mount[1].rstrip("/") + "/")]
    return max(under, key=lambda mount: len(mount[1]))[2] if under else "file system unknown"
