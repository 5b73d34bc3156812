"""Deploys, one after the other, under live sessions and steady calls: nobody notices, and nothing grows.

Some seconds in CI. The long run of the issue: REWAKE_DEPLOY_SECONDS=120 REWAKE_DEPLOY_SESSIONS=200, `-s` for
its numbers. The first deploys fill what is bounded: the call log and the threads for small work. After them a
deploy may leave 0.1 MiB behind, beside a slack once, so that 0.3 MiB for each deploy refuses the long run.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tests.clients.deadline import Deadline
from tests.clients.deploy_load import deploy_load
from tests.clients.deploying import Deployer, sources
from tests.clients.server_process import ServerProcess

SECONDS = float(os.environ.get("REWAKE_DEPLOY_SECONDS", "20"))
SESSIONS = int(os.environ.get("REWAKE_DEPLOY_SESSIONS", "20"))
EVERY_SECONDS = 5.0
WARM_DEPLOYS = 3
MIB = 1024 * 1024
GROWTH_SLACK_BYTES = 3 * MIB
GROWTH_BYTES_PER_DEPLOY = MIB // 10
SPARE_MAX = 16
"""Threads that are started when they are needed, and descriptors of a connection and of files at work."""
SOON = {"REWAKE_LIMIT_CODE_KEPT_SECONDS": "2"}
"""Code that was replaced is kept for a while; at the end nobody waits half a minute for it to go."""
SETTLE_SECONDS = 120.0


def processes_of(root: int) -> list[int]:
    """The process and all that it started, those included whose own parent is among them."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [root]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found


def resident_bytes(process: int) -> int:
    return int((Path("/proc") / str(process) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held(process: int) -> dict[str, int]:
    """How many descriptors and threads a process has."""
    folder = Path("/proc") / str(process)
    return {
        what: len(list((folder / name).iterdir()))
        for what, name in (("descriptors", "fd"), ("threads", "task"))
    }


def test_deploys_in_a_row_fail_no_call_drop_no_socket_and_leave_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"
    arguments = ("--workers", "2")
    served = ServerProcess(data, tmp_path / "log", project=None, arguments=arguments, environment=SOON)
    with served as server:
        assert server.process is not None
        front, deployer = server.process.pid, Deployer(server)
        settled, held_before = len(processes_of(front)), held(front)
        deployer.deploy(sources(0))
        with deploy_load(server.url, SESSIONS) as load:
            memory, most, took = deploy_for(deployer, front)
            report = load.end()
        deploys = len(took)
        print(f"\n{deploys} deploys in {SECONDS:g} s, slowest {max(took):.2f} s")
        print(f"{SESSIONS} sessions: {report}")
        print(f"front MiB {[round(size / MIB, 1) for size in memory]}, processes {settled} to {most} at most")
        print(f"front held {held_before}, {held(front)} at the end")
        assert report["told"] == []
        assert report["problems"] == 0
        assert min(report["transitions"], report["mutations"], report["http_calls"]) > 0
        assert deploys >= WARM_DEPLOYS + 1
        assert deployer.call("query", "load:version") == deploys
        # Of versions that were replaced nothing is left, once their last calls are over.
        deadline = Deadline(SETTLE_SECONDS)
        while len(processes_of(front)) > settled and not deadline.is_over:
            threading.Event().wait(0.2)
        assert len(processes_of(front)) <= settled
        for what, count in held(front).items():
            assert count <= held_before[what] + SPARE_MAX, what
        allowed = GROWTH_SLACK_BYTES + (deploys - WARM_DEPLOYS) * GROWTH_BYTES_PER_DEPLOY
        assert memory[-1] - memory[WARM_DEPLOYS] <= allowed, memory
        deployer.close()


def deploy_for(deployer: Deployer, front: int) -> tuple[list[int], int, list[float]]:
    """Deploy every few seconds for a while; what the front's memory was after each, how many processes there
    were at most, and how long each took.
    """
    memory, took, most = [resident_bytes(front)], [], 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        begin = time.monotonic()
        deployer.deploy(sources(len(took) + 1))
        took.append(time.monotonic() - begin)
        memory.append(resident_bytes(front))
        most = max(most, len(processes_of(front)))
        threading.Event().wait(max(0.0, EVERY_SECONDS - took[-1]))
    return memory, most, took
