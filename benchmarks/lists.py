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
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import NO_CACHE, Notes, bare_rows, handwritten, rewake, write_notes
from benchmarks.turns import always, in_turns

CLIENTS = 16
WARM_UP_SECONDS = 0.3
ROWS = 50
LATEST = "SELECT id, channel, body, created FROM notes WHERE channel = ? ORDER BY created DESC LIMIT 50"
FIELDS = ("id", "channel", "body", "created")


def measure(scratch: Path, *, channels: int = 500, seconds: float = 1.0) -> Table:
    """Fill, list, and compare."""
    notes = Notes(channels * ROWS, channels, BODY)
    load = {
        "workload": "list",
        "clients": CLIENTS,
        "seconds": seconds,
        "warm_up_seconds": WARM_UP_SECONDS,
        "channels": channels,
    }
    doors = ("http", "websocket")
    floor = _floor(bare_rows(scratch / "bare-rows.db", notes), channels, min(seconds, 1.0))
    with ExitStack() as servers:
        theirs = servers.enter_context(handwritten(scratch, sync="full", commit="each", notes=notes))
        ours = servers.enter_context(rewake(scratch, settings=NO_CACHE))
        write_notes(ours, notes)
        subjects = {"by hand": theirs, "Rewake": ours}
        seen = in_turns(
            {
                f"{door}, {name}": always(subject, **load, door=door)
                for door in doors
                for name, subject in subjects.items()
            }
        )
    table = Table(
        f"The latest {ROWS} of {channels:,} channels, {CLIENTS} closed-loop clients",
        ["", "lists/s", "p50 us", "p99 us", "Rewake beside it"],
    )
    best = max(seen[f"{door}, Rewake"].middle.rate for door in doors)
    table.add("sqlite3 and json, one loop", f"{floor:,.0f}", "", "", ratio(best, floor))
    for door in doors:
        ours_here, theirs_here = seen[f"{door}, Rewake"], seen[f"{door}, by hand"]
        for name, each, beside in (
            ("by hand", theirs_here, f"{ours_here.over(theirs_here):.2f} x"),
            ("Rewake", ours_here, ""),
        ):
            middle = each.middle
            figures = [f"{middle.rate:,.0f}", f"{middle.p50_us:,.0f}", f"{middle.p99_us:,.0f}"]
            table.add(f"{door}, {name}", *figures, beside)
        table.by_hand[f"lists/s, {door}, {channels} channels"] = theirs_here.best
        middle = ours_here.middle
        table.notes.append(
            f"{door}, of a core: generator {middle.generator_cpu:.0%}, Rewake {middle.server_cpu:.0%}"
        )
    table.failures = [each.middle for each in seen.values()]
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
    run_alone(measure, "lists", channels=2_000, seconds=2.0)
