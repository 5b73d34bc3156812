"""`kill -9` while scheduled functions run: mutations exactly once, actions at most once.

A round: a server plans mutations and actions that are due a moment later, and is killed. The next one is
armed to kill itself when it reaches a named point for the n-th time; it dies; a third one finishes what is
left. Then every planned mutation was carried out once, every action at most once, and each job says what
became of it.

    group.before_commit                  a mutation ran with its job, and neither is kept
    group.after_commit_before_outcome    both are kept, and nobody was told
    scheduler.action_begun               the job is in progress, the action has not begun
    scheduler.action_ran                 the action is over, and its job does not know

With worker processes the points of the group are reached in the writer, which dies alone.
`REWAKE_TEST_SEED` chooses other rounds.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.deadline import Deadline
from tests.clients.raw_client import RawClient
from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = pytest.mark.clients

BASE_SEED = os.environ.get("REWAKE_TEST_SEED", "1")
COUNT = 12
SECONDS = 40.0
LOST = {"kind": "failed", "error": "Transient error while executing action"}
SUCCESS = {"kind": "success"}
POINTS = {
    "group.before_commit": 12,
    "group.after_commit_before_outcome": 12,
    "scheduler.action_begun": COUNT,
    "scheduler.action_ran": COUNT,
}
INLINE, WORKERS = ("--workers", "0"), ("--workers", "1")


def ask(server: ServerProcess, kind: str, path: str, /, **args: Any) -> Any:
    answer = httpx.post(f"{server.url}/api/{kind}", json={"path": path, "args": args}, timeout=SECONDS).json()
    assert answer["status"] == "success", answer
    return answer["value"]


def wait_until(server: ServerProcess, path: str, is_wanted: Callable[[Any], bool], /, **args: Any) -> Any:
    """Watch a query until it answers so: nothing is asked again and again."""
    with RawClient(server.url) as client:
        return client.wait_result(client.add(path, args), is_wanted, seconds=SECONDS)


def finish(server: ServerProcess) -> None:
    wait_until(server, "later:open_count", lambda count: count == 0)


def check(server: ServerProcess, planned: list[str]) -> int:
    """Returns how many actions were lost."""
    assert Counter(ask(server, "query", "ledger:numbers", source="a")) == Counter(range(COUNT)), (
        "exactly once"
    )
    acted = Counter(ask(server, "query", "ledger:numbers", source="a by action"))
    assert all(times == 1 for times in acted.values()), f"at most once: {acted}"
    states = ask(server, "query", "later:states")
    assert set(states) == set(planned)
    done = lost = 0
    for name, state in states.values():
        if name == "ledger.js:record":
            assert state == SUCCESS
        elif state == SUCCESS:
            done += 1
        else:
            assert state == LOST
            lost += 1
    assert done <= len(acted) <= done + lost == COUNT, "what its job says is true"
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems
    return lost


def plan_and_die(server: ServerProcess) -> list[str]:
    server.start()
    planned: list[str] = ask(server, "mutation", "later:plan", source="a", count=COUNT, seconds=1.0)
    server.kill()
    return planned


@pytest.mark.parametrize("arguments", [INLINE, WORKERS], ids=["inline", "workers"])
@pytest.mark.parametrize("point", POINTS)
def test_scheduled_functions_survive_kill_9(
    point: str, arguments: tuple[str, ...], make_server: Callable[..., ServerProcess]
) -> None:
    count = random.Random(f"{BASE_SEED}:{point}").randint(2, POINTS[point])
    print(f"seed {BASE_SEED}: dies at {point}:{count}")
    server = make_server(PROJECT, *arguments)
    planned = plan_and_die(server)
    # What was planned runs from the start, so the point may be reached before the server is ready.
    server.launch(kill_point=f"{point}:{count}")
    dies_alone = point.startswith("group.") and arguments == WORKERS
    if dies_alone:
        server.wait_ready()
        finish(server)
        assert "the writer process ended" in server.output(), "the kill point was not reached"
        assert check(server, planned) == 0, "only the writer died"
        return
    server.wait_killed(SECONDS)
    server.start()
    finish(server)
    lost = check(server, planned)
    if point.startswith("scheduler."):
        assert 1 <= lost <= 8, "those that ran at that moment"


@pytest.mark.parametrize("arguments", [INLINE, WORKERS], ids=["inline", "workers"])
def test_an_action_that_was_running_is_lost_and_never_begins_again(
    arguments: tuple[str, ...], make_server: Callable[..., ServerProcess]
) -> None:
    server = make_server(PROJECT, *arguments)
    server.start()
    id = ask(server, "mutation", "later:plan_hold", source="held")
    wait_until(server, "ledger:numbers", lambda numbers: numbers == [0], source="held")
    server.kill()
    server.start()
    finish(server)
    assert ask(server, "query", "later:states") == {id: ["later.js:hold", LOST]}
    assert ask(server, "query", "ledger:numbers", source="held") == [0]


@pytest.mark.parametrize("arguments", [INLINE, WORKERS], ids=["inline", "workers"])
def test_a_server_that_stops_in_order_does_not_wait_for_scheduled_actions_for_ever(
    arguments: tuple[str, ...], make_server: Callable[..., ServerProcess]
) -> None:
    server = make_server(PROJECT, *arguments)
    server.environment = {"REWAKE_LIMIT_ACTION_GRACE_SECONDS": "0.2"}
    server.start()
    id = ask(server, "mutation", "later:plan_hold", source="held")
    wait_until(server, "ledger:numbers", lambda numbers: numbers == [0], source="held")
    deadline = Deadline(9.0)  # After ten seconds `stop` uses force.
    server.stop()
    assert not deadline.is_over
    server.start()
    [[name, state]] = ask(server, "query", "later:states").values()
    assert (name, state["kind"]) == ("later.js:hold", "failed")
    assert id in ask(server, "query", "later:states")
