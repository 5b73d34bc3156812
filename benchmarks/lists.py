"""The latest 50 documents of a channel, by an index: no result is cached.

    python -m benchmarks.lists --channels 2000 --seconds 4

16 closed-loop clients over HTTP and websockets, beside the hand-written application. The floor is one loop
of the standard library's sqlite3 and json. Rewake keeps no results here (`cache_bytes_max` is 0), for a few
thousand channels would all be cached after a second.
"""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import NO_CACHE, Notes, bare_rows, handwritten, rewake, write_notes

CLIENTS = 16
ROWS = 50
LATEST = "SELECT id, channel, body, created FROM notes WHERE channel = ? ORDER BY created DESC LIMIT 50"
FIELDS = ("id", "channel", "body", "created")


def measure(scratch: Path, *, channels: int = 500, seconds: float = 2.0) -> Table:
    """Fill, list, and compare."""
    notes = Notes(channels * ROWS, channels, BODY)
    load = {"workload": "list", "clients": CLIENTS, "seconds": seconds, "channels": channels}
    doors = ("http", "websocket")
    floor = _floor(bare_rows(scratch / "bare-rows.db", notes), channels, min(seconds, 1.0))
    with handwritten(scratch, sync="full", commit="each", notes=notes) as subject:
        theirs = {door: subject.put_under(door=door, **load) for door in doors}
    with rewake(scratch, settings=NO_CACHE) as subject:
        write_notes(subject, notes)
        ours = {door: subject.put_under(door=door, **load) for door in doors}
    table = Table(
        f"The latest {ROWS} of {channels:,} channels, {CLIENTS} closed-loop clients",
        ["", "lists/s", "p50 us", "p99 us", "Rewake beside it"],
    )
    best = max(each.rate for each in ours.values())
    table.add("sqlite3 and json, one loop", f"{floor:,.0f}", "", "", ratio(best, floor))
    for door in doors:
        for name, outcome, beside in (
            ("by hand", theirs[door], ratio(ours[door].rate, theirs[door].rate)),
            ("Rewake", ours[door], ""),
        ):
            figures = [f"{outcome.rate:,.0f}", f"{outcome.p50_us:,.0f}", f"{outcome.p99_us:,.0f}"]
            table.add(f"{door}, {name}", *figures, beside)
        table.by_hand[f"lists/s, {door}, {channels} channels"] = theirs[door].rate
        table.notes.append(
            f"{door}, of a core: generator {ours[door].generator_cpu:.0%}, Rewake {ours[door].server_cpu:.0%}"
        )
    table.failures = [*ours.values(), *theirs.values()]
    return table


def _floor(db: sqlite3.Connection, channels: int, seconds: float) -> float:
    """Lists a second of one loop without a server."""
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        rows = db.execute(LATEST, (f"channel-{count * 7919 % channels}",)).fetchall()
        json.dumps([dict(zip(FIELDS, row, strict=True)) for row in rows])
        count += 1
    rate = count / (time.perf_counter() - begun)
    db.close()
    return rate


if __name__ == "__main__":
    run_alone(measure, "lists", channels=2_000, seconds=4.0)
