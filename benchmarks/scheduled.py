"""How late do scheduled functions begin?

Mutations that do nothing are planned for moments spread by chance over some seconds, at several rates. A
job's lateness is the clock of the transaction that it ran in less the time that it was planned for. The
floor, in the same run and while the server stands idle: how late a bare asyncio timer fires at the same
moments, on the same kind of event loop, plus one bare commit, which the job before may be waiting for.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import uvloop

from benchmarks import bare_commit
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import Subject, rewake

RATES = (10, 100, 500)
SECONDS = 4.0
LEAD_SECONDS = 2.0
"""Between planning and the first job."""
SEED = 1


def measure(scratch: Path) -> Table:
    """Plan, wait, and ask how late everything was."""
    table = Table(
        "Lateness of scheduled functions",
        [
            "jobs/s",
            "p50 ms",
            "p99 ms",
            "most ms",
            "bare timer and commit p50",
            "p99",
            "p50 beside it",
            "p99 beside it",
        ],
    )
    commits = bare_commit.measure(scratch)
    with rewake(scratch) as subject:
        for rate in RATES:
            offsets = _moments(rate)
            floor = uvloop.run(_timers(offsets))
            low50 = _at(floor, 50) + _at(commits, 50) / 1e3
            low99 = _at(floor, 99) + _at(commits, 99) / 1e3
            late = _lateness(subject, offsets)
            table.add(
                f"{rate}",
                f"{_at(late, 50):.2f}",
                f"{_at(late, 99):.2f}",
                f"{late[-1]:.2f}",
                f"{low50:.2f}",
                f"{low99:.2f}",
                ratio(_at(late, 50), low50),
                ratio(_at(late, 99), low99),
            )
    table.notes.append(f"a bare commit: {_at(commits, 50):,.0f} us at p50, {_at(commits, 99):,.0f} us at p99")
    table.notes.append(
        "an asyncio timer counts in whole milliseconds on uvloop, and the scheduler waits with one"
    )
    return table


def _moments(rate: int) -> list[float]:
    chance = random.Random(SEED)
    return sorted(chance.uniform(0, SECONDS) for _ in range(round(rate * SECONDS)))


async def _timers(offsets: list[float]) -> list[float]:
    """Milliseconds by which timers were late, smallest first."""
    loop, late = asyncio.get_running_loop(), []
    done = loop.create_future()
    started = time.time() + 0.1

    def fire(at: float) -> None:
        late.append(1e3 * (time.time() - at))
        if len(late) == len(offsets):
            done.set_result(None)

    async def arm(at: float) -> None:
        await asyncio.sleep(at - time.time())
        fire(at)

    tasks = [asyncio.create_task(arm(started + offset)) for offset in offsets]
    await done
    await asyncio.gather(*tasks)
    return sorted(late)


def _lateness(subject: Subject, offsets: list[float]) -> list[float]:
    """Milliseconds by which jobs were late, smallest first."""
    started = 1e3 * (time.time() + LEAD_SECONDS)
    moments = [started + 1e3 * offset for offset in offsets]
    for first in range(0, len(moments), 1_000):
        subject.call("mutation", "jobs:plan", {"moments": moments[first : first + 1_000]})
    assert 1e3 * time.time() < moments[0], "planning took longer than its lead"
    time.sleep(SECONDS + LEAD_SECONDS)
    while True:
        found = subject.call("query", "jobs:lateness", {"first": moments[0], "last": moments[-1]})
        assert isinstance(found, list)
        assert len(found) == len(moments)
        if None not in found:
            return sorted(found)
        time.sleep(0.5)


def _at(ordered: list[float], percent: int) -> float:
    return ordered[len(ordered) * percent // 100]


if __name__ == "__main__":
    run_alone(measure, "scheduled")
