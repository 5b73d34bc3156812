"""Ten thousand live sessions with one subscription each, held while one write a second reaches all of them.

    python -m benchmarks.held_sessions --sessions 10000 --seconds 600

Every session must still be there at the end, with the last write. To reach: 10 minutes in under 400 MB of
the front process. Each session is a file descriptor on both sides: `ulimit -n` must allow for them, or
fewer are held, and the table says so. The floor is the bare broadcast with as many sockets.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.live_driver import live
from benchmarks.processes import private_bytes_alone, raise_open_files, resident_bytes_peak
from benchmarks.report import Table, figure, ratio, run_alone
from benchmarks.subjects import Notes, Subject, bare_broadcast, rewake, write_notes

SESSIONS_WANTED = 10_000
SECONDS_WANTED = 600.0
FRONT_MB_MAX = 400.0
FILES_BESIDE = 200
"""What a server needs beside its sockets."""
FILLER = " a short message"
CHANNEL = "channel-0"
FLOOR_SECONDS = 5.0


def measure(scratch: Path, *, sessions: int = 3_000, seconds: float = 10.0, rate: float = 1.0) -> Table:
    """Hold them."""
    held = min(sessions, raise_open_files() - FILES_BESIDE)
    with rewake(scratch) as subject:
        write_notes(subject, Notes(50, 1, "push-00000000" + FILLER))
        idle = private_bytes_alone(subject.process.pid)
        seen = _hold(subject, held, seconds, rate, size=0)
        time.sleep(0.5)
        after = private_bytes_alone(subject.process.pid)
        peak = resident_bytes_peak(subject.process.pid)
    with bare_broadcast(scratch) as subject:
        floor = _hold(subject, held, min(seconds, FLOOR_SECONDS), rate, size=seen["bytes_each"])
    table = Table(
        f"{held:,} live sessions held for {seconds:,.0f} s, {rate:g} write/s to all of them",
        ["", "p50 ms until the last has it", "p99 ms", "over the floor", "front MB", "bar"],
    )
    table.add("bare broadcast", figure(floor["p50_ms"]), figure(floor["p99_ms"]), "", "", "")
    is_whole = held >= SESSIONS_WANTED and seconds >= SECONDS_WANTED
    condition = "" if is_whole else f"it asks for {SESSIONS_WANTED:,} sessions and 10 minutes"
    over = ratio(seen["p50_ms"], floor["p50_ms"])
    said = table.judge(
        f"{held:,} sessions in {peak / 1e6:,.0f} MB",
        is_reached=peak / 1e6 < FRONT_MB_MAX,
        over_floor=over,
        condition=condition,
    )
    bar = f"{FRONT_MB_MAX:.0f} MB: {said}"
    table.add(
        "Rewake",
        figure(seen["p50_ms"]),
        figure(seen["p99_ms"]),
        over,
        f"{peak / 1e6:,.0f} at its peak",
        f"{bar}, but {condition}" if condition else bar,
    )
    table.notes.append(
        f"{seen['writes']} writes, {seen['pushes']:,} pushes of {seen['bytes_each']:,} bytes, no session "
        f"lost; generator {seen['generator_cpu']:.0%} of a core"
    )
    table.notes.append(
        f"private memory of the front: {idle / 1e6:.0f} MB when idle, {after / 1e6:.0f} MB afterwards"
    )
    if held < sessions:
        table.notes.append(f"{sessions:,} sessions were asked for; `ulimit -n` allows for {held:,}")
    return table


def _hold(subject: Subject, count: int, seconds: float, rate: float, *, size: int) -> dict[str, Any]:
    with live(subject) as generator:
        generator.ask("open", count=count)
        generator.ask("subscribe", args=[{"channel": CHANNEL}])
        return generator.ask("spread", channel=CHANNEL, rate=rate, seconds=seconds, size=size, filler=FILLER)


if __name__ == "__main__":
    run_alone(measure, "held_sessions", sessions=10_000, seconds=600.0, rate=1.0)
