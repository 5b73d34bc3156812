"""One write to all subscribers of one 50-row query: how long until the last has it, how many pushes a second?

    python -m benchmarks.fan_out --subscribers 1000 5000 --seconds 4

A steady rate of writes first, then writes without a pause, where rounds that overlap may be left out. The
floor in the same run is a loop that writes ready frames of the same size to the same kind of sockets;
beside it the hand-written application with fsync. All three hold their subscribers at once and are put
under load in turns; what stands over the floor is the median of the ratios turn by turn. Every subscriber
must have the last write, and the list in its order. To reach: at most 1.4 x the bare broadcast;
100,000 pushes/s at saturation.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.live_driver import live
from benchmarks.report import Table, figure, run_alone, verdict
from benchmarks.subjects import Notes, bare_broadcast, handwritten, rewake, write_notes

RATIO_MAX = 1.4
PUSHES_MIN = 100_000
SUBSCRIBERS_WANTED = 1_000
CHANNEL = "channel-0"
FILLER = " a short message"
FLOOR = 2
"""The place of the bare broadcast among the three servers."""
NOTES = Notes(count=50, channels=1, body="push-00000000" + FILLER)

Phases = tuple[dict[str, Any], dict[str, Any]]
"""What a generator told of a steady rate, and of saturation."""


def measure(
    scratch: Path,
    *,
    subscribers: Sequence[int] = (1_000, 5_000),
    seconds: float = 1.0,
    rate: float = 5.0,
    turns: int = 3,
) -> Table:
    """A steady rate, then saturation, for each number of subscribers."""
    table = Table(
        "One write to the subscribers of one 50-row query, until the last has it",
        ["subscribers, server", "p50 ms", "p99 ms", "over the floor", "pushes/s saturated", "bytes", "bar"],
    )
    generators = []
    for count in subscribers:
        ours, theirs, floor = _in_turns(scratch, count, seconds, rate, turns)
        _row(table, f"{count:,}, bare broadcast", floor, floor)
        _row(table, f"{count:,}, by hand, fsync", theirs, floor)
        over = _over(ours, floor, phase=0, name="p50_ms")
        pushes = _middle(ours, phase=1, name="pushes_per_second")
        saturated = _over(ours, floor, phase=1, name="pushes_per_second")
        table.judge(
            f"{count:,}: {over:.2f} x, {pushes:,.0f}/s",
            is_reached=over <= RATIO_MAX and pushes >= PUSHES_MIN,
            over_floor=f"{over:.2f} x, saturated {saturated:.2f} x",
            condition="" if count >= SUBSCRIBERS_WANTED else f"it asks for {SUBSCRIBERS_WANTED:,} at least",
        )
        bar = (
            f"{RATIO_MAX} x: {verdict(over <= RATIO_MAX)}; {PUSHES_MIN:,}/s: {verdict(pushes >= PUSHES_MIN)}"
        )
        _row(table, f"{count:,}, Rewake", ours, floor, bar)
        table.by_hand[f"{count} subscribers, pushes/s"] = max(each[1]["pushes_per_second"] for each in theirs)
        generators += [f"{_middle(each, 1, 'generator_cpu'):.0%}" for each in (floor, theirs, ours)]
    table.notes.append(f"{rate:g} writes a second when steady; the writes are durable except at the floor")
    table.notes.append(f"medians of {turns} turns of {seconds:g} s each; p99 is the median of theirs")
    table.notes.append(
        f"the generator's share of a core at saturation, in the order of rows: {', '.join(generators)}"
    )
    return table


def _in_turns(
    scratch: Path, count: int, seconds: float, rate: float, turns: int
) -> tuple[list[Phases], list[Phases], list[Phases]]:
    """All three servers hold their subscribers while one of them is put under load."""
    with ExitStack() as servers:
        ours = servers.enter_context(rewake(scratch))
        write_notes(ours, NOTES)
        theirs = servers.enter_context(handwritten(scratch, sync="full", commit="each", notes=NOTES))
        floor = servers.enter_context(bare_broadcast(scratch))
        shared = {"channel": CHANNEL, "seconds": seconds, "filler": FILLER, "size": 0}
        generators = []
        for subject in (ours, theirs, floor):
            generators.append(generator := servers.enter_context(live(subject)))
            generator.ask("open", count=count)
            generator.ask("subscribe", args=[{"channel": CHANNEL}])
            # A first second nobody measures, in which caches fill; the floor sends what ours does.
            warm = generator.ask("spread", **shared, rate=rate)
            if subject is ours:
                size = warm["bytes_each"]
        seen: list[list[Phases]] = [[] for _ in generators]
        for turn in range(turns):
            for place in (0, 1, 2) if turn % 2 == 0 else (2, 1, 0):
                sent = shared | {"size": size if place == FLOOR else 0}
                steady = generators[place].ask("spread", **sent, rate=rate)
                seen[place].append((steady, generators[place].ask("saturate", **sent)))
        return seen[0], seen[1], seen[2]


def _middle(turns: Sequence[Phases], phase: int, name: str) -> float:
    return median(each[phase][name] for each in turns)


def _over(mine: Sequence[Phases], floor: Sequence[Phases], phase: int, name: str) -> float:
    pairs = zip(mine, floor, strict=True)
    return median(each[phase][name] / under[phase][name] for each, under in pairs)


def _row(table: Table, name: str, turns: list[Phases], floor: list[Phases], bar: str = "") -> None:
    table.add(
        name,
        figure(_middle(turns, 0, "p50_ms")),
        figure(_middle(turns, 0, "p99_ms")),
        "" if turns is floor else f"{_over(turns, floor, 0, 'p50_ms'):.2f} x",
        f"{_middle(turns, 1, 'pushes_per_second'):,.0f}",
        f"{_middle(turns, 0, 'bytes_each'):,.0f}",
        bar,
    )


if __name__ == "__main__":
    run_alone(measure, "fan_out", subscribers=[1_000, 5_000], seconds=2.0, rate=5.0, turns=5)
