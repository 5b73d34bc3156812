"""Does it slow down as it grows? Reads by id, inserts and pushes against documents and against live queries.

    python -m benchmarks.growth --documents 1000 10000 100000 1000000 --subscriptions 0 100 1000 10000 100000

16 closed-loop websocket clients. The live queries watch channels that nobody writes to, a thousand a
session, while 100 sessions more watch one channel that is written without a pause. To reach: flat within 20 %
from the smallest to the largest, in answers a second and in processor time for each, which is the one to look
at where others use the machine.

Floors of each size: for inserts a loop of json and sqlite3 that inserts into a table of as many rows, one
commit each; for reads a loop of SQLite alone that finds documents by id in the very file that the server
serves. What that loop loses with size is SQLite's, the processor's caches' and the disk's.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from benchmarks.inserts import bare_inserts
from benchmarks.live_driver import live
from benchmarks.load import BODY, Outcome
from benchmarks.report import Table, figure, run_alone, verdict
from benchmarks.subjects import NO_CACHE, Notes, Subject, rewake, write_notes
from rewake.values import encode_key

CLIENTS = 16
CHANNELS = 1_000
FLAT_MIN = 0.8
SUBSCRIPTIONS_EACH = 1_000
WATCHERS = 100
FLOOR_READS = 20_000
WAIT_MS = 5_000
FILLER = " a short message"
INDEX_OF = "SELECT index_id FROM _index_entries WHERE key = ?"
BY_ID = (
    "SELECT json FROM _documents WHERE row = (SELECT row FROM _index_entries WHERE index_id = ? AND key = ?)"
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen beside so many live queries of others."""

    inserts: Outcome
    push_us: float
    """Processor time of the front for one push."""
    pushes_per_second: float


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
        ["size", "inserts/s", "us each", "bare/s", "reads/s", "us each", "bare/s", "pushes/s", "us each"],
    )
    inserts, reads = _against_documents(scratch, table, documents, seconds)
    watched = _against_subscriptions(scratch, table, subscriptions, seconds)
    table.notes.append(
        "us each: processor time of the whole server for an insert or a read; of the front for a push, and "
        "for inserts beside live queries"
    )
    table.notes.append(
        f"of a core, at the largest: generator {reads[-1].generator_cpu:.0%} with reads, "
        f"{inserts[-1].generator_cpu:.0%} with inserts"
    )
    besides = [each.inserts for each in watched]
    for name, rates, costs in (
        ("inserts against documents", *_of(inserts)),
        ("reads against documents", *_of(reads)),
        ("inserts against live queries", _of(besides)[0], [each.front_us for each in besides]),
        (
            "pushes against live queries",
            [each.pushes_per_second for each in watched],
            [each.push_us for each in watched],
        ),
    ):
        share, cost = rates[-1] / rates[0], costs[0] / max(costs[-1], 0.01)
        table.notes.append(
            f"{name}: the largest has {share:.0%} of the smallest in a second, {cost:.0%} for the same "
            f"processor time; bar 80 %: {verdict(share >= FLAT_MIN)}, {verdict(cost >= FLAT_MIN)}"
        )
    table.notes.append("no results are cached here: with few documents most reads would find one")
    table.failures = [*inserts, *reads, *besides]
    return table


def _of(outcomes: list[Outcome]) -> tuple[list[float], list[float]]:
    return [each.rate for each in outcomes], [each.server_us for each in outcomes]


def _against_documents(
    scratch: Path, table: Table, documents: Sequence[int], seconds: float
) -> tuple[list[Outcome], list[Outcome]]:
    inserts, reads = [], []
    ids_file = scratch / "note_ids.json"
    load = {"door": "websocket", "clients": CLIENTS, "seconds": seconds}
    for count in documents:
        notes = Notes(count, CHANNELS, BODY)
        bare = bare_inserts(scratch, seconds=min(1.0, seconds), rows=notes, channels=CHANNELS)
        with rewake(scratch, settings=NO_CACHE) as subject:
            begun = time.monotonic()
            ids = write_notes(subject, notes)
            filled = count / (time.monotonic() - begun)
            ids_file.write_text(json.dumps(ids))
            reads.append(subject.put_under(workload="read", ids_file=str(ids_file), **load))
            bare_read = bare_reads(subject, ids)
            inserts.append(subject.put_under(workload="insert", **load))
        insert, read = inserts[-1], reads[-1]
        table.add(
            f"{count:,} documents",
            *(f"{insert.rate:,.0f}", figure(insert.server_us), f"{bare:,.0f}"),
            *(f"{read.rate:,.0f}", figure(read.server_us), f"{bare_read:,.0f}"),
            *("", ""),
        )
    table.notes.append(f"filled at {filled:,.0f} documents/s, the largest")
    return inserts, reads


def bare_reads(subject: Subject, ids: list[str]) -> float:
    """Documents found by id in a second by a loop of SQLite alone, in the file that `subject` serves."""
    chance = random.Random(1)
    keys = [encode_key([chance.choice(ids)]) for _ in range(FLOOR_READS)]
    connection = apsw.Connection(str(subject.folder / "data"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(WAIT_MS)
        run = connection.cursor().execute
        run("PRAGMA cache_size = -65536")
        by_id = run(INDEX_OF, (keys[0],)).fetchall()[0][0]
        begun = time.process_time()
        for key in keys:
            assert run(BY_ID, (by_id, key)).fetchall(), "every id is there"
        return len(keys) / (time.process_time() - begun)
    finally:
        connection.close()


def _against_subscriptions(
    scratch: Path, table: Table, subscriptions: Sequence[int], seconds: float
) -> list[Watched]:
    watched = []
    with rewake(scratch) as subject:
        for count in subscriptions:
            with live(subject) as others, live(subject) as watchers:
                sessions = -(-count // SUBSCRIPTIONS_EACH)
                if sessions:
                    each = count // sessions
                    args = [{"channel": f"nobody-{number}"} for number in range(each * sessions)]
                    others.ask("open", count=sessions)
                    others.ask("subscribe", args=args, each=each)
                inserts = subject.put_under(
                    door="websocket", workload="insert", clients=CLIENTS, seconds=seconds
                )
                channel = f"watched-{count}"
                watchers.ask("open", count=WATCHERS)
                watchers.ask("subscribe", args=[{"channel": channel}])
                seen = watchers.ask("saturate", channel=channel, seconds=seconds, filler=FILLER)
            push_us = seen["front_us"] / seen["pushes"]
            watched.append(Watched(inserts, push_us, seen["pushes_per_second"]))
            table.add(
                f"{count:,} live queries of other channels",
                *(f"{inserts.rate:,.0f}", figure(inserts.front_us), ""),
                *("", "", ""),
                *(f"{seen['pushes_per_second']:,.0f}", figure(push_us)),
            )
    return watched


if __name__ == "__main__":
    run_alone(
        measure,
        "growth",
        documents=[1_000, 10_000, 100_000, 1_000_000],
        subscriptions=[0, 100, 1_000, 10_000, 100_000],
        seconds=4.0,
    )
