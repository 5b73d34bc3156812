"""`kill -9` in the middle of a stream of mutations, at every point where it could hurt.

A round: a server is armed to kill itself with SIGKILL when it reaches a named point for the n-th time; an
npm client and a PyPI client stream numbered mutations into it; it dies; a supervisor starts it again on the
same port and data. Both clients reconnect by themselves and go on. Then every number that npm acknowledged is
stored exactly once, every one that PyPI acknowledged at least once (it replays under a new session, wire
1.11), and the count kept in the same transactions agrees with the rows.

    group.after_savepoint                a mutation has run, its group is not committed: it never happened
    group.before_commit                  the whole group is lost
    group.after_commit_before_outcome    everything is stored and nobody was told: replay must recognise it
    sync.after_log_row_before_response   the front knows, the client does not

With functions in the server's own process all four kill the whole server. With worker processes the first
three are reached in the writer: it dies alone, the server lives, and no client notices anything. Moments that
nobody chose follow after that. Each time `verify` has the last word on what lies in the file.

`REWAKE_TEST_SEED` chooses other rounds; a failure prints the seed that repeats it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.json_program import Event, JsonProgram
from tests.clients.server_process import PROJECT, ServerProcess
from tests.clients.test_workers import children

pytestmark = [pytest.mark.clients, pytest.mark.slow]

POINTS = {
    # How often each may be passed before it kills: a group holds several mutations, so it comes less often.
    "group.after_savepoint": 30,
    "group.before_commit": 10,
    "group.after_commit_before_outcome": 10,
    "sync.after_log_row_before_response": 30,
}
STARTED = 6
"""So often a starting server itself may pass a point of the writer: it commits its code and its addresses."""
ROUNDS = 5
NUMBERS = 60
WINDOW = 4
KILL_SECONDS = 30.0
STREAM_SECONDS = 30.0
BASE_SEED = int(os.environ.get("REWAKE_TEST_SEED", "2026"))


def stored(server: ServerProcess, source: str) -> Counter[int]:
    """How often each number of `source` was carried out, read by a client that was not part of it."""
    body = {"path": "ledger:numbers", "args": {"source": source}, "format": "json"}
    answer = httpx.post(f"{server.url}/api/query", json=body).json()
    assert answer["status"] == "success", answer
    return Counter(int(number) for number in answer["value"])


def acknowledged(events: list[Event]) -> list[int]:
    return [event["number"] for event in events if event["event"] == "acknowledged"]


def play_round(server: ServerProcess, run_program: Callable[..., JsonProgram], kill_point: str) -> None:
    server.start(kill_point=kill_point)
    npm = run_program("npm_stream.mjs", server.url, "npm", NUMBERS, WINDOW)
    pypi = run_program("pypi_stream.py", server.url, "pypi", NUMBERS)
    for stream in (npm, pypi):
        stream.wait(lambda event: event["event"] == "ready")
    for stream in (npm, pypi):
        stream.send({"event": "go"})
    server.wait_killed(KILL_SECONDS)
    server.start()
    npm_events = npm.finish(seconds=STREAM_SECONDS)
    pypi_events = pypi.finish(seconds=STREAM_SECONDS)

    assert sorted(acknowledged(npm_events)) == list(range(NUMBERS))
    assert npm_events[-1]["connections"] >= 2, "the client was not cut off by the death of the server"
    npm_stored = stored(server, "npm")
    assert npm_stored == Counter(range(NUMBERS)), "npm: exactly once"

    pypi_stored = stored(server, "pypi")
    assert set(acknowledged(pypi_events)) <= set(pypi_stored), "PyPI: at least once"
    assert len(acknowledged(pypi_events)) >= NUMBERS // 2, pypi_events

    total = httpx.post(f"{server.url}/api/query", json={"path": "ledger:total", "args": {}}).json()["value"]
    assert total == npm_stored.total() + pypi_stored.total(), "a mutation was carried out by half"
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems


LIVES = [
    *((point, ("--workers", "0")) for point in POINTS),
    # The front dies and leaves its workers behind.
    ("sync.after_log_row_before_response", ("--workers", "2")),
]


@pytest.mark.parametrize(("point", "arguments"), LIVES)
def test_acknowledged_mutations_survive_kill_9(
    point: str,
    arguments: tuple[str, ...],
    make_server: Callable[..., ServerProcess],
    run_program: Callable[..., JsonProgram],
) -> None:
    # An unarmed life applies the schema, so that what the point counts are the mutations of clients.
    prepared = make_server()
    prepared.start()
    prepared.stop()
    hits = 0
    for number in range(ROUNDS):
        seed = f"{BASE_SEED}:{point}:{number}"
        count = random.Random(seed).randint(2, POINTS[point]) + STARTED
        print(f"round {number} of seed {BASE_SEED}: dies at {point}:{count}")
        server = make_server(PROJECT, *arguments)
        copy_data(prepared, server)
        play_round(server, run_program, f"{point}:{count}")
        server.stop()
        hits += 1  # `wait_killed` has seen the process die by its own SIGKILL.
    assert hits == ROUNDS
    print(f"{point}: hit {hits} times")


@pytest.mark.parametrize("point", [point for point in POINTS if point.startswith("group.")])
def test_the_death_of_the_writer_process_is_noticed_by_no_client(
    point: str, make_server: Callable[..., ServerProcess], run_program: Callable[..., JsonProgram]
) -> None:
    for number in range(2):
        seed = f"{BASE_SEED}:writer:{point}:{number}"
        count = random.Random(seed).randint(3, POINTS[point]) + STARTED
        print(f"round {number} of seed {BASE_SEED}: the writer dies at {point}:{count}")
        server = make_server(PROJECT, "--workers", "2")
        server.start(kill_point=f"{point}:{count}")
        npm = run_program("npm_stream.mjs", server.url, "npm", NUMBERS, WINDOW)
        pypi = run_program("pypi_stream.py", server.url, "pypi", NUMBERS)
        for stream in (npm, pypi):
            stream.wait(lambda event: event["event"] == "ready")
        for stream in (npm, pypi):
            stream.send({"event": "go"})
        npm_events = npm.finish(seconds=STREAM_SECONDS)
        pypi_events = pypi.finish(seconds=STREAM_SECONDS)

        assert "the writer process ended" in server.output(), "the kill point was not reached"
        assert server.process is not None
        assert server.process.poll() is None, "the server died with its writer"
        assert npm_events[-1]["connections"] == 1, "the client was cut off"
        for source, events in (("npm", npm_events), ("pypi", pypi_events)):
            assert sorted(acknowledged(events)) == list(range(NUMBERS))
            assert stored(server, source) == Counter(range(NUMBERS)), f"{source}: exactly once"
        server.stop()


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_any_process_killed_at_any_moment(
    round_number: int, make_server: Callable[..., ServerProcess], run_program: Callable[..., JsonProgram]
) -> None:
    """Front, template, writer and readers, at moments that nobody chose: after so many acknowledgements."""
    seed = f"{BASE_SEED}:any:{round_number}"
    chance = random.Random(seed)
    print(f"seed {seed}")
    server = make_server(PROJECT, "--workers", "2")
    server.start()
    npm = run_program("npm_stream.mjs", server.url, "npm", NUMBERS, WINDOW)
    npm.wait(lambda event: event["event"] == "ready")
    npm.send({"event": "go"})
    deaths = sorted(chance.sample(range(3, NUMBERS - 5), 3))
    for death in deaths:
        npm.wait(lambda event, death=death: event.get("number", -1) >= death, seconds=STREAM_SECONDS)
        victim = chance.choice(["front", "template", "worker"])
        print(f"after {death}: {victim}")
        if victim == "front":
            server.kill()
            server.start()
        else:
            assert server.process is not None
            template = children(server.process.pid)[:1]
            victims = template if victim == "template" else children(template[0]) if template else []
            for process in chance.sample(victims, min(1, len(victims))):
                os.kill(process, signal.SIGKILL)
    events = npm.finish(seconds=STREAM_SECONDS)
    assert sorted(acknowledged(events)) == list(range(NUMBERS))
    assert stored(server, "npm") == Counter(range(NUMBERS)), "exactly once"
    total = httpx.post(f"{server.url}/api/query", json={"path": "ledger:total", "args": {}}).json()["value"]
    assert total == NUMBERS
    server.kill()
    assert verify(server.data, environment=Environment()).is_clean


def copy_data(source: ServerProcess, target: ServerProcess) -> None:
    """Give a server that did not run yet the data of one that has stopped."""
    if source.data.is_dir():
        shutil.copytree(source.data, target.data)
        return
    for path in source.data.parent.glob(f"{source.data.name}*"):
        shutil.copy(path, target.data.parent / path.name.replace(source.data.name, target.data.name, 1))
