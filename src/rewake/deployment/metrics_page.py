"""The page of metrics: facts as Prometheus reads them.

Floor 5, `deployment`. Loaded with the first page that somebody asks for. Every name begins with `rewake_`,
has its unit, and ends in `_total` where it only grows; labels take a bounded number of values.

Not here: where the facts come from (`metrics.py`).
Source: Prometheus, "Metric and label naming"; the text exposition format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from rewake.deployment.metric_facts import Facts
from rewake.tallies import FunctionTally, Histogram, Tallies


def render(facts: Facts, accept: str) -> tuple[bytes, str]:
    """The page, and its content type, in the form that an `Accept` header asks for."""
    # One registry for one page: nothing of it outlives the answer.
    registry = CollectorRegistry()
    registry.register(_Page(facts))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Page(Collector):
    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        facts = self._facts
        yield _gauge(
            "rewake_info",
            "The server, by version.",
            ("deployment", "version"),
            {(facts.name, facts.version): 1.0},
        )
        yield from _functions(facts.tallies.functions())
        yield from _writer(facts)
        yield from _live(facts)
        yield from _doors(facts)
        yield from _calls(facts)
        yield from _processes(facts)
        yield from _stored(facts)


def _functions(tallies: list[FunctionTally]) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "rewake_function_runs", "Function runs.", labels=("function", "kind", "outcome")
    )
    seconds = HistogramMetricFamily(
        "rewake_function_run_seconds", "How long function runs took.", labels=("function", "kind")
    )
    hits = CounterMetricFamily(
        "rewake_query_cache_hits", "Queries that were answered without a run.", labels=("function",)
    )
    misses = CounterMetricFamily("rewake_query_cache_misses", "Runs of queries.", labels=("function",))
    stale = CounterMetricFamily(
        "rewake_live_query_invalidations",
        "How often a commit made a result stale that live queries show.",
        labels=("function",),
    )
    for tally in tallies:
        runs.add_metric((tally.name, tally.kind, "success"), tally.successes)
        runs.add_metric((tally.name, tally.kind, "failure"), tally.failures)
        _add_histogram(seconds, (tally.name, tally.kind), tally.seconds)
        if tally.kind == "query":
            hits.add_metric((tally.name,), tally.hits)
            misses.add_metric((tally.name,), tally.successes + tally.failures)
            stale.add_metric((tally.name,), tally.invalidations)
    yield from (runs, seconds, hits, misses, stale)


def _writer(facts: Facts) -> Iterator[Metric]:
    tallies = facts.tallies
    yield _histogram(
        "rewake_commit_group_mutations", "Mutations that shared one commit.", tallies.group_sizes
    )
    yield _histogram(
        "rewake_commit_seconds",
        "How long COMMIT took, most of it waiting for the disk.",
        tallies.commit_seconds,
    )
    written = CounterMetricFamily("rewake_documents_written", "Documents written.", labels=("table",))
    if facts.stored is not None:
        by_table: dict[str, int] = {}
        for tablet, count in list(tallies.rows_written.items()):
            name = facts.stored.tables.get(tablet, "_system")
            by_table[name] = by_table.get(name, 0) + count
        for name, count in sorted(by_table.items()):
            written.add_metric((name,), count)
    yield written


def _live(facts: Facts) -> Iterator[Metric]:
    live = facts.live
    yield _gauge("rewake_live_subscriptions", "Live queries of all clients.", (), {(): live.subscriptions})
    yield _gauge(
        "rewake_live_queries", "Different live queries: the same one is run once.", (), {(): live.queries}
    )
    yield _gauge("rewake_live_queries_stale", "Live queries that wait for a run.", (), {(): live.stale})
    yield _gauge("rewake_query_cache_entries", "Results kept for the next reader.", (), {(): live.cached})
    yield _gauge("rewake_query_cache_bytes", "About what those take.", (), {(): live.cached_bytes})
    yield _histogram(
        "rewake_wave_seconds",
        "From the beginning of a wave of live queries until its results were handed to the sockets.",
        facts.tallies.wave_seconds,
    )


def _doors(facts: Facts) -> Iterator[Metric]:
    tallies, door = facts.tallies, facts.door
    yield _gauge("rewake_sync_sockets", "Open websockets of clients.", (), {(): door.sockets})
    yield _gauge("rewake_http_connections", "Open plain connections.", (), {(): door.connections})
    yield _counter("rewake_sync_sockets_opened", "Websockets opened.", (), {(): tallies.sockets_opened})
    yield _counter(
        "rewake_sync_sockets_closed",
        "Websockets that ended, by reason.",
        ("reason",),
        {(reason,): count for reason, count in sorted(tallies.sockets_closed.items())},
    )
    yield _counter("rewake_sync_transitions", "Transitions to clients.", (), {(): tallies.transitions})
    yield _counter("rewake_sync_messages_sent", "Messages to clients.", (), {(): tallies.messages_sent})
    yield _counter("rewake_sync_bytes_sent", "Bytes of messages to clients.", (), {(): tallies.bytes_sent})
    yield _counter(
        "rewake_http_responses",
        "HTTP responses, by status.",
        ("status",),
        {(str(status),): count for status, count in sorted(tallies.responses.items())},
    )
    refused: dict[tuple[str, ...], float] = dict(sorted(tallies.refusals.items()))
    refused |= {("connection", setting): count for setting, count in sorted(door.refused.items())}
    yield _counter(
        "rewake_refusals", "What was turned away, by door and reason.", ("door", "reason"), refused
    )


def _calls(facts: Facts) -> Iterator[Metric]:
    runner = facts.runner
    yield _gauge(
        "rewake_calls_under_way",
        "Calls taken on and not yet answered.",
        ("kind",),
        {(kind,): count for kind, count in facts.under_way.items()},
    )
    yield _gauge(
        "rewake_writer_queue",
        "Mutations and steps handed to the writer and not yet told.",
        (),
        {(): runner.mutations_queued},
    )
    waits = HistogramMetricFamily(
        "rewake_queue_wait_seconds",
        "How long mutations waited for the writer, queries and waves for a reader, requests for the front.",
        labels=("queue",),
    )
    for queue, histogram in sorted(runner.waits.items()):
        _add_histogram(waits, (queue,), histogram)
    _add_histogram(waits, ("front",), facts.tallies.front_waits)
    yield waits
    yield _gauge("rewake_actions_running", "Actions that run.", (), {(): runner.actions_running})
    yield _gauge("rewake_actions_queued", "Actions that wait for a place.", (), {(): runner.actions_queued})
    yield _gauge(
        "rewake_call_log_entries",
        "Runs and lines kept for whoever follows the log.",
        (),
        {(): facts.call_log_entries},
    )
    if facts.stored is not None:
        backlogs = sorted(facts.stored.backlogs.items())
        yield _gauge(
            "rewake_scheduled_jobs_due",
            "Jobs that are due and have not begun; counted up to 1000.",
            ("backlog",),
            {(name,): backlog.due for name, backlog in backlogs},
        )
        yield _gauge(
            "rewake_scheduled_job_lag_seconds",
            "How long the first job that has not begun has been due.",
            ("backlog",),
            {(name,): backlog.lag_seconds for name, backlog in backlogs},
        )


def _processes(facts: Facts) -> Iterator[Metric]:
    roles = {(each.role,): each for each in facts.processes}
    yield _gauge(
        "rewake_worker_processes",
        "Worker processes.",
        ("role",),
        {role: each.count for role, each in roles.items()},
    )
    yield _gauge(
        "rewake_worker_resident_memory_bytes",
        "Their resident memory, summed up.",
        ("role",),
        {role: each.resident_bytes for role, each in roles.items()},
    )
    yield _gauge(
        "rewake_worker_open_fds",
        "Their open file descriptors, summed up.",
        ("role",),
        {role: each.open_files for role, each in roles.items()},
    )
    yield _counter(
        "rewake_worker_deaths",
        "Worker processes that ended unasked.",
        ("role",),
        {(role,): count for role, count in sorted(facts.tallies.deaths.items())},
    )


def _stored(facts: Facts) -> Iterator[Metric]:
    yield _gauge("rewake_data_file_bytes", "Size of the data file.", (), {(): facts.data_bytes})
    yield _gauge("rewake_write_ahead_log_bytes", "Size of its write-ahead log.", (), {(): facts.wal_bytes})
    yield _gauge(
        "rewake_deployed_timestamp_seconds",
        "When the code that serves began to.",
        (),
        {(): facts.tallies.deployed_ns / 1e9},
    )
    if facts.stored is not None:
        yield _gauge(
            "rewake_commit_log_bytes",
            "Size of the commit log that is kept.",
            (),
            {(): facts.stored.log_bytes},
        )
    yield from _files(facts.tallies)


def _files(tallies: Tallies) -> Iterator[Metric]:
    yield _counter(
        "rewake_file_bytes_received",
        "Bytes of files that were stored.",
        (),
        {(): tallies.file_bytes_received},
    )
    yield _counter(
        "rewake_file_bytes_sent", "Bytes of files that were sent.", (), {(): tallies.file_bytes_sent}
    )


def _gauge(
    name: str, text: str, labels: tuple[str, ...], values: dict[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(
    name: str, text: str, labels: tuple[str, ...], values: dict[tuple[str, ...], float]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=())
    _add_histogram(family, (), histogram)
    return family


def _add_histogram(family: HistogramMetricFamily, labels: tuple[str, ...], histogram: Histogram) -> None:
    # A copy: another thread may add to it meanwhile, and the sums below must agree with each other.
    counts, total = list(histogram.counts), histogram.total
    buckets, below = [], 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), counts, strict=True):
        below += count
        buckets.append((bound, below))
    family.add_metric(labels, buckets, total)
