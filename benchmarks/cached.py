"""A cached query over HTTP: everybody asks for the latest 50 of one channel, and nothing is written.

    python -m benchmarks.cached --seconds 4

Beside it, in the same run, the same server stack that only sends back what it was sent, and the same query
with caching off. To reach: half of the echo, and not below the uncached read.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone, verdict
from benchmarks.subjects import NO_CACHE, Notes, bare_echo, rewake, write_notes

CLIENTS = 16
NOTES = Notes(count=50, channels=1, body=BODY)
ECHO_SHARE_MIN = 0.5


def measure(scratch: Path, *, seconds: float = 3.0) -> Table:
    """The echo, the query uncached, the query cached."""
    load = {"workload": "list", "door": "http", "clients": CLIENTS, "seconds": seconds, "channels": 1}
    outcomes = {}
    with bare_echo(scratch) as subject:
        outcomes["bare HTTP echo, same stack"] = subject.put_under(**load)
    with rewake(scratch, settings=NO_CACHE) as subject:
        write_notes(subject, NOTES)
        outcomes["Rewake, uncached"] = subject.put_under(**load)
    with rewake(scratch) as subject:
        write_notes(subject, NOTES)
        outcomes["Rewake, cached"] = subject.put_under(**load)
    echo, uncached, cached = outcomes.values()
    bars = {
        "bare HTTP echo, same stack": f"0.5 x: {verdict(cached.rate >= ECHO_SHARE_MIN * echo.rate)}",
        "Rewake, uncached": f"1 x: {verdict(cached.rate >= uncached.rate)}",
    }
    table = Table(
        f"A cached query over HTTP, {CLIENTS} closed-loop clients",
        ["", "answers/s", "p50 us", "p99 us", "cached beside it", "bar"],
    )
    table.judge(
        f"{cached.rate / echo.rate:.2f} x the echo; {cached.rate / uncached.rate:.2f} x uncached",
        is_reached=cached.rate >= ECHO_SHARE_MIN * echo.rate and cached.rate >= uncached.rate,
        over_floor=ratio(cached.rate, echo.rate),
    )
    for name, outcome in outcomes.items():
        beside = "" if outcome is cached else ratio(cached.rate, outcome.rate)
        figures = [f"{outcome.rate:,.0f}", f"{outcome.p50_us:,.0f}", f"{outcome.p99_us:,.0f}"]
        table.add(name, *figures, beside, bars.get(name, ""))
        table.notes.append(
            f"{name}: generator {outcome.generator_cpu:.0%} of a core, server {outcome.server_cpu:.0%}"
        )
    table.failures = list(outcomes.values())
    return table


if __name__ == "__main__":
    run_alone(measure, "cached", seconds=4.0)
