"""What a deployment tells of its work, after work was done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rewake.auth import ANONYMOUS
from rewake.deployment import Deployment, Window
from rewake.deployment.metric_facts import DoorFigures
from rewake.deployment.metrics import public_name
from rewake.environment import Environment, ManualClock
from rewake.execution import Analysis, FunctionCall, RouteFacts, RunnerClosed
from rewake.tallies import POOLED
from tests.deployment.stage import RUNS_IN, Stage, play

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def samples(deployment: Deployment) -> Samples:
    """Every sample of the page, by name and labels."""
    body, content_type = await deployment.metrics.page()
    assert content_type.startswith("text/plain")
    found: Samples = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


async def work(deployment: Deployment) -> None:
    """Two mutations, of which one fails; a query that runs once and is asked three times; strangers."""
    add = FunctionCall("notes:add", '{"room":"a","n":1}')
    await deployment.mutate(add, ANONYMOUS, request_id="r")
    await deployment.mutate(FunctionCall("notes:add_and_fail", add.args), ANONYMOUS, request_id="r")
    for _ in range(3):
        await deployment.query(FunctionCall("notes.js:count", "{}"), ANONYMOUS, request_id="r")
    for number in range(20):
        await deployment.query(FunctionCall(f"no{number}:such", "{}"), ANONYMOUS, request_id="r")


def test_work_shows_on_the_page(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        await work(deployment)
        deployment.metrics.watch_door(lambda: DoorFigures(3, 2, {"sockets_max": 4}))
        found = await samples(deployment)
        runs = "rewake_function_runs_total"
        assert value(found, runs, function="notes:add", kind="mutation", outcome="success") == 1
        assert value(found, runs, function="notes:add_and_fail", kind="mutation", outcome="failure") == 1
        assert value(found, runs, function="notes:count", kind="query", outcome="success") == 1
        assert value(found, "rewake_query_cache_hits_total", function="notes:count") == 2
        assert value(found, runs, function=POOLED, kind="query", outcome="failure") == 20
        assert not any("such" in str(key) for key in found)
        assert value(found, "rewake_function_run_seconds_count", function="notes:add", kind="mutation") == 1
        assert value(found, "rewake_commit_seconds_count") >= 1
        assert value(found, "rewake_commit_group_mutations_sum") >= 2
        assert value(found, "rewake_documents_written_total", table="notes") == 1
        assert value(found, "rewake_data_file_bytes") > 0
        assert value(found, "rewake_commit_log_bytes") > 0
        assert value(found, "rewake_deployed_timestamp_seconds") > 1e9
        assert value(found, "rewake_scheduled_jobs_due", backlog="functions") == 0
        assert value(found, "rewake_sync_sockets") == 3
        assert value(found, "rewake_refusals_total", door="connection", reason="sockets_max") == 4
        assert value(found, "process_resident_memory_bytes") > 0
        if RUNS_IN["place"] == "processes":
            assert value(found, "rewake_worker_processes", role="writer") == 1
            assert value(found, "rewake_worker_resident_memory_bytes", role="actions") > 0

    play(tmp_path, story)


@pytest.mark.threads_only("the clock of a test does not reach other processes")
def test_charts_hold_what_was_driven(tmp_path: Path) -> None:
    clock = ManualClock()

    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        start = clock.now_ns() / 1e9
        await work(deployment)
        clock.advance(61)
        await deployment.metrics.sample()
        await deployment.query(FunctionCall("notes:count", "{}"), ANONYMOUS, request_id="r")
        clock.advance(60)
        window = Window(start, start + 120, 2)
        first, second = deployment.metrics.functions(window)
        assert first is not None
        assert second is not None
        assert first["notes:count", "query"][:4] == pytest.approx((60 / 61, 0, 2 * 60 / 61, 0))
        # The hit of the second minute lies in the 60 s after the sample, of which 59 are in the window.
        both = first["notes:count", "query"][2] + second["notes:count", "query"][2]
        assert both == pytest.approx(2 + 59 / 60)
        written = await deployment.metrics.written("notes", Window(start, start + 61, 1))
        assert written == pytest.approx([1.0])
        assert deployment.metrics.sampled("lag", Window(start, start + 60, 1)) == [0.0]
        assert deployment.metrics.sampled("action queued", Window(start, start + 60, 1)) == [0.0]

    play(tmp_path, story, environment=Environment(clock=clock), keeps_house=False)


def test_names_are_those_of_functions_and_routes_that_exist() -> None:
    analysis = Analysis(routes=(RouteFacts("/a", False, "GET"), RouteFacts("/b/", True, "*")))
    assert public_name("GET /a", "httpAction", analysis) == "GET /a"
    assert public_name("PUT /b/*", "httpAction", analysis) == "PUT /b/*"
    assert public_name("GET /made/up", "httpAction", analysis) is None
    assert public_name("X" * 21 + " /a", "httpAction", analysis) is None
    assert public_name("m:f", "query", analysis) is None
    assert public_name("???", "query", analysis) is None
    assert public_name("_system/nothing:f", "query", analysis) is None


def test_a_page_does_not_need_the_data_file(tmp_path: Path) -> None:
    async def broken(work: object) -> None:
        raise RunnerClosed()

    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        deployment.look = broken  # type: ignore[method-assign,assignment]
        found = await samples(deployment)
        assert ("rewake_commit_log_bytes", ()) not in found
        assert value(found, "rewake_writer_queue") == 0

    play(tmp_path, story)


def test_many_pages_at_once_are_all_whole(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        pages = await asyncio.gather(*(deployment.metrics.page() for _ in range(5)))
        assert all(body.endswith(b"\n") and b"rewake_info" in body for body, _ in pages)

    play(tmp_path, story)
