"""`make bench`: ask every question, or those that are named, and print one table for each.

    python -m benchmarks [QUESTION ...] [--record FILE]

The tables also go to `.make/bench/DATE.md` and, the last run, to `.make/bench/report.md`, with a line for
each bar of the design at the head. `--record` names the file that holds what the hand-written application
reached on this machine (`record.py`); where it stays far below that, the question is asked once more, for a
neighbour may have been busy for a moment. Ends with 1 when something that was measured was wrong, and with 3
when the run is void.
"""

from __future__ import annotations

import argparse
import datetime
import math
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    acknowledgement,
    backlog,
    cached,
    churn,
    cold_start,
    deploys,
    disk,
    fan_out,
    files,
    fixtures,
    growth,
    held_sessions,
    inserts,
    lists,
    live_queries,
    memory,
    mixed,
    overload,
    reads,
    reconnects,
    scheduled,
    transfers,
)
from benchmarks.bars import Answer, summary, times
from benchmarks.record import Record
from benchmarks.report import Table, circumstances, end_kindly, machine

QUESTIONS: dict[str, Callable[[Path], Table]] = {
    module.__name__.rpartition(".")[2]: module.measure
    for module in (
        acknowledgement,
        inserts,
        transfers,
        reads,
        lists,
        cached,
        fan_out,
        live_queries,
        mixed,
        churn,
        cold_start,
        memory,
        held_sessions,
        reconnects,
        growth,
        overload,
        deploys,
        disk,
        scheduled,
        backlog,
        files,
        fixtures,
    )
}
# Not in the machine's /tmp, which may be memory: there an fsync costs nothing.
FOLDER = Path(__file__).resolve().parents[1] / ".make" / "bench"
SECOND_TRY = "this is the second try: in the first the hand-written application was too slow"
SPARE_SECONDS = 20.0
"""So much of a whole run goes into second tries: it is to end in ten minutes on a slow day, too."""
RECORD = Path(__file__).resolve().parents[1] / ".make" / "bench-record.json"
WRONG, UNKNOWN_QUESTION, VOID, INTERRUPTED = 1, 2, 3, 130


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument("--record", type=Path, default=RECORD, help="default: .make/bench-record.json")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.questions if name not in QUESTIONS]:
        known = ", ".join(QUESTIONS)
        print(f"benchmarks: no question {', '.join(unknown)}; there are {known}", file=sys.stderr)
        return UNKNOWN_QUESTION
    end_kindly()
    scratch = FOLDER / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    parts = [f"# Benchmarks\n\n{circumstances(scratch)}\n"]
    print(parts[0], flush=True)
    record = Record(chosen.record, machine(scratch))
    wrong: list[str] = []
    void: list[str] = []
    answers: list[Answer] = []
    spare = math.inf if chosen.questions else SPARE_SECONDS
    try:
        for name in chosen.questions or QUESTIONS:
            begun = time.monotonic()
            table, found = put(name, scratch, record, spare_seconds=spare)
            spare -= (time.monotonic() - begun) / 2 if SECOND_TRY in table.notes else 0.0
            wrong += table.all_wrong()
            void += found
            answers.append(Answer(name, table, time.monotonic() - begun))
            parts.append(table.markdown())
            print(f"\n{parts[-1]}\n{name}: {answers[-1].seconds:.0f} s\n", flush=True)
    except KeyboardInterrupt:
        print("benchmarks: interrupted; nothing is kept", file=sys.stderr)
        return INTERRUPTED
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    parts.insert(1, summary(answers).markdown())
    parts.append(times(answers).markdown())
    print(f"{parts[1]}\n{parts[-1]}", flush=True)
    if void:
        parts.insert(1, "**This run is void**: the hand-written application stayed below its record.\n")
    dated = FOLDER / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d-%H%M}.md"
    for report in (dated, FOLDER / "report.md"):
        report.write_text("\n".join(parts), encoding="utf-8")
    place = dated.relative_to(FOLDER.parents[1])
    print(f"{time.monotonic() - started:.0f} s; the tables are in {place}")
    for said in (*wrong, *void):
        print(f"benchmarks: {said}", file=sys.stderr)
    return WRONG if wrong else VOID if void else 0


def put(
    name: str, scratch: Path, record: Record, *, spare_seconds: float = math.inf
) -> tuple[Table, list[str]]:
    """Put a question; the answer, and what makes it void. A second try may take `spare_seconds`."""
    print(f"{name} ...", flush=True)
    begun = time.monotonic()
    table = QUESTIONS[name](scratch)
    found = [] if table.all_wrong() else record.judge(name, table.by_hand)
    if found and time.monotonic() - begun > spare_seconds:
        table.notes += found
    elif found:
        print(f"{name}: the machine was slower than it can be; once more ...", flush=True)
        table = QUESTIONS[name](scratch)
        found = [] if table.all_wrong() else record.judge(name, table.by_hand)
        table.notes.append(SECOND_TRY)
        table.notes += found
    return table, found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
