"""What does a backlog of scheduled functions cost those who have nothing to do with it?

    python -m benchmarks.backlog --jobs 1000000      alone, as large as you like

Two servers run side by side, one with the backlog and one without; both were started after it was filled,
so that filling does not count as memory. They answer inserts in turns of a few seconds, so that whatever else
the machine does meets both. The jobs are due in a day: what is looked at is that they wait. The memory is
what the processes hold for themselves (RssAnon), front and workers together.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from msgspec.structs import replace

from benchmarks.load import Outcome
from benchmarks.processes import private_bytes
from benchmarks.report import Table, ratio
from benchmarks.subjects import Subject, rewake
from rewake.database import CallResult, Database, Invocation, WriteTransaction, pending_jobs, schedule
from rewake.environment import Environment
from rewake.limits import DEFAULT_LIMITS, MIB
from rewake.storage import Durability

JOBS_PER_MUTATION = 1_000
A_DAY = 86_400.0
CLIENTS = (1, 16)
TURN_SECONDS = 2.0
SETTLE_SECONDS = 3.0
FIGURES: dict[str, Callable[[Outcome], float]] = {
    "p50 us": lambda outcome: outcome.p50_us,
    "p99 us": lambda outcome: outcome.p99_us,
    "inserts/s": lambda outcome: outcome.rate,
    "processor us an insert": lambda outcome: 1e6 * outcome.server_cpu / outcome.rate,
}


def measure(scratch: Path, *, jobs: int = 50_000, turns: int = 2) -> Table:
    """Fill one server's backlog, and compare it with the other's emptiness."""
    places = {name: scratch / f"backlog-{name}" for name in ("with", "without")}
    for place in places.values():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    seconds = _fill(places["with"], jobs)
    size = sum(file.stat().st_size for file in places["with"].iterdir())
    with (
        rewake(scratch, data=places["without"]) as without,
        rewake(scratch / "beside", data=places["with"]) as beside,
    ):
        subjects = (without, beside)
        time.sleep(SETTLE_SECONDS)
        idle = [private_bytes(subject.process.pid) for subject in subjects]
        outcomes = {clients: _in_turns(subjects, clients, turns) for clients in CLIENTS}
        time.sleep(SETTLE_SECONDS)
        worked = [private_bytes(subject.process.pid) for subject in subjects]
    for place in places.values():
        shutil.rmtree(place)
    table = Table(
        f"Inserts beside a backlog of {jobs:,} scheduled functions",
        ["", "without", "with", "with beside without"],
    )
    for name, amounts in (("memory when idle, MB", idle), ("memory after the load, MB", worked)):
        table.add(name, *(f"{amount / 1e6:.0f}" for amount in amounts), ratio(amounts[1], amounts[0]))
    for clients, pair in outcomes.items():
        for name, of in FIGURES.items():
            figures = [median(of(outcome) for outcome in each) for each in pair]
            label = f"{clients} client{'s' if clients > 1 else ''}, {name}"
            table.add(label, *(f"{figure:,.0f}" for figure in figures), ratio(figures[1], figures[0]))
    table.notes.append(f"medians of {turns} turns each")
    table.notes.append(
        f"filled in {seconds:.0f} s ({jobs / seconds:,.0f} jobs/s, without fsync); the data file has "
        f"{size / 1e6:,.0f} MB then, {size / jobs:.0f} bytes a job"
    )
    return table


def _in_turns(
    subjects: tuple[Subject, Subject], clients: int, turns: int
) -> tuple[list[Outcome], list[Outcome]]:
    outcomes: tuple[list[Outcome], list[Outcome]] = ([], [])
    for turn in range(turns):
        # Who went second goes first next time.
        for place in (0, 1) if turn % 2 == 0 else (1, 0):
            load = {"door": "websocket", "workload": "insert", "clients": clients, "seconds": TURN_SECONDS}
            outcomes[place].append(subjects[place].put_under(**load))
    return outcomes


def _fill(data: Path, jobs: int) -> float:
    """Schedule the jobs as mutations do, in this process and without fsync. The commit log is cut short, so
    that no server has to do so while it is measured.
    """
    began = time.monotonic()
    limits = replace(DEFAULT_LIMITS, log_retention_bytes=1 * MIB)
    database = Database.open(
        data / "data.sqlite3", environment=Environment(), limits=limits, durability=Durability.OFF
    )
    group = database.group_commit()

    def body(transaction: WriteTransaction) -> CallResult:
        transaction.lift_limits()
        for number in range(JOBS_PER_MUTATION):
            at_ms = transaction.now_ms + 1e3 * A_DAY
            schedule(transaction, "jobs.js:nothing", {"number": float(number)}, at_ms=at_ms)
        return CallResult("null")

    for first in range(0, jobs, JOBS_PER_MUTATION):
        group.begin()
        performed = group.perform(Invocation(f"fill {first}"), body)
        assert performed.error is None, performed.error
        group.trim()
        group.commit()
        database.checkpoint()
    group.close()
    reader = database.reader()
    with reader.begin() as snapshot:
        assert len(pending_jobs(snapshot.reads, limit=1_000)) == min(1_000, jobs)
    reader.close()
    database.close()
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=4)
    chosen = parser.parse_args()
    scratch = Path(__file__).resolve().parents[1] / ".make" / "bench" / "backlog"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        print(measure(scratch, jobs=chosen.jobs, turns=chosen.turns).markdown())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
