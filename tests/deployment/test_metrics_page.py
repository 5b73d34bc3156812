"""The text form: names, units and labels as Prometheus wants them."""

from __future__ import annotations

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from rewake.deployment.metric_facts import Backlog, DoorFigures, Facts, Stored
from rewake.deployment.metrics_page import render
from rewake.deployment.processes import ProcessFigures
from rewake.execution import RunnerFigures
from rewake.reactivity import LiveFigures
from rewake.tallies import Tallies


def facts() -> Facts:
    """Something of everything."""
    tallies = Tallies()
    tallies.naming = lambda path, kind: path
    tallies.ran([('m:"quoted\\\n"', "query", 0.003, False)])
    tallies.group_sizes.observe(3)
    tallies.responses[200] += 5
    tallies.refusals["http", "Unauthenticated"] += 1
    tallies.deaths["writer"] += 1
    tallies.rows_written.update({7: 2, 900: 1})
    return Facts(
        name="quiet-otter-12",
        version="1.2.3",
        now_ns=0,
        tallies=tallies,
        runner=RunnerFigures(1, 2, 3),
        live=LiveFigures(5, 4, 3, 2, 1),
        door=DoorFigures(6, 7, {"sockets_max": 8}),
        under_way={"queries": 9},
        processes=(ProcessFigures("reader", 2, 1000, 30),),
        data_bytes=11,
        wal_bytes=12,
        call_log_entries=13,
        stored=Stored({"functions": Backlog(14, 1.5)}, {7: "notes"}, 15, 0),
    )


def test_every_family_has_a_name_of_the_house_and_a_text() -> None:
    body, content_type = render(facts(), "")
    assert content_type.startswith("text/plain")
    families = list(text_string_to_metric_families(body.decode()))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation for family in families)
    own = [family for family in families if not family.name.startswith(("process_", "python_"))]
    assert all(family.name.startswith("rewake_") for family in own)
    counters = {family.name for family in own if family.type == "counter"}
    assert {"rewake_function_runs", "rewake_http_responses", "rewake_worker_deaths"} <= counters


def test_texts_of_authors_are_escaped() -> None:
    families = text_string_to_metric_families(render(facts(), "")[0].decode())
    (runs,) = [family for family in families if family.name == "rewake_function_runs"]
    assert {sample.labels["function"] for sample in runs.samples} == {'m:"quoted\\\n"'}


def test_system_tables_are_one() -> None:
    families = text_string_to_metric_families(render(facts(), "")[0].decode())
    (written,) = [family for family in families if family.name == "rewake_documents_written"]
    assert {sample.labels["table"]: sample.value for sample in written.samples} == {"_system": 1, "notes": 2}


def test_histograms_grow_from_bucket_to_bucket() -> None:
    families = text_string_to_metric_families(render(facts(), "")[0].decode())
    (sizes,) = [family for family in families if family.name == "rewake_commit_group_mutations"]
    buckets = [sample.value for sample in sizes.samples if sample.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 1


def test_open_metrics_is_spoken_where_it_is_asked_for() -> None:
    body, content_type = render(replace(facts(), stored=None), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
