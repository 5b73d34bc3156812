"""What does a durable acknowledgement cost over a bare SQLite commit?

One raw-protocol websocket client sends one small mutation after another and waits for each MutationResponse.
The floor is measured before and after, on the same disk. To reach: a bare commit plus 250 us at p50. Beside
it: the hand-written application, which is one process; and a front and a worker with nothing in them, which
says how much of the difference are the hops between processes on this machine.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import bare_commit
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import bare_worker, handwritten, rewake

EXTRA_US_MAX = 250.0


def measure(scratch: Path, *, seconds: float = 3.0) -> Table:
    before = bare_commit.measure(scratch)
    load = {"door": "websocket", "workload": "insert", "clients": 1, "seconds": seconds}
    with handwritten(scratch, sync="full", commit="each") as subject:
        by_hand = subject.put_under(**load)
    with bare_worker(scratch) as subject:
        hops = subject.put_under(**load)
    with rewake(scratch) as subject:
        ours = subject.put_under(**load)
    after = bare_commit.measure(scratch)
    commits = sorted(before + after)
    p50, p99 = commits[len(commits) // 2], commits[len(commits) * 99 // 100]
    extra = ours.p50_us - p50
    table = Table(
        "One durable acknowledgement, one client", ["", "p50 us", "p99 us", "over the floor", "bar"]
    )
    said = table.judge(
        f"{extra:+,.0f} us", is_reached=extra <= EXTRA_US_MAX, over_floor=ratio(ours.p50_us, p50)
    )
    table.add("bare SQLite commit", f"{p50:,.0f}", f"{p99:,.0f}", "", "")
    for name, outcome, bar in (
        ("by hand, fsync", by_hand, ""),
        ("bare front and worker", hops, ""),
        ("Rewake, MutationResponse received", ours, f"+{EXTRA_US_MAX:.0f} us: {said}"),
    ):
        over = f"{outcome.p50_us - p50:+,.0f} us, {ratio(outcome.p50_us, p50)}"
        table.add(name, f"{outcome.p50_us:,.0f}", f"{outcome.p99_us:,.0f}", over, bar)
    table.failures = [ours, by_hand, hops]
    first, last = before[len(before) // 2], after[len(after) // 2]
    table.notes.append(f"Of a core: generator {ours.generator_cpu:.0%}, Rewake {ours.server_cpu:.0%}.")
    table.notes.append(f"The floor before and after: {first:,.0f} and {last:,.0f} us at p50.")
    return table


if __name__ == "__main__":
    run_alone(measure, "acknowledgement", seconds=4.0)
