"""Half of what it can do, double, and four times it: what becomes of the accepted, and of the others?

    python -m benchmarks.overload --seconds 10

Capacity is what 64 closed-loop HTTP clients reach with inserts. Then an open-loop generator offers half of
that, double and four times it, whether or not anything has been answered. Looked at: the p99 of what was
accepted, from the moment that a request was due; how many were refused, by kind; how long a refusal took; how
long a gentle websocket session waits that inserts one note after another meanwhile. All requests of the
generator come from one address, so it is the flood beside that session. Afterwards the server must answer as
if nothing had been, and every accepted document must be there, and none that was refused. The same with a
mutation that computes for some milliseconds, so that the writer is what there is too little of, and not the
front: what it does is measured by offering far too much. Beside it the hand-written application with fsync,
which refuses nothing and queues without bound.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.load import Outcome
from benchmarks.open_loop import ANSWER_SECONDS_MAX, Offer, Taken
from benchmarks.report import Table, figure, ratio, run_alone
from benchmarks.subjects import ROOT, Subject, count_notes, handwritten, rewake

CLIENTS = 64
CHANNELS = 1_000
CONSIDERED = "notes:add_considered"
TOO_MANY = 1_500.0
"""Considered inserts a second that no server does."""
SHARES = {"half": 0.5, "double": 2.0, "fourfold": 4.0}
UNCERTAIN = ("connection lost", "no answer", "503 OutcomeUnknown")
"""Refusals after which the document may be there all the same."""


def measure(scratch: Path, *, seconds: float = 3.0, connections: int = 12_000) -> Table:
    """Both servers at both loads."""
    table = Table(
        "Inserts over HTTP at half, double and four times the capacity, open loop",
        [
            "",
            "offered/s",
            "accepted/s",
            "p50 ms",
            "p99 ms",
            "refused, by kind",
            "p99 ms of refusals",
            "session p50 ms",
            "session p99 ms",
        ],
    )
    with handwritten(scratch, sync="full", commit="each") as subject:
        capacity, _ = _all_loads(table, subject, seconds, connections)
        table.by_hand["inserts/s, http, 64 clients"] = capacity.rate
    with rewake(scratch) as subject:
        _considered(table, subject, seconds, connections)
        capacity, p99 = _all_loads(table, subject, seconds, connections)
        after = subject.put_under(door="http", workload="insert", clients=CLIENTS, seconds=min(1.0, seconds))
    table.notes.append(
        f"Rewake's p99 of the accepted at double load beside half: {ratio(p99['double'], p99['half'])}; at "
        f"fourfold beside double: {ratio(p99['fourfold'], p99['double'])}"
    )
    table.notes.append(
        f"afterwards Rewake does {after.rate:,.0f} inserts/s, {after.rate / capacity.rate:.0%} of before"
    )
    table.failures = [capacity, after]
    return table


def _considered(table: Table, subject: Subject, seconds: float, connections: int) -> None:
    """What becomes of inserts that keep the writer busy."""
    most = offer(
        subject,
        rate=TOO_MANY,
        seconds=min(4.0, seconds),
        connections=connections,
        function=CONSIDERED,
    )
    rate, lasting = most.accepted / most.seconds, count_notes(subject, CHANNELS)
    table.add(f"{subject.name}, considered, capacity", "", f"{rate:,.0f}", "", "", "", "", "", "")
    p99 = {}
    for name, share in SHARES.items():
        taken, lasting = _one_load(
            table,
            subject,
            f"considered, {name}",
            lasting,
            rate=share * rate,
            seconds=seconds,
            connections=connections,
            function=CONSIDERED,
        )
        p99[name] = taken.p99_ms
    table.notes.append(
        f"considered: p99 of the accepted at double load beside half: {ratio(p99['double'], p99['half'])}; a "
        "mutation should wait for 1 s at the most, and is turned away after 2 s"
    )


def _all_loads(
    table: Table, subject: Subject, seconds: float, connections: int
) -> tuple[Outcome, dict[str, float]]:
    capacity = subject.put_under(door="http", workload="insert", clients=CLIENTS, seconds=min(3.0, seconds))
    figures = [f"{capacity.rate:,.0f}", figure(capacity.p50_us / 1e3), figure(capacity.p99_us / 1e3)]
    table.add(f"{subject.name}, capacity", "", *figures, "", "", "", "")
    p99 = {}
    lasting = count_notes(subject, CHANNELS) if subject.kind == "rewake" else 0
    for name, share in SHARES.items():
        taken, lasting = _one_load(
            table,
            subject,
            name,
            lasting,
            rate=share * capacity.rate,
            seconds=seconds,
            connections=connections,
        )
        p99[name] = taken.p99_ms
    return capacity, p99


def _one_load(table: Table, subject: Subject, name: str, lasting: int, **load: Any) -> tuple[Taken, int]:
    """One row: what became of one offer. `lasting` are the documents before; returns those after, too."""
    taken = offer(subject, **load)
    seconds = load["seconds"]
    kinds = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(taken.refused.items()))
    table.add(
        f"{subject.name}, {name}",
        f"{(taken.sent + taken.unsent) / seconds:,.0f}",
        f"{taken.accepted / taken.seconds:,.0f}",
        figure(taken.p50_ms),
        figure(taken.p99_ms),
        kinds or "none",
        figure(taken.refused_p99_ms) if taken.refused else "",
        figure(taken.session_p50_ms) if taken.session_sent else "",
        figure(taken.session_p99_ms) if taken.session_sent else "",
    )
    if taken.session_trouble:
        table.wrong.append(f"{subject.name}, {name}: the session met {taken.session_trouble}")
    table.notes.append(
        f"{subject.name}, {name}: {taken.sent:,} sent, {taken.unsent:,} not sent for want of a "
        f"connection; p99 of how late the generator was: {figure(taken.late_p99_ms)} ms, of opening "
        f"{taken.opened:,} connections: {figure(taken.opening_p99_ms)} ms, of the accepted once they were "
        f"written: {figure(taken.written_p99_ms)} ms; "
        f"of a core: generator {taken.generator_cpu:.0%}, server {taken.server_cpu:.0%}"
    )
    if name.endswith("half") and (taken.refused or taken.unsent):
        table.notes.append(f"{subject.name} refused at half load: its capacity was not what was measured")
    if taken.accepted + sum(taken.refused.values()) != taken.sent:
        table.wrong.append(f"{subject.name}, {name}: not every request has an end")
    if subject.kind == "rewake":
        before, lasting = lasting, count_notes(subject, CHANNELS)
        unknown = sum(count for kind, count in taken.refused.items() if kind.startswith(UNCERTAIN))
        accepted = taken.accepted + taken.session_sent
        if not accepted <= lasting - before <= accepted + unknown:
            table.wrong.append(
                f"{name}: {accepted:,} inserts were accepted, {unknown:,} have an unknown outcome, "
                f"and {lasting - before:,} documents are there"
            )
    return taken, lasting


def offer(
    subject: Subject, *, rate: float, seconds: float, connections: int, function: str = "notes:add"
) -> Taken:
    """Run the open-loop generator against a server."""
    described = Offer(
        subject.port,
        subject.process.pid,
        subject.kind,
        rate,
        seconds,
        connections,
        function=function,
        is_beside_session=subject.kind == "rewake",
    )
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.open_loop"],
        input=json.dumps(asdict(described)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=seconds + 2 * ANSWER_SECONDS_MAX,
    )
    if run.returncode:
        raise SystemExit(
            f"benchmarks: the load on {subject.name} failed:\n{run.stderr}\n{subject.log_tail()}"
        )
    taken = Taken(**json.loads(run.stdout))
    print(f"    {subject.name}: {rate:,.0f}/s offered: {taken}", flush=True)
    return taken


if __name__ == "__main__":
    run_alone(measure, "overload", seconds=10.0, connections=12_000)
