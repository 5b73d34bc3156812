"""Live reads and writes mixed, four to one, in a table that is large.

    python -m benchmarks.mixed --documents 1000000 --seconds 10

64 closed-loop websocket clients. A read subscribes to the latest 50 of a channel and gives the one before
up, so each client has one live query all the time; every fifth call inserts, which wakes whoever watches
that channel. Beside it the hand-written application with fsync, which reads once and watches nothing: its
easiest case. Both keep results that nothing has changed.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import NOTES_PER_CALL, Notes, handwritten, rewake, write_notes

CLIENTS = 64


def measure(scratch: Path, *, documents: int = 50_000, channels: int = 1_000, seconds: float = 3.0) -> Table:
    """Fill both and mix. Every channel has 50 documents or more, or the answers would be called wrong."""
    assert documents >= 50 * channels, "50 documents a channel at least"
    notes = Notes(documents, channels, BODY)
    load = {
        "workload": "mixed",
        "door": "websocket",
        "clients": CLIENTS,
        "seconds": seconds,
        "channels": channels,
    }
    outcomes = {}
    for commit in ("each", "group"):
        with handwritten(scratch, sync="full", commit=commit, notes=notes, keeps_lists=True) as subject:
            outcomes[subject.name] = subject.put_under(**load)
    with rewake(scratch) as subject:
        begun = time.monotonic()
        write_notes(subject, notes)
        filled = time.monotonic() - begun
        ours = outcomes["Rewake"] = subject.put_under(**load)
    table = Table(
        f"80 % live reads and 20 % writes, {documents:,} documents, {CLIENTS} closed-loop clients",
        ["", "calls/s", "p50 us", "p99 us", "Rewake beside it"],
    )
    for name, outcome in outcomes.items():
        figures = [f"{outcome.rate:,.0f}", f"{outcome.p50_us:,.0f}", f"{outcome.p99_us:,.0f}"]
        table.add(name, *figures, "" if outcome is ours else ratio(ours.rate, outcome.rate))
        if outcome is not ours:
            table.by_hand[f"calls/s, {documents} documents, {name}"] = outcome.rate
    table.notes.append(f"Of a core: generator {ours.generator_cpu:.0%}, Rewake {ours.server_cpu:.0%}.")
    table.notes.append(
        f"Processor time of a call: {ours.server_us:,.0f} us, of which the front {ours.front_us:,.0f}."
    )
    table.notes.append(
        f"Rewake was filled at {documents / filled:,.0f} documents/s, {NOTES_PER_CALL:,} a mutation."
    )
    table.failures = list(outcomes.values())
    return table


if __name__ == "__main__":
    run_alone(measure, "mixed", documents=1_000_000, channels=1_000, seconds=10.0)
