"""Reading one document by its id: ids chosen alike, none twice, so that no cached result helps.

    python -m benchmarks.reads --documents 100000 --seconds 4

16 closed-loop clients, over HTTP, and over websockets, where a read is a query added to the set and
answered by a Transition. To reach: the hand-written application's rate over HTTP, 1.2 x that over
websockets. The floors are one loop of the standard library's sqlite3 and json: read the row by its key,
encode it, nothing else; and a front and a reader process with nothing in them but that.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load import BODY, Outcome
from benchmarks.report import Table, ratio, run_alone, verdict
from benchmarks.subjects import Notes, Subject, bare_rows, bare_worker, handwritten, rewake, write_notes

CLIENTS = 16
CHANNELS = 1_000
BARS = {"http": 1.0, "websocket": 1.2}


def measure(scratch: Path, *, documents: int = 60_000, seconds: float = 3.0) -> Table:
    """Fill both, and read."""
    notes = Notes(documents, CHANNELS, BODY)
    ids_file = scratch / "note_ids.json"
    floor = _floor(scratch, notes, seconds)
    with handwritten(scratch, sync="full", commit="each", notes=notes) as subject:
        theirs = _both_doors(subject, list(range(1, documents + 1)), ids_file, seconds)
    with bare_worker(scratch, notes=notes) as subject:
        ids_file.write_text(json.dumps(list(range(1, documents + 1))))
        hops = subject.put_under(
            door="websocket", workload="read", clients=CLIENTS, seconds=seconds, ids_file=str(ids_file)
        )
    with rewake(scratch) as subject:
        ours = _both_doors(subject, write_notes(subject, notes), ids_file, seconds)
    table = Table(
        f"One document by id, {documents:,} documents, {CLIENTS} closed-loop clients",
        ["", "reads/s", "p50 us", "p99 us", "Rewake beside it", "bar"],
    )
    best = max(each.rate for each in ours.values())
    over = ratio(best, floor)
    table.add("sqlite3 and json, one loop", f"{floor:,.0f}", "", "", over, "")
    beside = ratio(ours["websocket"].rate, hops.rate)
    _row(table, "websocket, bare front and worker", hops, beside, "")
    shares = {door: ours[door].rate / theirs["http"].rate for door in BARS}
    table.judge(
        "; ".join(f"{door} {share:.2f} x" for door, share in shares.items()),
        is_reached=all(shares[door] >= bar for door, bar in BARS.items()),
        over_floor=over,
    )
    for door, bar in BARS.items():
        _row(table, f"{door}, by hand", theirs[door], ratio(ours[door].rate, theirs[door].rate), "")
        # 1.2 x the rate over HTTP, as the design says: the hand-written websocket has no query set to keep.
        is_reached = ours[door].rate >= bar * theirs["http"].rate
        _row(table, f"{door}, Rewake", ours[door], "", f"{bar:g} x by hand over http: {verdict(is_reached)}")
        table.by_hand[f"reads/s, {door}, {documents} documents"] = theirs[door].rate
        answers = ours[door].answers
        table.notes.append(
            f"{door}: {answers:,} reads of {documents // 2:,} documents; {_generator(ours[door])}"
        )
    table.failures = [each for outcomes in (ours, theirs) for each in outcomes.values()] + [hops]
    return table


def _both_doors(
    subject: Subject, ids: Sequence[str | int], ids_file: Path, seconds: float
) -> dict[str, Outcome]:
    """Half of the documents for each door, so that the second finds nothing that the first has read."""
    outcomes = {}
    for place, door in enumerate(BARS):
        ids_file.write_text(json.dumps(ids[place::2]))
        outcomes[door] = subject.put_under(
            door=door, workload="read", clients=CLIENTS, seconds=seconds, ids_file=str(ids_file)
        )
    return outcomes


def _row(table: Table, name: str, outcome: Outcome, beside: str, bar: str) -> None:
    figures = [f"{outcome.rate:,.0f}", f"{outcome.p50_us:,.0f}", f"{outcome.p99_us:,.0f}"]
    table.add(name, *figures, beside, bar)


def _generator(outcome: Outcome) -> str:
    return f"of a core: generator {outcome.generator_cpu:.0%}, Rewake {outcome.server_cpu:.0%}"


def _floor(scratch: Path, notes: Notes, seconds: float) -> float:
    """Reads a second of one loop without a server."""
    db = bare_rows(scratch / "bare-rows.db", notes)
    numbers = random.Random(1).sample(range(1, notes.count + 1), notes.count)
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < min(seconds, 1.0):
        row = db.execute(
            "SELECT id, channel, body, created FROM notes WHERE id = ?", (numbers[count % notes.count],)
        )
        json.dumps(dict(zip(("id", "channel", "body", "created"), row.fetchone(), strict=True)))
        count += 1
    rate = count / (time.perf_counter() - begun)
    db.close()
    return rate


if __name__ == "__main__":
    run_alone(measure, "reads", documents=100_000, seconds=4.0)
