"""What does a test pay for a backend of its own?

Backends of `rewake.testing` for the project of `examples/chat`, one after another, each opened, asked one
query and closed, as the fixture `rewake_backend` does. The floor is the same engine without a house around
it: a database in memory, opened and closed. To reach: under 50 ms at p50.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from benchmarks.report import Table, ratio, run_alone, verdict
from rewake.testing import Backend

FIXTURE_MS_MAX = 50.0
_TIMES = 200
_PROJECT = Path(__file__).resolve().parents[1] / "examples" / "chat"


def measure(scratch: Path) -> Table:
    if str(_PROJECT) not in sys.path:
        sys.path.insert(0, str(_PROJECT))
    # The first imports the project and the engine, once in a run of tests.
    first = _milliseconds(_backend, 1)[0]
    floor = _milliseconds(_memory, _TIMES)
    ours = _milliseconds(_backend, _TIMES)
    table = Table(f"A backend for each of {_TIMES} tests", ["", "p50 ms", "p99 ms", "over the floor", "bar"])
    table.add("SQLite in memory", f"{_at(floor, 50):.2f}", f"{_at(floor, 99):.2f}", "", "")
    table.add(
        "rewake_backend, opened, asked and closed",
        f"{_at(ours, 50):.1f}",
        f"{_at(ours, 99):.1f}",
        ratio(_at(ours, 50), _at(floor, 50)),
        f"{FIXTURE_MS_MAX:.0f} ms at p50: {verdict(_at(ours, 50) <= FIXTURE_MS_MAX)}",
    )
    table.notes.append(f"The first, which imports project and engine: {first:.0f} ms.")
    return table


def _backend() -> None:
    with Backend.from_project(_PROJECT) as backend:
        backend.query(lambda ctx: ctx.db.query("channels").first())


def _memory() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (k BLOB PRIMARY KEY, v TEXT) WITHOUT ROWID")
    connection.execute("SELECT v FROM t").fetchall()
    connection.close()


def _milliseconds(work: Callable[[], None], times: int) -> list[float]:
    """How long each took, shortest first."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    return sorted(took)


def _at(took: list[float], percent: int) -> float:
    return took[min(len(took) - 1, len(took) * percent // 100)]


if __name__ == "__main__":
    run_alone(measure, "fixtures")
