"""One-document inserts from 16 closed-loop websocket clients, beside the hand-written application.

To reach: twice the hand-written application with the same durability, one commit a request; and not below the
same application with fsync off. Its group commit variants are printed too. The floors are one loop of the
standard library's json and sqlite3: read a request, insert, commit with fsync, write an answer; and a front
and a worker with nothing in them but that.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone, verdict
from benchmarks.subjects import Notes, bare_rows, bare_worker, handwritten, rewake
from benchmarks.turns import always, in_turns

CLIENTS = 16
WARM_UP_SECONDS = 0.3
BARE = "bare front and worker, fsync"
BY_HAND = [("full", "each"), ("full", "group"), ("off", "each"), ("off", "group")]
BARS = {("full", "each"): 2.0, ("off", "each"): 1.0}


def measure(scratch: Path, *, seconds: float = 1.0) -> Table:
    """All of them in turns, for so many seconds each time."""
    floor = bare_inserts(scratch, seconds=min(1.0, seconds))
    load = {
        "door": "websocket",
        "workload": "insert",
        "clients": CLIENTS,
        "seconds": seconds,
        "warm_up_seconds": WARM_UP_SECONDS,
    }
    with ExitStack() as servers:
        subjects = {
            which: servers.enter_context(handwritten(scratch, sync=which[0], commit=which[1]))
            for which in BY_HAND
        }
        names = {which: subject.name for which, subject in subjects.items()}
        by_name = {subject.name: subject for subject in subjects.values()}
        by_name[BARE] = servers.enter_context(bare_worker(scratch))
        by_name["Rewake"] = servers.enter_context(rewake(scratch))
        seen = in_turns({name: always(subject, **load) for name, subject in by_name.items()})
    ours = seen["Rewake"]
    table = Table(
        f"One-document insert, {CLIENTS} closed-loop websocket clients",
        ["", "inserts/s", "p50 us", "p99 us", "Rewake beside it", "bar"],
    )
    over = ratio(ours.middle.rate, floor)
    table.add("json and sqlite3, one loop, fsync", f"{floor:,.0f}", "", "", over, "")
    bars = {names[which]: bar for which, bar in BARS.items()}
    for name in (BARE, *names.values(), "Rewake"):
        middle, share = seen[name].middle, ours.over(seen[name])
        said = f"{bars[name]:.0f} x: {verdict(share >= bars[name])}" if name in bars else ""
        figures = [f"{middle.rate:,.0f}", f"{middle.p50_us:,.0f}", f"{middle.p99_us:,.0f}"]
        table.add(name, *figures, "" if name == "Rewake" else f"{share:.2f} x", said)
    for name in names.values():
        table.by_hand[f"inserts/s, {name}"] = seen[name].best
    shares = {which: ours.over(seen[names[which]]) for which in BARS}
    same, unsafe = shares.values()
    table.judge(
        f"{same:.2f} x; {unsafe:.2f} x without fsync",
        is_reached=all(shares[which] >= bar for which, bar in BARS.items()),
        over_floor=over,
    )
    middle = ours.middle
    table.notes.append(f"Of a core: generator {middle.generator_cpu:.0%}, Rewake {middle.server_cpu:.0%}.")
    table.notes.append(f"Failed inserts in Rewake: {middle.failures}.")
    table.failures = [each.middle for each in seen.values()]
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
    run_alone(measure, "inserts", seconds=2.0)
