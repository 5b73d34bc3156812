"""Concurrent sessions on a real server: what they see is a consistent prefix, never going back.

Writers append through the official protocol while their sockets are cut and what was not answered is sent
again. The checker must find nothing; and with a fault planted in the house, it must find and name it.
`REWAKE_SESSIONS_SEED` looks elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.execution import ProjectSettings, collect_modules
from rewake.execution.reader_threads import _ReaderThread
from rewake.reactivity import LiveQueries
from rewake.reactivity.entries import Entry
from rewake.server import Server
from rewake.testing.loop_thread import LoopThread
from tests.isolation import lists
from tests.isolation.history import Clock, History
from tests.isolation.observed_client import ObservedClient, live_through

SEED = int(os.environ.get("REWAKE_SESSIONS_SEED", "0"))
WRITERS = 3
ROUNDS = 12
JOIN_SECONDS = 60


class Served:
    """A server in a thread of this process, so that faults can be planted in it."""

    def __init__(self, data: Path) -> None:
        self.loop = LoopThread()
        self.server = self.loop.run(self._start(data))

    async def _start(self, data: Path) -> Server:
        registry = collect_modules({"lists": lists}, ProjectSettings(root=data.parent))
        deployment = await Deployment.open(
            data=data, registry=registry, name="lists", version="0", admin_key=AdminKey("lists|key")
        )
        server = Server(deployment, port=0)
        await server.start()
        return server

    def close(self) -> None:
        self.loop.run(self.server.stop())
        self.loop.run(self.server.deployment.close())
        self.loop.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "data.sqlite3")
    yield served
    served.close()


def live(url: str, *, rounds: int = ROUNDS) -> tuple[History, list[Exception]]:
    """Let the writers live, each in a thread; then one more that has just come."""
    clock, history = Clock(), History()
    failures: list[Exception] = []

    def work(number: int) -> None:
        client = ObservedClient(url, f"w{number}", clock, history)
        try:
            live_through(client, Random(SEED * 100 + number), rounds)
        except Exception as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_SECONDS)
    work(WRITERS)
    return history, failures


@pytest.mark.slow
def test_every_session_sees_a_consistent_prefix_that_never_goes_back(served: Served) -> None:
    print(f"REWAKE_SESSIONS_SEED={SEED}")
    history, failures = live(served.server.url)
    assert not failures
    assert len(history.appends) > WRITERS * ROUNDS
    assert history.anomalies() == []
    assert all(append.ended is not None for append in history.appends), "everything was answered in the end"


def late_invalidation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Responses go out before the queries that they touched are marked."""
    mark_stale = LiveQueries._mark_stale

    def late(self: LiveQueries, entry: Entry, ts: int) -> None:
        asyncio.get_running_loop().call_later(0.02, mark_stale, self, entry, ts)

    monkeypatch.setattr(LiveQueries, "_mark_stale", late)


def two_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last query of a wave is run on a snapshot that is older than the rest of the transition."""

    def run(self: _ReaderThread, jobs: list[Any]) -> list[Any]:
        assert self._snapshot is not None
        runs = [self._run(self._snapshot, job) for job in jobs[:-1]]
        ts = self._snapshot.ts
        self._snapshot.end()
        with self._reader.begin_at(ts - 1) as snapshot:
            runs += [self._run(snapshot, job) for job in jobs[-1:]]
        self._snapshot = self._reader.begin_at(ts)
        return runs

    monkeypatch.setattr(_ReaderThread, "run", run)


@pytest.mark.parametrize(
    ("plant", "names"),
    [
        (late_invalidation, ("stale transition", "time went back")),
        (two_snapshots, ("stale transition",)),
    ],
)
def test_a_planted_fault_is_caught_and_named(
    plant: Callable[[pytest.MonkeyPatch], None],
    names: tuple[str, ...],
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    history, _ = live(served.server.url, rounds=4)  # a client that waits in vain is not what we look for
    found = history.anomalies()
    assert any(anomaly.startswith(names) for anomaly in found), found
