"""A deploy every few seconds, while sessions and callers go on: does anybody notice, and does anything grow?

    python -m benchmarks.deploys --seconds 120 --sessions 200

The generator is that of `tests/clients/test_deploys_under_load.py`: every session holds a live query on a
counter that only it counts up, and every answer is compared with what it must be, so a call that failed, ran
twice or was answered by data of the past is a problem, and so is a socket that ended. To reach: none of them,
memory flat. The floor is the same load for a while without deploys.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import cpu_seconds_alone, private_bytes_alone
from benchmarks.report import Table, figure, ratio, run_alone
from benchmarks.subjects import fresh
from tests.clients.deploy_load import deploy_load
from tests.clients.deploying import Deployer, sources
from tests.clients.server_process import ServerProcess

SESSIONS_WANTED = 200
SECONDS_WANTED = 120.0
WARM_DEPLOYS = 3
"""The first ones fill what is bounded: the call log, threads for small work."""
GROWN_BYTES_MAX = 3e6
GROWN_BYTES_MAX_EACH = 1e5
"""What memory may differ by and still be called flat: a slack once, and so much for each deploy."""


@dataclass(slots=True)
class Load:
    """One run of the generator, beside deploys or without."""

    told: dict[str, Any]
    seconds: float
    generator_cpu: float
    took: list[float] = field(default_factory=list)
    """Seconds of each deploy."""
    memory: list[int] = field(default_factory=list)
    """Private bytes of the front process after each."""

    @property
    def calls(self) -> int:
        return sum(self.told[name] for name in ("mutations", "actions", "http_calls"))


def measure(
    scratch: Path, *, seconds: float = 20.0, sessions: int = SESSIONS_WANTED, every: float = 5.0
) -> Table:
    """The load alone, then with deploys."""
    folder = fresh(scratch / "rewake-deploys")
    served = ServerProcess(
        folder / "data.sqlite3", folder / "log", project=None, arguments=("--workers", "2")
    )
    with served as server:
        deployer = Deployer(server)
        deployer.deploy(sources(0))
        floor = _under_load(server, sessions, min(seconds, 5.0), None, every)
        # The counters are those of another generator now.
        deployer.deploy(sources(0, fresh_start=FORGET))
        deployer.call("mutation", "fresh_start:forget")
        seen = _under_load(server, sessions, seconds, deployer, every)
        version = deployer.call("query", "load:version")
        deployer.close()
    table = Table(
        f"A deploy every {every:g} s for {seconds:g} s, {sessions} live sessions",
        ["", "calls/s", "slowest call ms", "problems", "deploy p50 s", "slowest s", "front MB grown"],
    )
    _row(table, "without deploys", floor)
    _row(table, "with deploys", seen)
    problems = seen.told["problems"]
    measured = seen.memory[min(WARM_DEPLOYS, len(seen.memory) - 1) :]
    grown = measured[-1] - measured[0]
    is_flat = grown <= GROWN_BYTES_MAX + GROWN_BYTES_MAX_EACH * (len(measured) - 1)
    is_whole = sessions >= SESSIONS_WANTED and seconds >= SECONDS_WANTED
    said = table.judge(
        f"{problems} problems in {seen.calls:,} calls and {len(seen.took)} deploys, {grown / 1e6:+.1f} MB",
        is_reached=not problems and is_flat,
        over_floor=f"calls/s {ratio(seen.calls / seen.seconds, floor.calls / floor.seconds)}",
        condition="" if is_whole else f"it asks for {SESSIONS_WANTED} sessions and 2 minutes",
    )
    table.notes.append(f"no failed call, no dropped socket, memory flat: {said}")
    table.notes.append(
        f"of a core: generator {seen.generator_cpu:.0%}; deploys answered by version {version:.0f} in the end"
    )
    table.wrong += [f"under deploys: {each}" for each in (*floor.told["told"], *seen.told["told"])][:5]
    return table


FORGET = """
    from rewake import MutationCtx, mutation
    from .schema import Slot

    @mutation
    def forget(ctx: MutationCtx) -> None:
        for each in ctx.db.query(Slot).collect():
            ctx.db.delete(each.id)
"""


def _under_load(
    server: ServerProcess, sessions: int, seconds: float, deployer: Deployer | None, every: float
) -> Load:
    assert server.process is not None
    front = server.process.pid
    with deploy_load(server.url, sessions) as generator:
        begun, spent = time.monotonic(), cpu_seconds_alone(generator.pid)
        memory = [private_bytes_alone(front)]
        took: list[float] = []
        while (left := begun + seconds - time.monotonic()) > 0:
            if deployer is None:
                time.sleep(left)
                continue
            started = time.monotonic()
            deployer.deploy(sources(len(took) + 1))
            took.append(time.monotonic() - started)
            memory.append(private_bytes_alone(front))
            time.sleep(max(0.0, every - took[-1]))
        wall = time.monotonic() - begun
        share = (cpu_seconds_alone(generator.pid) - spent) / wall
        told = generator.end()
    load = Load(told, wall, share, took, memory)
    print(f"    {load.told}, deploys of {[round(each, 2) for each in took]} s", flush=True)
    return load


def _row(table: Table, name: str, load: Load) -> None:
    took = sorted(load.took)
    table.add(
        name,
        figure(load.calls / load.seconds),
        f"{1e3 * load.told['slowest']:,.0f}",
        str(load.told["problems"]),
        f"{took[len(took) // 2]:.2f}" if took else "",
        f"{took[-1]:.2f}" if took else "",
        f"{(load.memory[-1] - load.memory[0]) / 1e6:+.1f}",
    )


if __name__ == "__main__":
    run_alone(measure, "deploys", seconds=120.0, sessions=200, every=5.0)
