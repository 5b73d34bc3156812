"""Crons of a served project: they change live queries, outlive downtimes, and run once through `kill -9`.

A round of kills: a server runs a mutation and an action every second, and kills itself when it reaches a
named point for the n-th time, several times over. Each run of the mutation wrote one document and one entry
of the cron's log in one commit, so afterwards the two agree; of the action there are as many documents as
runs that succeeded, or up to one more for each run that was lost.

The points are those of `test_scheduled_kill.py`. `REWAKE_TEST_SEED` chooses other rounds.
"""

from __future__ import annotations

import os
import random
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.raw_client import RawClient
from tests.clients.server_process import ServerProcess

pytestmark = pytest.mark.clients

BASE_SEED = os.environ.get("REWAKE_TEST_SEED", "1")
SECONDS = 60.0
LOST = "Transient error while executing action"
INLINE, WORKERS = ("--workers", "0"), ("--workers", "1")
BOTH = pytest.mark.parametrize("arguments", [INLINE, WORKERS], ids=["inline", "workers"])
POINTS = (
    "group.before_commit",
    "group.after_commit_before_outcome",
    "scheduler.action_begun",
    "scheduler.action_ran",
)
FUNCTIONS = """
    from collections import Counter
    from typing import Any
    from rewake import ActionCtx, Document, MutationCtx, QueryCtx, internal_action, internal_mutation, query

    class Tick(Document, table="ticks"):
        source: str

    @internal_mutation
    def write(ctx: MutationCtx, source: str) -> None:
        ctx.db.insert(Tick(source=source))

    @internal_action
    async def act(ctx: ActionCtx, source: str) -> None:
        await ctx.run_mutation(write, source=source)

    @query
    def count(ctx: QueryCtx, source: str) -> int:
        return sum(tick.source == source for tick in ctx.db.query(Tick))

    @query
    def crons(ctx: QueryCtx) -> dict[str, float]:
        crons = ctx.db.system.query("_crons").collect()
        return {cron["identifier"]: cron["scheduledTime"] for cron in crons}

    def listed(ctx: QueryCtx) -> list[Any]:
        runs = ctx.db.system.query("_cron_runs").collect()
        return [
            [run["identifier"], run["scheduledTime"], run["status"]["kind"], run["status"].get("error"),
             run["status"].get("count"), run["logLines"]]
            for run in runs
        ]

    @query
    def runs(ctx: QueryCtx) -> list[Any]:
        return listed(ctx)

    @query
    def books(ctx: QueryCtx) -> dict[str, Any]:
        written = Counter(tick.source for tick in ctx.db.query(Tick))
        return {"written": dict(written), "runs": listed(ctx)}
"""
CRONS = """
    from rewake import Crons
    from . import m

    crons = Crons()
"""
EVERY_SECOND = """
    crons.interval("mutation", seconds=1).run(m.write, source="mutation")
    crons.interval("action", seconds=1).run(m.act, source="action")
"""


def project(folder: Path, crons: str) -> Path:
    backend = folder / "project" / "backend"
    backend.mkdir(parents=True, exist_ok=True)
    (backend / "m.py").write_text(textwrap.dedent(FUNCTIONS))
    (backend / "crons.py").write_text(textwrap.dedent(CRONS) + textwrap.dedent(crons))
    return backend.parent


def ask(server: ServerProcess, path: str, /, **args: Any) -> Any:
    body = {"path": path, "args": args}
    answer = httpx.post(f"{server.url}/api/query", json=body, timeout=SECONDS).json()
    assert answer["status"] == "success", answer
    return answer["value"]


def wait_until(server: ServerProcess, path: str, is_wanted: Callable[[Any], bool], /, **args: Any) -> Any:
    """Watch a query until it answers so: nothing is asked again and again."""
    with RawClient(server.url) as client:
        return client.wait_result(client.add(path, args), is_wanted, seconds=SECONDS)


@BOTH
def test_an_interval_changes_a_live_query(
    arguments: tuple[str, ...], tmp_path: Path, make_server: Callable[..., ServerProcess]
) -> None:
    server = make_server(project(tmp_path, EVERY_SECOND), *arguments)
    server.start()
    with RawClient(server.url) as client:
        queries = [client.add("m:count", {"source": source}) for source in ("mutation", "action")]
        for wanted in (1, 2, 3):
            for query in queries:
                client.wait_result(query, lambda count, wanted=wanted: count >= wanted, seconds=SECONDS)
    due = [run[1] for run in ask(server, "m:runs") if run[0] == "mutation" and run[2] == "success"]
    assert all((moment - due[0]) % 1_000 == 0 for moment in due), "from the time of the run before"
    assert len(set(due)) == len(due)


def test_a_new_start_with_other_code_changes_the_crons(
    tmp_path: Path, make_server: Callable[..., ServerProcess]
) -> None:
    kept = 'crons.daily("kept", hour_utc=4).run(m.write, source="kept")\n'
    server = make_server(project(tmp_path, kept + 'crons.hourly("gone").run(m.write, source="gone")\n'))
    server.start()
    before = ask(server, "m:crons")
    assert set(before) == {"kept", "gone"}
    server.stop()
    project(tmp_path, kept + 'crons.interval("new", hours=1).run(m.act, source="new")\n')
    server.start()
    wait_until(server, "m:count", lambda count: count == 1, source="new")
    after = ask(server, "m:crons")
    assert set(after) == {"kept", "new"}
    assert after["kept"] == before["kept"]


@BOTH
def test_runs_that_a_downtime_missed_are_skipped(
    arguments: tuple[str, ...], tmp_path: Path, make_server: Callable[..., ServerProcess]
) -> None:
    server = make_server(project(tmp_path, EVERY_SECOND), *arguments)
    server.start()
    wait_until(server, "m:count", lambda count: count >= 1, source="action")
    due = ask(server, "m:crons")
    server.kill()
    # Down until three runs of each have been missed, by the wall clock that the runs go by.
    clock = Environment().clock
    while clock.now_ns() / 1e6 < max(due.values()) + 3_000:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}/readyz", timeout=1)
    server.start()
    runs = wait_until(server, "m:runs", lambda runs: {"mutation", "action"} <= skipping(runs))
    # A run's lines may be printed after it was committed, and are printed before the server ends.
    server.stop()
    for name in ("mutation", "action"):
        [*_, late, skipped] = [run for run in runs if run[0] == name and run[1] <= due[name] + 1_000]
        assert late[1] == due[name], "the first one is made up for"
        assert skipped[1:3] == [due[name] + 1_000, "canceled"]
        assert skipped[4] >= 2
        [line] = skipped[5]
        assert line.startswith(f"Skipping {skipped[4]:.0f} run(s) of job ")
        assert line.endswith(" because multiple scheduled runs are in the past")
        assert line in server.output()


def skipping(runs: list[Any]) -> set[str]:
    return {run[0] for run in runs if run[2] == "canceled" and run[4] >= 2}


@BOTH
@pytest.mark.parametrize("point", POINTS)
def test_crons_survive_kill_9(
    point: str,
    arguments: tuple[str, ...],
    tmp_path: Path,
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(project(tmp_path, EVERY_SECOND), *arguments)
    server.environment = {"REWAKE_LIMIT_CRON_RUNS_KEPT": "1000"}
    chance = random.Random(f"{BASE_SEED}:{point}:{arguments}")
    for _ in range(3):
        # A start commits a little by itself, and each round is to run something.
        count = chance.randint(8, 14) if point.startswith("group.") else chance.randint(1, 3)
        print(f"seed {BASE_SEED}: dies at {point}:{count}")
        server.launch(kill_point=f"{point}:{count}")
        if point.startswith("group.") and arguments == WORKERS:
            # The writer dies alone, and the server with it at the end of the round.
            server.wait_ready()
            done = ask(server, "m:count", source="mutation")
            wait_until(server, "m:count", lambda count, done=done: count >= done + 3, source="mutation")
            assert "the writer process ended" in server.output(), "the kill point was not reached"
            server.kill()
        else:
            server.wait_killed(SECONDS)
    server.environment = {"REWAKE_LIMIT_CRON_RUNS_KEPT": "1000"}
    server.start()
    done = ask(server, "m:count", source="action")
    wait_until(server, "m:count", lambda count: count > done, source="action")
    check(ask(server, "m:books"))
    server.stop()
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems


def check(books: dict[str, Any]) -> None:
    """Compare what was written with what the crons' logs say, as one snapshot shows them."""
    written = books["written"]
    kinds: dict[str, Counter[str]] = {"mutation": Counter(), "action": Counter()}
    for name, due, kind, error, *_ in books["runs"]:
        kinds[name][kind] += 1
        assert kind != "failed" or (name, error) == ("action", LOST), due
    ran = [(name, due) for name, due, kind, *_ in books["runs"] if kind != "canceled"]
    assert len(set(ran)) == len(ran), "no run comes twice"
    assert kinds["mutation"]["success"] == written["mutation"], "exactly once"
    done, lost = kinds["action"]["success"], kinds["action"]["failed"]
    # One may be running: it has written, and its run is not over.
    assert done <= written["action"] <= done + lost + 1, "at most once"
    assert lost <= 3, "those that ran when the server died"
