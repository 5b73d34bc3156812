"""Power cuts under a server with worker processes: what was acknowledged is there, once, in the next life.

Front, writer and readers write through `tests/faults/shared_power.py`, which loses what was not synced. A
life: the server starts on what the last cut left, `verify` finds nothing, every number that was acknowledged
is there once and the count kept beside them agrees; what nobody knows of is sent again under its own request
id; then power is cut somewhere in a stream of mutations.

`REWAKE_TEST_SEED` chooses other cuts, `REWAKE_POWER_CUTS` how many; a failure prints the seed that begins the
same lives.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.deadline import Deadline
from tests.clients.raw_client import RawClient, SocketClosed
from tests.clients.server_process import PROJECT, ServerDied, ServerProcess
from tests.clients.test_workers import children, is_gone
from tests.faults.shared_power import JOURNAL_VARIABLE, Power

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SEED = f"{os.environ.get('REWAKE_TEST_SEED', '2026')}:power"
CUTS = int(os.environ.get("REWAKE_POWER_CUTS", "4"))
WINDOW = 5
CHANGES_MAX = 250
"""Writes and syncs of one life; a mutation alone in its group makes three or four."""


@dataclass
class Told:
    """What one session was told, by request id."""

    session: str = field(default_factory=lambda: str(uuid.UUID(int=Random(SEED).getrandbits(128), version=4)))
    kept: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    lives: int = 0
    observed: int = 0

    def connect(self, server: ServerProcess) -> RawClient:
        client = RawClient(
            server.url,
            session_id=self.session,
            connection_count=self.lives,
            max_observed=self.observed or None,
        )
        self.lives += 1
        return client

    def take(self, client: RawClient) -> None:
        self.kept |= {number for number, response in client.responses.items() if response["success"]}
        # What was refused when power went says nothing of what there was before.
        self.unknown -= self.kept
        self.observed = max(self.observed, client.version.ts)


def family(process: int) -> list[int]:
    """A process and all that come of it."""
    with suppress(FileNotFoundError):
        return [process, *(each for child in children(process) for each in family(child))]
    return []


def end_all(server: ServerProcess) -> None:
    assert server.process is not None
    members = family(server.process.pid)
    server.kill()
    deadline = Deadline(60)
    while not all(is_gone(member) for member in members):
        assert not deadline.is_over, members


def check(server: ServerProcess, told: Told) -> None:
    def ask(path: str, **args: str) -> object:
        body = {"path": path, "args": args, "format": "json"}
        answer = httpx.post(f"{server.url}/api/query", json=body, timeout=60).json()
        assert answer["status"] == "success", answer
        return answer["value"]

    numbers = ask("ledger:numbers", source="power")
    assert isinstance(numbers, list)
    stored = Counter(map(int, numbers))
    assert not [number for number, times in stored.items() if times > 1], "at most once"
    assert told.kept <= stored.keys(), "nothing acknowledged is lost"
    assert stored.keys() <= told.kept | told.unknown, "nothing is there that nobody asked for"
    assert ask("ledger:total") == stored.total(), "nothing is there by half"
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems


def send(client: RawClient, number: int) -> None:
    client.mutate("ledger:record", {"source": "power", "number": number}, request_id=number)


def send_again(server: ServerProcess, told: Told) -> None:
    with told.connect(server) as client:
        for number in sorted(told.unknown):
            send(client, number)
        for number in sorted(told.unknown):
            assert client.response(number)["success"]
        told.take(client)
    assert not told.unknown


def stream(server: ServerProcess, told: Told, power: Power) -> None:
    """Mutations, a few at a time, until power is gone."""
    number = max(told.kept, default=-1) + 1
    client = told.connect(server)
    sent: list[int] = []
    with suppress(SocketClosed):
        while not power.is_cut:
            send(client, number)
            told.unknown.add(number)
            sent.append(number)
            number += 1
            if len(sent) >= WINDOW:
                client.response(sent.pop(0))
    end_all(server)
    client.wait_close()
    told.take(client)
    client.close()


def test_power_cuts_under_worker_processes(tmp_path: Path, make_server: Callable[..., ServerProcess]) -> None:
    print(f"seed {SEED}")
    chance, told, decided = Random(SEED), Told(), 0
    server = make_server(PROJECT, "--workers", "1")
    power = Power(server.data.with_name("power.journal"))
    server.environment = {
        "REWAKE_FAULT_DISK": "tests.faults.shared_power:powered_disk",
        JOURNAL_VARIABLE: str(power.journal),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    for _ in range(CUTS):
        server.start()
        check(server, told)
        send_again(server, told)
        check(server, told)
        power.cut_at(chance.randint(1, CHANGES_MAX))
        stream(server, told, power)
        decided += power.leave(chance)
        if chance.random() < 0.3:
            # And once more while the next life begins.
            power.cut_at(chance.randint(1, 30))
            with suppress(ServerDied):
                server.start()
            power.cut()
            end_all(server)
            decided += power.leave(chance)
    server.start()
    check(server, told)
    send_again(server, told)
    check(server, told)
    assert len(told.kept) > CUTS
    assert decided > 0, "no cut has left anything to chance"
