"""Tables of ratios, and where and when they were measured."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import apsw

PACKAGES = ["uvicorn", "uvloop", "httptools", "orjson", "msgspec", "websockets", "fastapi", "starlette"]


class Failing(Protocol):
    """What a load tells about answers that failed."""

    @property
    def failures(self) -> int: ...

    @property
    def first_failure(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run says of one bar of the design."""

    is_reached: bool
    figure: str
    over_floor: str
    condition: str
    """Why the verdict holds for less than the design asks for; empty where it does not."""


@dataclass(slots=True)
class Table:
    """Rows of one question."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    by_hand: dict[str, float] = field(default_factory=dict)
    """What the hand-written application reached, larger being better; `record` holds it against earlier
    runs."""
    failures: Sequence[Failing] = ()
    """The loads that were measured: none of them may have a failed answer."""
    judgements: list[Judgement] = field(default_factory=list)
    """One for each bar of the design that this question measures, for `bars`."""
    wrong: list[str] = field(default_factory=list)
    """What was not as it must be. Such a table is printed, and the run fails."""

    def add(self, *cells: str) -> None:
        assert len(cells) == len(self.columns), "a cell for each column"
        self.rows.append(list(cells))

    def judge(self, figure: str, *, is_reached: bool, over_floor: str = "", condition: str = "") -> str:
        """Note what is said of a bar; returns the verdict, for a cell."""
        self.judgements.append(Judgement(is_reached, figure, over_floor, condition))
        return verdict(is_reached)

    def all_wrong(self) -> list[str]:
        """What was wrong, failed answers included."""
        failed = [
            f"{each.failures} answers failed, the first: {each.first_failure}"
            for each in self.failures
            if each.failures
        ]
        return self.wrong + failed

    def markdown(self) -> str:
        everything = [self.columns, *self.rows]
        widths = [max(len(row[place]) for row in everything) for place in range(len(self.columns))]
        lines = [_line(self.columns, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
        lines += [_line(row, widths) for row in self.rows]
        notes = [f"- {note}" for note in self.notes]
        notes += [f"- WRONG: {each}" for each in self.all_wrong()]
        return "\n".join([f"## {self.title}", "", *lines, "", *notes, ""])


def ratio(value: float, floor: float) -> str:
    return f"{value / floor:.2f} x"


def figure(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"


def run_alone(measure: Callable[..., Table], name: str, **defaults: float | Sequence[float]) -> None:
    """The command line of one question: each keyword of `measure` becomes an option with its default."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    for keyword, default in defaults.items():
        option = "--" + keyword.replace("_", "-")
        if isinstance(default, Sequence):
            parser.add_argument(option, type=type(default[0]), nargs="+", default=list(default))
        else:
            parser.add_argument(option, type=type(default), default=default)
    chosen = parser.parse_args()
    end_kindly()
    scratch = Path(__file__).resolve().parents[1] / ".make" / "bench" / name
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        print(circumstances(scratch), flush=True)
        table = measure(scratch, **vars(chosen))
        print(f"\n{table.markdown()}")
        if table.all_wrong():
            raise SystemExit(1)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def end_kindly() -> None:
    """Have SIGTERM end this process as Ctrl-C does: servers and generators that it started end with it."""

    def end(number: int, frame: object) -> None:
        del frame
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


def verdict(is_reached: bool) -> str:
    return "reached" if is_reached else "not reached"


def circumstances(scratch: Path) -> str:
    """Machine, versions, durability, date."""
    now = datetime.datetime.now(datetime.UTC)
    hardware = [_processor(), f"{os.cpu_count()} cores", _memory(), _disk(scratch)]
    hardware.append(f"{platform.system()} {platform.release()}")
    versions = [f"rewake {version('rewake')}", f"Python {platform.python_version()}"]
    versions.append(f"SQLite {apsw.sqlite_lib_version()} (Rewake and the bare commit)")
    versions += [f"{name} {version(name)}" for name in PACKAGES]
    return "\n".join(
        [
            f"- date: {now:%Y-%m-%d %H:%M} UTC",
            f"- machine: {', '.join(hardware)}",
            f"- versions: {', '.join(versions)}",
            "- durability: WAL, synchronous=FULL, unless a row says no fsync",
        ]
    )


def machine(scratch: Path) -> str:
    """What makes figures comparable: the machine, and what the hand-written application is made of."""
    parts = [_processor(), f"{os.cpu_count()} cores", _memory(), _disk(scratch), platform.release()]
    parts.append(f"Python {platform.python_version()}")
    parts += [f"{name} {version(name)}" for name in ("uvicorn", "uvloop", "httptools", "orjson", "fastapi")]
    return ", ".join(parts)


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
