"""Live reads and writes mixed, four to one, in a table that is large.

    python -m benchmarks.mixed --documents 1000000 --seconds 10

64 closed-loop websocket clients. A read subscribes to the latest 50 of a channel and gives the one before
up, so each client has one live query all the time; every fifth call inserts, which wakes whoever watches
that channel. Beside it the hand-written application with fsync, which reads once and watches nothing: its
easiest case. Both keep results that nothing has changed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, run_alone
from benchmarks.subjects import NOTES_PER_CALL, Notes, handwritten, rewake, write_notes
from benchmarks.turns import always, in_turns

CLIENTS = 64
WARM_UP_SECONDS = 0.3


def measure(scratch: Path, *, documents: int = 50_000, channels: int = 1_000, seconds: float = 1.0) -> Table:
    """Fill both and mix. Every channel has 50 documents or more, or the answers would be called wrong."""
    assert documents >= 50 * channels, "50 documents a channel at least"
    notes = Notes(documents, channels, BODY)
    load = {
        "workload": "mixed",
        "door": "websocket",
        "clients": CLIENTS,
        "seconds": seconds,
        "warm_up_seconds": WARM_UP_SECONDS,
        "channels": channels,
    }
    with ExitStack() as servers:
        subjects = [
            servers.enter_context(
                handwritten(scratch, sync="full", commit=commit, notes=notes, keeps_lists=True)
            )
            for commit in ("each", "group")
        ]
        subjects.append(servers.enter_context(rewake(scratch)))
        begun = time.monotonic()
        write_notes(subjects[-1], notes)
        filled = time.monotonic() - begun
        seen = in_turns({subject.name: always(subject, **load) for subject in subjects})
    table = Table(
        f"80 % live reads and 20 % writes, {documents:,} documents, {CLIENTS} closed-loop clients",
        ["", "calls/s", "p50 us", "p99 us", "Rewake beside it"],
    )
    for name, each in seen.items():
        middle, is_ours = each.middle, name == "Rewake"
        figures = [f"{middle.rate:,.0f}", f"{middle.p50_us:,.0f}", f"{middle.p99_us:,.0f}"]
        table.add(name, *figures, "" if is_ours else f"{seen['Rewake'].over(each):.2f} x")
        if not is_ours:
            table.by_hand[f"calls/s, {documents} documents, {name}"] = each.best
    ours = seen["Rewake"].middle
    table.notes.append(f"Of a core: generator {ours.generator_cpu:.0%}, Rewake {ours.server_cpu:.0%}.")
    table.notes.append(
        f"Processor time of a call: {ours.server_us:,.0f} us, of which the front {ours.front_us:,.0f}."
    )
    table.notes.append(
        f"Rewake was filled at {documents / filled:,.0f} documents/s, {NOTES_PER_CALL:,} a mutation."
    )
    table.failures = [each.middle for each in seen.values()]
    return table


if __name__ == "__main__":
    run_alone(measure, "mixed", documents=1_000_000, channels=1_000, seconds=4.0)
