"""A reconnect storm: thousands of clients lose their connections in one moment, and all come back in the
next.

    python -m benchmarks.reconnects --clients 5000

Each connects again and subscribes to what it watched, as official clients do, without the random pause that
those make first. Done when the last one has its result. The floor is the same storm at the bare broadcast,
whose subscription is one set entry. A write afterwards must reach everybody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.live_driver import live
from benchmarks.report import Table, figure, ratio, run_alone
from benchmarks.subjects import Notes, Subject, bare_broadcast, rewake, write_notes

FILLER = " a short message"
CHANNELS = 50


def measure(scratch: Path, *, clients: int = 2_000) -> Table:
    """The storm at the floor, and with one shared query, and with fifty different ones."""
    with bare_broadcast(scratch) as subject:
        floor, _ = _storm(subject, clients, 1, size=7_000)
    table = Table(
        f"{clients:,} clients reconnect at once",
        ["", "seconds until the last has its result", "clients/s", "over the floor"],
    )
    table.add("bare broadcast", figure(floor["seconds"]), f"{clients / floor['seconds']:,.0f}", "")
    for channels in (1, CHANNELS):
        with rewake(scratch) as subject:
            write_notes(subject, Notes(50 * channels, channels, "push-00000000" + FILLER))
            seen, after = _storm(subject, clients, channels, size=0)
        name = f"Rewake, {channels} quer{'ies' if channels > 1 else 'y'} of 50 rows"
        times = ratio(seen["seconds"], floor["seconds"])
        table.add(name, figure(seen["seconds"]), f"{clients / seen['seconds']:,.0f}", times)
        table.notes.append(
            f"{name}: {seen['results']:,} results, generator {seen['generator_cpu']:.0%} of a core"
        )
        if after is not None:
            table.notes.append(f"a write afterwards reached all {clients:,} in {figure(after['p50_ms'])} ms")
    return table


def _storm(
    subject: Subject, clients: int, channels: int, *, size: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    with live(subject) as generator:
        generator.ask("open", count=clients)
        generator.ask("subscribe", args=[{"channel": f"channel-{number}"} for number in range(channels)])
        seen = generator.ask("storm")
        after = None
        if channels == 1:
            after = generator.ask(
                "spread", channel="channel-0", rate=4.0, seconds=0.5, size=size, filler=FILLER
            )
        return seen, after


if __name__ == "__main__":
    run_alone(measure, "reconnects", clients=5_000)
