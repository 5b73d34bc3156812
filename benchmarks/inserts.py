"""One-document inserts from 16 closed-loop websocket clients, beside the hand-written application.

To reach: twice the hand-written application with the same durability, one commit a request; and not below the
same application with fsync off. Its group commit variants are printed too. The floors are one loop of the
standard library's json and sqlite3: read a request, insert, commit with fsync, write an answer; and a front
and a worker with nothing in them but that.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone, verdict
from benchmarks.subjects import Notes, bare_rows, bare_worker, handwritten, rewake

CLIENTS = 16
BY_HAND = [("full", "each"), ("full", "group"), ("off", "each"), ("off", "group")]
BARS = {("full", "each"): 2.0, ("off", "each"): 1.0}


def measure(scratch: Path, *, seconds: float = 3.0) -> Table:
    by_hand = {}
    floor = bare_inserts(scratch, seconds=min(1.0, seconds))
    for sync, commit in BY_HAND:
        with handwritten(scratch, sync=sync, commit=commit) as subject:
            outcome = subject.put_under(door="websocket", workload="insert", clients=CLIENTS, seconds=seconds)
            by_hand[sync, commit] = subject.name, outcome
    with bare_worker(scratch) as subject:
        hops = subject.put_under(door="websocket", workload="insert", clients=CLIENTS, seconds=seconds)
    with rewake(scratch) as subject:
        ours = subject.put_under(door="websocket", workload="insert", clients=CLIENTS, seconds=seconds)
    table = Table(
        f"One-document insert, {CLIENTS} closed-loop websocket clients",
        ["", "inserts/s", "p50 us", "p99 us", "Rewake beside it", "bar"],
    )
    over = ratio(ours.rate, floor)
    table.add("json and sqlite3, one loop, fsync", f"{floor:,.0f}", "", "", over, "")
    figures = [f"{hops.rate:,.0f}", f"{hops.p50_us:,.0f}", f"{hops.p99_us:,.0f}"]
    table.add("bare front and worker, fsync", *figures, ratio(ours.rate, hops.rate), "")
    for which, (name, other) in by_hand.items():
        figures = [f"{other.rate:,.0f}", f"{other.p50_us:,.0f}", f"{other.p99_us:,.0f}"]
        bar = BARS.get(which)
        said = f"{bar:.0f} x: {verdict(ours.rate >= bar * other.rate)}" if bar else ""
        table.add(name, *figures, ratio(ours.rate, other.rate), said)
        table.by_hand[f"inserts/s, {name}"] = other.rate
    same, unsafe = (ours.rate / by_hand[which][1].rate for which in BARS)
    table.judge(
        f"{same:.2f} x; {unsafe:.2f} x without fsync",
        is_reached=all(ours.rate >= bar * by_hand[which][1].rate for which, bar in BARS.items()),
        over_floor=over,
    )
    table.add("Rewake", f"{ours.rate:,.0f}", f"{ours.p50_us:,.0f}", f"{ours.p99_us:,.0f}", "", "")
    table.notes.append(f"Of a core: generator {ours.generator_cpu:.0%}, Rewake {ours.server_cpu:.0%}.")
    table.notes.append(f"Failed inserts in Rewake: {ours.failures}.")
    table.failures = [ours, hops, *(other for _, other in by_hand.values())]
    return table


def bare_inserts(scratch: Path, *, seconds: float, rows: Notes | None = None, channels: int = 1_000) -> float:
    """Inserts a second of one loop without a server, into a table of so many rows."""
    db = bare_rows(scratch / "bare-rows.db", rows or Notes(0, channels, BODY))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        request = json.dumps(
            {"id": count, "args": {"channel": f"channel-{count * 7919 % channels}", "body": BODY}}
        )
        asked = json.loads(request)
        args = asked["args"]
        with db:
            row = db.execute(
                "INSERT INTO notes (channel, body, created) VALUES (?, ?, ?)",
                (args["channel"], args["body"], time.time()),
            )
        json.dumps({"id": asked["id"], "ok": True, "result": row.lastrowid})
        count += 1
    rate = count / (time.perf_counter() - begun)
    db.close()
    return rate


if __name__ == "__main__":
    run_alone(measure, "inserts", seconds=4.0)
