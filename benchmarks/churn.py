"""Subscribing and unsubscribing all the time: 10,000 of them a second are asked for; how many are reached?

    python -m benchmarks.churn --rate 10000 --seconds 10

Each session keeps one live query and changes to another again and again, in one message that adds one and
removes one, as a page does. The generator sends on its own time and leaves out what a session has 50
answers behind. Measured with queries that others watch too, whose results are there, and with queries of
nobody else.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.live_driver import live
from benchmarks.load import BODY
from benchmarks.report import Table, figure, run_alone, verdict
from benchmarks.subjects import Notes, rewake, write_notes


def measure(scratch: Path, *, rate: float = 10_000.0, seconds: float = 3.0, sessions: int = 200) -> Table:
    """Shared queries, then different ones."""
    table = Table(
        f"{rate:,.0f} subscribes and unsubscribes a second, {sessions} sessions",
        ["queries", "reached/s", "of what was asked", "p50 ms", "p99 ms", "front us each", "asked for"],
    )
    for name, channels in (("10, shared", 10), ("10,000, empty", 10_000)):
        with rewake(scratch) as subject, live(subject) as generator:
            write_notes(subject, Notes(500, 10, BODY))
            first = 0 if channels == 10 else 10
            args = [{"channel": f"channel-{first + number}"} for number in range(channels)]
            generator.ask("open", count=sessions)
            generator.ask("subscribe", args=args)
            seen = generator.ask("churn", rate=rate, seconds=seconds, args=args)
        share = seen["reached"] / rate
        table.add(
            name,
            f"{seen['reached']:,.0f}",
            f"{share:.0%}",
            figure(seen["p50_ms"]),
            figure(seen["p99_ms"]),
            figure(seen["front_us"] / max(1, seen["sent"])),
            verdict(share >= 0.99),
        )
        table.notes.append(
            f"{name}: {seen['sent']:,} sent, all answered; {seen['skipped']:,} left out where the "
            f"session was behind; generator {seen['generator_cpu']:.0%} of a core"
        )
    return table


if __name__ == "__main__":
    run_alone(measure, "churn", rate=10_000.0, seconds=10.0, sessions=200)
