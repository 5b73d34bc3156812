"""One write to all subscribers of one 50-row query: how long until the last has it, how many pushes a second?

    python -m benchmarks.fan_out --subscribers 1000 5000 --seconds 4

A steady rate of writes first, then writes without a pause, where rounds that overlap may be left out. The
floor in the same run is a loop that writes ready frames of the same size to the same kind of sockets;
beside it the hand-written application with fsync. Every subscriber must have the last write, and the list
in its order. To reach: at most 1.4 x the bare broadcast; 100,000 pushes/s at saturation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.live_driver import live
from benchmarks.report import Table, figure, ratio, run_alone, verdict
from benchmarks.subjects import Notes, Subject, bare_broadcast, handwritten, rewake, write_notes

RATIO_MAX = 1.4
PUSHES_MIN = 100_000
SUBSCRIBERS_WANTED = 1_000
CHANNEL = "channel-0"
FILLER = " a short message"
NOTES = Notes(count=50, channels=1, body="push-00000000" + FILLER)

Measured = tuple[dict[str, Any], dict[str, Any]]


def measure(
    scratch: Path, *, subscribers: Sequence[int] = (1_000, 5_000), seconds: float = 2.0, rate: float = 4.0
) -> Table:
    """A steady rate, then saturation, for each number of subscribers."""
    table = Table(
        "One write to the subscribers of one 50-row query, until the last has it",
        ["subscribers, server", "p50 ms", "p99 ms", "over the floor", "pushes/s saturated", "bytes", "bar"],
    )
    generators = []
    for count in subscribers:
        with rewake(scratch) as subject:
            write_notes(subject, NOTES)
            ours = _both(subject, count, seconds, rate, size=0)
        size = ours[0]["bytes_each"]
        with handwritten(scratch, sync="full", commit="each", notes=NOTES) as subject:
            theirs = _both(subject, count, seconds, rate, size=0)
        with bare_broadcast(scratch) as subject:
            floor = _both(subject, count, seconds, rate, size=size)
        _row(table, f"{count:,}, bare broadcast", floor, floor)
        _row(table, f"{count:,}, by hand, fsync", theirs, floor)
        over = ours[0]["p50_ms"] / floor[0]["p50_ms"]
        pushes = ours[1]["pushes_per_second"]
        table.judge(
            f"{count:,}: {over:.2f} x, {pushes:,.0f}/s",
            is_reached=over <= RATIO_MAX and pushes >= PUSHES_MIN,
            over_floor=f"{over:.2f} x, saturated {ratio(pushes, floor[1]['pushes_per_second'])}",
            condition="" if count >= SUBSCRIBERS_WANTED else f"it asks for {SUBSCRIBERS_WANTED:,} at least",
        )
        bar = (
            f"{RATIO_MAX} x: {verdict(over <= RATIO_MAX)}; {PUSHES_MIN:,}/s: {verdict(pushes >= PUSHES_MIN)}"
        )
        _row(table, f"{count:,}, Rewake", ours, floor, bar)
        table.by_hand[f"{count} subscribers, pushes/s"] = theirs[1]["pushes_per_second"]
        generators += [f"{each[1]['generator_cpu']:.0%}" for each in (floor, theirs, ours)]
    table.notes.append(f"{rate:g} writes a second when steady; the writes are durable except at the floor")
    table.notes.append(
        f"the generator's share of a core at saturation, in the order of rows: {', '.join(generators)}"
    )
    return table


def _both(subject: Subject, count: int, seconds: float, rate: float, *, size: int) -> Measured:
    with live(subject) as generator:
        generator.ask("open", count=count)
        generator.ask("subscribe", args=[{"channel": CHANNEL}])
        shared = {"channel": CHANNEL, "seconds": seconds, "size": size, "filler": FILLER}
        generator.ask("spread", **{**shared, "seconds": min(1.0, seconds)}, rate=rate)
        return generator.ask("spread", **shared, rate=rate), generator.ask("saturate", **shared)


def _row(table: Table, name: str, measured: Measured, floor: Measured, bar: str = "") -> None:
    steady, saturated = measured
    over = "" if measured is floor else ratio(steady["p50_ms"], floor[0]["p50_ms"])
    table.add(
        name,
        figure(steady["p50_ms"]),
        figure(steady["p99_ms"]),
        over,
        f"{saturated['pushes_per_second']:,.0f}",
        f"{steady['bytes_each']:,}",
        bar,
    )


if __name__ == "__main__":
    run_alone(measure, "fan_out", subscribers=[1_000, 5_000], seconds=3.0, rate=4.0)
