"""Charts in the shapes of wire 7.2."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewake.auth import Scope
from rewake.http_api.app_metrics import BUCKETS_MAX
from rewake.tallies import POOLED, SECONDS
from tests.http_api.fake_backend import ADMIN, SCOPED, FakeBackend, assert_error, caller

# Two buckets of two minutes, so rates are half of counts.
WINDOW = {
    "start": {"secs_since_epoch": 1000, "nanos_since_epoch": 500_000_000},
    "end": {"secs_since_epoch": 1240, "nanos_since_epoch": 500_000_000},
    "num_buckets": 2,
}
TIMES = [
    {"secs_since_epoch": 1000, "nanos_since_epoch": 500_000_000},
    {"secs_since_epoch": 1120, "nanos_since_epoch": 500_000_000},
]
NAMES = (
    "udf_rate",
    "cache_hit_percentage",
    "latency_percentiles",
    "failure_percentage_top_k",
    "cache_hit_percentage_top_k",
    "function_call_count_top_k",
    "subscription_invalidations_top_k",
    "table_rate",
    "scheduled_job_lag",
    "function_concurrency",
)


def numbers(
    successes: int = 0, failures: int = 0, hits: int = 0, invalidations: int = 0, **below: int
) -> tuple[float, ...]:
    """The numbers of a function; `below` are runs by the index of their bound: `b3=2`."""
    durations = [0.0] * (len(SECONDS) + 1)
    for name, count in below.items():
        durations[int(name[1:])] = count
    return (successes, failures, hits, invalidations, *durations)


def ask(backend: FakeBackend, chart: str, **parameters: Any) -> Any:
    query = {"window": json.dumps(WINDOW)} | parameters
    response = caller(backend).get(f"/api/app_metrics/{chart}", params=query, headers=ADMIN)
    assert response.status_code == 200, response.text
    return response.json()


def backend(**functions: tuple[float, ...]) -> FakeBackend:
    """`query_m_f` is the query `m:f`."""
    made = FakeBackend()
    for name, its_numbers in functions.items():
        kind, module, function = name.split("_")
        made.metrics.numbers[f"{module}:{function}", kind] = its_numbers
    return made


@pytest.mark.parametrize(
    ("metric", "rate"),
    [
        ("invocations", 9.0),
        ("errors", 1.0),
        ("cacheHits", 5.0),
        ("cacheMisses", 4.0),
        ("subscriptionInvalidations", 2.0),
    ],
)
def test_rates_are_per_minute(metric: str, rate: float) -> None:
    found = ask(backend(query_m_f=numbers(6, 2, 10, 4)), "udf_rate", udfPath="m.js:f", metric=metric)
    assert found == [[TIMES[0], None], [TIMES[1], rate]]


def test_a_kind_tells_functions_of_one_path_apart() -> None:
    both = backend(query_m_f=numbers(2), mutation_m_f=numbers(8))
    for kind, rate in (("Query", 1.0), ("Mutation", 4.0), ("Action", 0.0)):
        series = ask(both, "udf_rate", udfPath="m:f", udfType=kind, metric="invocations")
        assert series[1][1] == rate
    assert ask(both, "udf_rate", udfPath="m:f", metric="invocations")[1][1] == 5.0


def test_an_http_action_is_named_by_method_and_route() -> None:
    made = FakeBackend()
    made.metrics.numbers["POST /pay", "httpAction"] = numbers(2)
    assert ask(made, "udf_rate", udfPath="POST /pay", udfType="HttpAction", metric="invocations")[1][1] == 1.0


def test_nothing_is_known_of_a_function_that_nobody_called() -> None:
    assert ask(FakeBackend(), "udf_rate", udfPath="m:f", metric="errors")[1][1] == 0.0
    assert ask(FakeBackend(), "cache_hit_percentage", udfPath="m:f")[1][1] is None
    assert ask(FakeBackend(), "latency_percentiles", udfPath="m:f", percentiles="[50]")[0][1][1][1] is None


def test_hits_are_a_share_of_calls() -> None:
    found = ask(backend(query_m_f=numbers(1, 0, 3)), "cache_hit_percentage", udfPath="m:f")
    assert found == [[TIMES[0], None], [TIMES[1], 75.0]]


def test_percentiles_stand_within_their_bucket() -> None:
    made = backend(query_m_f=numbers(100, b3=90, b9=10))
    found = ask(made, "latency_percentiles", udfPath="m:f", percentiles="[50, 95, 100]")
    assert [each[0] for each in found] == [50, 95, 100]
    half, most, all_ = (each[1][1][1] for each in found)
    assert SECONDS[2] < half < SECONDS[3]
    assert SECONDS[8] < most < SECONDS[9]
    assert all_ == SECONDS[9]


def test_runs_above_the_last_bound_stand_at_it() -> None:
    slow = backend(**{"action_m_f": numbers(1, **{f"b{len(SECONDS)}": 1})})
    assert ask(slow, "latency_percentiles", udfPath="m:f", percentiles="[50]")[0][1][1][1] == SECONDS[-1]


def test_the_top_are_named_and_the_rest_is_one() -> None:
    made = backend(query_m_a=numbers(2), query_m_b=numbers(8), mutation_m_c=numbers(4), query_m_d=numbers(6))
    found = ask(made, "function_call_count_top_k", k=2)
    assert [(name, series[1][1]) for name, series in found] == [("m:b", 4.0), ("m:d", 3.0), (POOLED, 3.0)]
    assert [series[0] for _, series in found] == [[TIMES[0], None]] * 3


def test_percentages_of_the_rest_are_of_all_its_calls() -> None:
    made = backend(
        query_m_a=numbers(0, 5), query_m_b=numbers(5, 5), query_m_c=numbers(9, 1), query_m_d=numbers(20)
    )
    found = ask(made, "failure_percentage_top_k", k=2)
    shown = [(name, series[1][1]) for name, series in found]
    assert shown == [("m:a", 100.0), ("m:b", 50.0), (POOLED, pytest.approx(100 / 30))]


def test_mutations_have_no_share_in_the_cache() -> None:
    made = backend(query_m_a=numbers(1, 0, 1), mutation_m_b=numbers(50))
    assert [name for name, _ in ask(made, "cache_hit_percentage_top_k")] == ["m:a"]


def test_what_never_happened_is_not_among_the_top() -> None:
    assert ask(FakeBackend(), "subscription_invalidations_top_k") == []
    (rest,) = ask(backend(query_m_a=numbers(3)), "subscription_invalidations_top_k")
    assert (rest[0], rest[1][1][1]) == (POOLED, 0.0)


def test_tables_are_counted_where_they_are_written() -> None:
    made = FakeBackend()
    made.metrics.writes["notes"] = 6.0
    assert ask(made, "table_rate", name="notes", metric="rowsWritten")[1][1] == 3.0
    assert ask(made, "table_rate", name="notes", metric="rowsRead") == [[time, None] for time in TIMES]


def test_moments_are_shown_as_they_were_sampled() -> None:
    made = FakeBackend()
    made.metrics.moments.update({"lag": 2.5, "action running": 3.0})
    assert ask(made, "scheduled_job_lag") == [[TIMES[0], None], [TIMES[1], 2.5]]
    assert dict(ask(made, "function_concurrency"))["action running"][1][1] == 3.0


@pytest.mark.parametrize(
    "window",
    [
        "",
        "{}",
        "[" * 5000,
        json.dumps(WINDOW | {"num_buckets": 0}),
        json.dumps(WINDOW | {"num_buckets": BUCKETS_MAX + 1}),
        json.dumps(WINDOW | {"end": WINDOW["start"]}),
        json.dumps(WINDOW | {"start": {"secs_since_epoch": -5}}),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_window_that_makes_no_sense_is_refused(name: str, window: str) -> None:
    response = caller(FakeBackend()).get(f"/api/app_metrics/{name}", params={"window": window}, headers=ADMIN)
    assert "window" in assert_error(response, 400, "BadQueryParameter")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("udf_rate", {"udfPath": "m:f", "metric": "no"}),
        ("udf_rate", {"metric": "errors"}),
        ("latency_percentiles", {"udfPath": "m:f", "percentiles": "[101]"}),
        ("latency_percentiles", {"udfPath": "m:f", "percentiles": "x"}),
        ("latency_percentiles", {"udfPath": "m:f", "percentiles": "[]"}),
        ("function_call_count_top_k", {"k": "0"}),
        ("function_call_count_top_k", {"k": "26"}),
        ("function_call_count_top_k", {"k": "9" * 5000}),
        ("table_rate", {"name": "notes", "metric": "no"}),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(name: str, parameters: dict[str, str]) -> None:
    query = {"window": json.dumps(WINDOW)} | parameters
    response = caller(FakeBackend()).get(f"/api/app_metrics/{name}", params=query, headers=ADMIN)
    assert_error(response, 400, "BadQueryParameter")


@pytest.mark.parametrize("name", NAMES)
def test_charts_are_for_keys_that_may_read(name: str) -> None:
    path = f"/api/app_metrics/{name}"
    assert_error(caller(FakeBackend()).get(path), 403, "BadDeployKey")
    assert caller(FakeBackend()).get(path, headers=SCOPED[Scope.DEPLOY]).status_code == 403
