"""A cached query over HTTP: everybody asks for the latest 50 of one channel, and nothing is written.

    python -m benchmarks.cached --seconds 4

Beside it, in the same run, the same server stack that only sends back what it was sent, and the same query
with caching off. To reach: half of the echo, and not below the uncached read.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, run_alone, verdict
from benchmarks.subjects import NO_CACHE, Notes, bare_echo, rewake, write_notes
from benchmarks.turns import always, in_turns

CLIENTS = 16
NOTES = Notes(count=50, channels=1, body=BODY)
ECHO_SHARE_MIN = 0.5
WARM_UP_SECONDS = 0.3
ECHO, UNCACHED, CACHED = "bare HTTP echo, same stack", "Rewake, uncached", "Rewake, cached"


def measure(scratch: Path, *, seconds: float = 1.0) -> Table:
    """The echo, the query uncached, the query cached."""
    load = {
        "workload": "list",
        "door": "http",
        "clients": CLIENTS,
        "seconds": seconds,
        "warm_up_seconds": WARM_UP_SECONDS,
        "channels": 1,
    }
    with ExitStack() as servers:
        subjects = {
            ECHO: servers.enter_context(bare_echo(scratch)),
            UNCACHED: servers.enter_context(rewake(scratch, folder_name="uncached", settings=NO_CACHE)),
            CACHED: servers.enter_context(rewake(scratch)),
        }
        for name in (UNCACHED, CACHED):
            write_notes(subjects[name], NOTES)
        seen = in_turns({name: always(subject, **load) for name, subject in subjects.items()})
    cached = seen[CACHED]
    over_echo, over_uncached = cached.over(seen[ECHO]), cached.over(seen[UNCACHED])
    bars = {
        ECHO: f"{ECHO_SHARE_MIN:g} x: {verdict(over_echo >= ECHO_SHARE_MIN)}",
        UNCACHED: f"1 x: {verdict(over_uncached >= 1)}",
    }
    table = Table(
        f"A cached query over HTTP, {CLIENTS} closed-loop clients",
        ["", "answers/s", "p50 us", "p99 us", "cached beside it", "bar"],
    )
    table.judge(
        f"{over_echo:.2f} x the echo; {over_uncached:.2f} x uncached",
        is_reached=over_echo >= ECHO_SHARE_MIN and over_uncached >= 1,
        over_floor=f"{over_echo:.2f} x",
    )
    for name, each in seen.items():
        middle = each.middle
        beside = "" if each is cached else f"{cached.over(each):.2f} x"
        figures = [f"{middle.rate:,.0f}", f"{middle.p50_us:,.0f}", f"{middle.p99_us:,.0f}"]
        table.add(name, *figures, beside, bars.get(name, ""))
        table.notes.append(
            f"{name}: generator {middle.generator_cpu:.0%} of a core, server {middle.server_cpu:.0%}"
        )
    table.failures = [each.middle for each in seen.values()]
    return table


if __name__ == "__main__":
    run_alone(measure, "cached", seconds=2.0)
