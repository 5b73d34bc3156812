"""One-document inserts from 16 closed-loop websocket clients, beside the hand-written application.

To reach: twice the hand-written application with the same durability, one commit a request; and not below the
same application with fsync off. Its group commit variants are printed too.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.report import Table, ratio, verdict
from benchmarks.subjects import handwritten, rewake

CLIENTS = 16
BY_HAND = [("full", "each"), ("full", "group"), ("off", "each"), ("off", "group")]
BARS = {("full", "each"): 2.0, ("off", "each"): 1.0}


def measure(scratch: Path, *, seconds: float = 3.0) -> Table:
    by_hand = {}
    for sync, commit in BY_HAND:
        with handwritten(scratch, sync=sync, commit=commit) as subject:
            outcome = subject.put_under(door="websocket", workload="insert", clients=CLIENTS, seconds=seconds)
            by_hand[sync, commit] = subject.name, outcome
    with rewake(scratch) as subject:
        ours = subject.put_under(door="websocket", workload="insert", clients=CLIENTS, seconds=seconds)
    table = Table(
        f"One-document insert, {CLIENTS} closed-loop websocket clients",
        ["", "inserts/s", "p50 us", "p99 us", "Rewake beside it", "bar"],
    )
    for which, (name, other) in by_hand.items():
        figures = [f"{other.rate:,.0f}", f"{other.p50_us:,.0f}", f"{other.p99_us:,.0f}"]
        bar = BARS.get(which)
        said = f"{bar:.0f} x: {verdict(ours.rate >= bar * other.rate)}" if bar else ""
        table.add(name, *figures, ratio(ours.rate, other.rate), said)
        table.by_hand[f"inserts/s, {name}"] = other.rate
    table.add("Rewake", f"{ours.rate:,.0f}", f"{ours.p50_us:,.0f}", f"{ours.p99_us:,.0f}", "", "")
    table.notes.append(f"Of a core: generator {ours.generator_cpu:.0%}, Rewake {ours.server_cpu:.0%}.")
    table.notes.append(f"Failed inserts in Rewake: {ours.failures}.")
    table.failures = [ours, *(other for _, other in by_hand.values())]
    return table
