"""Does it slow down as it grows? Inserts and reads by id against documents; inserts against live queries.

    python -m benchmarks.growth --documents 1000 10000 100000 1000000 --subscriptions 0 1000 10000 100000

16 closed-loop websocket clients. The live queries watch channels that nobody writes to, a thousand a
session. To reach: flat within 20 % from the smallest to the largest. The floor of each size is a loop of json
and sqlite3 that inserts into a table of as many rows, one commit each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.inserts import bare_inserts
from benchmarks.live_driver import live
from benchmarks.load import BODY, Outcome
from benchmarks.report import Table, ratio, run_alone, verdict
from benchmarks.subjects import NO_CACHE, Notes, rewake, write_notes

CLIENTS = 16
CHANNELS = 1_000
FLAT_MIN = 0.8
SUBSCRIPTIONS_EACH = 1_000


def measure(
    scratch: Path,
    *,
    documents: Sequence[int] = (1_000, 10_000, 50_000),
    subscriptions: Sequence[int] = (0, 1_000, 10_000),
    seconds: float = 1.5,
) -> Table:
    """Each size on a server of its own; all numbers of subscriptions on one more."""
    table = Table(
        "Throughput against size, websocket, 16 closed-loop clients",
        ["size", "inserts/s", "bare loop/s", "beside it", "reads/s"],
    )
    inserts, reads = [], []
    ids_file = scratch / "note_ids.json"
    for count in documents:
        notes = Notes(count, CHANNELS, BODY)
        floor = bare_inserts(scratch, seconds=min(1.0, seconds), rows=notes, channels=CHANNELS)
        with rewake(scratch, settings=NO_CACHE) as subject:
            ids_file.write_text(json.dumps(write_notes(subject, notes)))
            load = {"door": "websocket", "clients": CLIENTS, "seconds": seconds}
            reads.append(subject.put_under(workload="read", ids_file=str(ids_file), **load))
            inserts.append(subject.put_under(workload="insert", **load))
        beside = ratio(inserts[-1].rate, floor)
        figures = [f"{inserts[-1].rate:,.0f}", f"{floor:,.0f}", beside, f"{reads[-1].rate:,.0f}"]
        table.add(f"{count:,} documents", *figures)
    watched = _beside_subscriptions(scratch, subscriptions, seconds)
    for count, outcome in zip(subscriptions, watched, strict=True):
        table.add(f"{count:,} live queries of other channels", f"{outcome.rate:,.0f}", "", "", "")
    table.notes.append(
        f"of a core, at the largest: generator {reads[-1].generator_cpu:.0%} with reads, "
        f"{inserts[-1].generator_cpu:.0%} with inserts"
    )
    for name, each in (
        ("inserts against documents", inserts),
        ("reads against documents", reads),
        ("inserts against live queries", watched),
    ):
        share = each[-1].rate / each[0].rate
        table.notes.append(
            f"{name}: the largest has {share:.0%} of the smallest; bar 80 %: {verdict(share >= FLAT_MIN)}"
        )
    table.notes.append("no results are cached here: with few documents most reads would find one")
    table.failures = [*inserts, *reads, *watched]
    return table


def _beside_subscriptions(scratch: Path, subscriptions: Sequence[int], seconds: float) -> list[Outcome]:
    outcomes = []
    with rewake(scratch) as subject:
        for count in subscriptions:
            with live(subject) as generator:
                sessions = -(-count // SUBSCRIPTIONS_EACH)
                if sessions:
                    each = count // sessions
                    args = [{"channel": f"nobody-{number}"} for number in range(each * sessions)]
                    generator.ask("open", count=sessions)
                    generator.ask("subscribe", args=args, each=each)
                outcomes.append(
                    subject.put_under(door="websocket", workload="insert", clients=CLIENTS, seconds=seconds)
                )
    return outcomes


if __name__ == "__main__":
    run_alone(
        measure,
        "growth",
        documents=[1_000, 10_000, 100_000, 1_000_000],
        subscriptions=[0, 1_000, 10_000, 100_000],
        seconds=4.0,
    )
