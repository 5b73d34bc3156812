"""Concurrent clients around a server that is what it should be: their histories have no anomaly.

Websocket clients append, listen, lose their wires and send again; HTTP clients append, ask the cache, ask in
batches and ask the past. Mutations and parts of them fail. In the second story functions run in processes of
their own, which are killed all the while; in the third the whole server is.

    REWAKE_SESSIONS_SEED=7         another seed; a failure prints the one to repeat
    REWAKE_ISOLATION_SECONDS=600   go on so long, with one seed after the other (`make soak`)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.clients.deadline import Deadline
from tests.isolation.checker import check, report
from tests.isolation.history import Kind, Outcome
from tests.isolation.servers import InlineServer, kill_a_worker, server_with_workers, wait_for_workers
from tests.isolation.world import World

SEED = int(os.environ.get("REWAKE_SESSIONS_SEED", "0"))
SECONDS = float(os.environ.get("REWAKE_ISOLATION_SECONDS", "0"))
ROUNDS = 12

pytestmark = pytest.mark.slow


def seeds() -> Iterator[int]:
    """One seed, or as many as there is time for."""
    deadline, seed = Deadline(SECONDS), SEED
    while True:
        yield seed
        if deadline.is_over:
            return
        seed += 1


def expect_clean(world: World) -> None:
    """The history of a world is one that a serial database could have given, and is worth something."""
    again = f"REWAKE_SESSIONS_SEED={world.seed}"
    assert not world.failures, f"{again}: {world.failures}"
    found = check(world.history)
    assert not found, f"{again}\n{report(found)}"
    print(f"{again}: {world.history.summary()}")
    seen = {(each.kind, each.outcome) for each in world.history.operations}
    assert {(kind, Outcome.DONE) for kind in Kind} <= seen
    assert (Kind.MUTATION, Outcome.FAILED) in seen
    assert any(each.taken_back for each in world.history.operations)


def on_threads(folder: Path, seed: int) -> World:
    server = InlineServer(folder / "data.sqlite3")
    try:
        world = World(server.port, seed)
        world.live(ROUNDS)
    finally:
        server.close()
    return world


def on_dying_workers(folder: Path, seed: int) -> World:
    killed: set[int] = set()

    def kill(random: Random) -> None:
        wait_for_workers(server)
        killed.add(kill_a_worker(server, random))

    with server_with_workers(folder) as server:
        world = World(server.port, seed)
        world.live(ROUNDS, disturb=kill)
    assert len(killed) >= 2
    return world


def on_a_dying_server(folder: Path, seed: int) -> World:
    lives = 1

    def restart(random: Random) -> None:
        nonlocal lives
        server.kill()
        server.start()
        lives += 1

    with server_with_workers(folder) as server:
        world = World(server.port, seed)
        world.live(ROUNDS, disturb=restart, every=100)
    assert lives >= 2
    return world


@pytest.mark.parametrize("live", [on_threads, on_dying_workers, on_a_dying_server])
def test_what_clients_see_is_what_a_serial_database_shows(
    live: Callable[[Path, int], World], tmp_path: Path
) -> None:
    for seed in seeds():
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = live(folder, seed)
        expect_clean(world)
        # Workers die alone: no client ever misses an answer.
        missed = any(each.outcome is Outcome.UNKNOWN for each in world.history.operations)
        assert not missed or live is on_a_dying_server
