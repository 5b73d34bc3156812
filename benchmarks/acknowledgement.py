"""What does a durable acknowledgement cost over a bare SQLite commit?

One raw-protocol websocket client sends one small mutation after another and waits for each MutationResponse.
The floor is measured in each turn, on the same disk. To reach: a bare commit plus 250 us at p50. Beside it:
the hand-written application, which is one process; and a front and a worker with nothing in them, which says
how much of the difference are the hops between processes on this machine.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks import bare_commit
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import bare_worker, handwritten, rewake
from benchmarks.turns import always, in_turns

EXTRA_US_MAX = 250.0
WARM_UP_SECONDS = 0.3
FLOOR = "bare SQLite commit"
OURS = "Rewake, MutationResponse received"


def measure(scratch: Path, *, seconds: float = 1.0) -> Table:
    """The floor and the three servers in turns, for so many seconds each time."""
    floors: list[list[float]] = []
    load = {
        "door": "websocket",
        "workload": "insert",
        "clients": 1,
        "seconds": seconds,
        "warm_up_seconds": WARM_UP_SECONDS,
    }
    with ExitStack() as servers:
        subjects = {
            "by hand, fsync": servers.enter_context(handwritten(scratch, sync="full", commit="each")),
            "bare front and worker": servers.enter_context(bare_worker(scratch)),
            OURS: servers.enter_context(rewake(scratch)),
        }
        seen = in_turns(
            {name: always(subject, **load) for name, subject in subjects.items()},
            before=lambda: floors.append(bare_commit.measure(scratch, seconds=seconds / 2)),
        )
    commits = [(floor[len(floor) // 2], floor[len(floor) * 99 // 100]) for floor in floors]
    p50, p99 = (median(figures) for figures in zip(*commits, strict=True))
    extras = {
        name: median(outcome.p50_us - commit for outcome, (commit, _) in zip(each.each, commits, strict=True))
        for name, each in seen.items()
    }
    table = Table(
        "One durable acknowledgement, one client", ["", "p50 us", "p99 us", "over the floor", "bar"]
    )
    ours = seen[OURS].middle
    said = table.judge(
        f"{extras[OURS]:+,.0f} us",
        is_reached=extras[OURS] <= EXTRA_US_MAX,
        over_floor=ratio(ours.p50_us, p50),
    )
    table.add(FLOOR, f"{p50:,.0f}", f"{p99:,.0f}", "", "")
    for name, each in seen.items():
        over = f"{extras[name]:+,.0f} us, {ratio(each.middle.p50_us, p50)}"
        bar = f"+{EXTRA_US_MAX:.0f} us: {said}" if name == OURS else ""
        table.add(name, f"{each.middle.p50_us:,.0f}", f"{each.middle.p99_us:,.0f}", over, bar)
    table.failures = [each.middle for each in seen.values()]
    table.notes.append(f"Of a core: generator {ours.generator_cpu:.0%}, Rewake {ours.server_cpu:.0%}.")
    told = ", ".join(f"{commit:,.0f}" for commit, _ in commits)
    table.notes.append(f"The floor in each turn: {told} us at p50.")
    return table


if __name__ == "__main__":
    run_alone(measure, "acknowledgement", seconds=2.0)
