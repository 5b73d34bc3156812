"""Metrics: what a deployment tells of its work, gathered when somebody asks.

Floor 5, `deployment`. Counters are in `rewake.tallies`; what is true only at the moment (queues, sizes,
processes) is looked up here, outside any call's path.

    page(accept)            -> everything, in the text form of Prometheus
    functions(window)       -> the numbers of each function in each bucket, for charts
    sample()                -> once a minute, by housekeeping

Not here: names and texts (`metrics_page.py`), who may read them (`http_api`).
Source: wire 7.2.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rewake.database import CRONS, SCHEDULED_FUNCTIONS, Database, Snapshot, Table, due_jobs
from rewake.deployment.metric_facts import DUE_MAX, Backlog, DoorFigures, Facts, Stored
from rewake.deployment.processes import process_figures
from rewake.deployment.time_series import Numbers, TimeSeries, Window
from rewake.deployment.under_way import CallsUnderWay
from rewake.errors import RewakeError
from rewake.execution import (
    SYSTEM_PREFIX,
    Analysis,
    CallLog,
    CallRecord,
    GroupReport,
    Runner,
    Visibility,
    system_registry,
)
from rewake.reactivity import LiveFigures
from rewake.tallies import FunctionTally, Tallies

T = TypeVar("T")

_METHOD_LENGTH_MAX = 20

FunctionKey = tuple[str, str]
"""Name and kind."""


class Live(Protocol):
    """What is asked of live queries."""

    def figures(self) -> LiveFigures:
        """How much there is to keep true."""
        ...


class House(Protocol):
    """What is asked of the deployment."""

    deployment_name: str
    server_version: str

    async def look(self, work: Callable[[Snapshot], T]) -> T:
        """Run a short read of the latest snapshot."""
        ...

    @property
    def live(self) -> Live:
        """Live queries."""
        ...


class Metrics:
    """The metrics of one deployment. Used in its event loop."""

    def __init__(
        self,
        house: House,
        runner: Runner,
        database: Database,
        tallies: Tallies,
        *,
        calls: Sequence[CallsUnderWay],
        call_log: CallLog,
    ) -> None:
        self._house = house
        self._runner = runner
        self._calls = calls
        self._database = database
        self._clock = database.environment.clock
        self.tallies = tallies
        tallies.naming = lambda path, kind: public_name(path, kind, runner.analysis)
        self._call_log = call_log
        call_log.listen(self._on_runs)
        self._doors: list[Callable[[], DoorFigures]] = []
        self._functions: TimeSeries[FunctionKey] = TimeSeries(self._now())
        self._tables: TimeSeries[int] = TimeSeries(self._now())
        # Of what is true only at the moment: sums of what was sampled, and how often it was.
        self._moments: TimeSeries[str] = TimeSeries(self._now())
        self._moment_totals: dict[str, Numbers] = {}

    def watch_door(self, door: Callable[[], DoorFigures]) -> None:
        """Have what a server knows shown, too."""
        self._doors.append(door)

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """The page of metrics and its content type, in the form that `accept` asks for."""
        # Here, because it takes a while to load, and most processes never do.
        from rewake.deployment.metrics_page import render

        facts = await self._facts()
        return await asyncio.to_thread(render, facts, accept)

    # What is told.

    def on_group(self, report: GroupReport) -> None:
        """Hear of a commit group."""
        tallies = self.tallies
        if report.mutations:
            tallies.group_sizes.observe(report.mutations)
        if report.rows and report.commit_seconds:
            tallies.commit_seconds.observe(report.commit_seconds)
        for row in report.rows:
            for write in row.writes:
                tallies.rows_written[write.tablet] += 1

    def _on_runs(self, records: Sequence[CallRecord]) -> None:
        """Hear of runs, in their thread."""
        self.tallies.ran(
            [
                (
                    record.path,
                    "httpAction" if record.is_http else record.kind,
                    record.seconds,
                    record.error is not None,
                )
                for record in records
            ]
        )

    # Charts.

    async def sample(self) -> None:
        """Keep what happened in the last minute, once that is over."""
        now = self._now()
        if not self._functions.is_due(now):
            return
        self._functions.sample(self._function_totals(), now)
        self._tables.sample(self._table_totals(), now)
        await self._sample_moment()
        self._moments.sample(self._moment_totals, now)

    def functions(self, window: Window) -> list[dict[FunctionKey, Numbers] | None]:
        """What each function did in each bucket of `window`: successes, failures, hits, invalidations, and
        then runs by duration (`tallies.SECONDS`).
        """
        return self._functions.window(window, self._function_totals(), self._now())

    def sampled(self, name: str, window: Window) -> list[float | None]:
        """The mean of what was sampled in each bucket: `lag` of scheduled functions in seconds, and how many
        `query running`, `query queued` and so on for each kind.
        """
        buckets = self._moments.window(window, self._moment_totals, self._now())
        return [None if bucket is None else _mean(bucket.get(name)) for bucket in buckets]

    async def written(self, table: str, window: Window) -> list[float | None]:
        """Documents of `table` that were written in each bucket."""
        names = await self._house.look(_table_names)
        tablets = {tablet for tablet, name in names.items() if name == table}
        buckets = self._tables.window(window, self._table_totals(), self._now())
        return [
            None if bucket is None else sum(bucket.get(tablet, (0.0,))[0] for tablet in tablets)
            for bucket in buckets
        ]

    # Gathering.

    async def _facts(self) -> Facts:
        path = self._database.engine.path
        runner = self._runner.figures()
        processes, data_bytes, wal_bytes = await asyncio.to_thread(
            lambda: (
                process_figures([(worker.role, worker.pid) for worker in runner.workers]),
                _size_of(str(path)),
                _size_of(f"{path}-wal"),
            )
        )
        doors = [door() for door in self._doors]
        refused: Counter[str] = Counter()
        for door in doors:
            refused.update(door.refused)
        return Facts(
            name=self._house.deployment_name,
            version=self._house.server_version,
            now_ns=self._clock.now_ns(),
            tallies=self.tallies,
            runner=runner,
            live=self._house.live.figures(),
            door=DoorFigures(
                sum(door.sockets for door in doors), sum(door.connections for door in doors), refused
            ),
            under_way=self._under_way(),
            processes=processes,
            data_bytes=data_bytes,
            wal_bytes=wal_bytes,
            call_log_entries=len(self._call_log.after(0)),
            stored=await self._stored(),
        )

    async def _stored(self) -> Stored | None:
        now_ms = self._clock.now_ns() / 1e6

        def look(snapshot: Snapshot) -> Stored:
            backlogs = {
                name: _backlog(snapshot, table, now_ms)
                for name, table in (("functions", SCHEDULED_FUNCTIONS), ("crons", CRONS))
            }
            return Stored(backlogs, _table_names(snapshot), snapshot.log_bytes, snapshot.log_floor_ts)

        try:
            return await self._house.look(look)
        except RewakeError:
            return None  # Whoever watches a server with a broken disk should still see the rest.

    async def _sample_moment(self) -> None:
        stored = await self._stored()
        if stored is not None:
            self._sample("lag", stored.backlogs["functions"].lag_seconds)
        runner, under_way = self._runner.figures(), self._under_way()
        # The writer runs one at a time.
        writing = min(1, runner.mutations_queued)
        self._sample("query running", under_way["queries"])
        self._sample("query queued", 0)
        self._sample("mutation running", writing)
        self._sample("mutation queued", runner.mutations_queued - writing)
        self._sample("action running", runner.actions_running)
        self._sample("action queued", runner.actions_queued)

    def _sample(self, name: str, value: float) -> None:
        total, count = self._moment_totals.get(name, (0.0, 0.0))
        self._moment_totals[name] = (total + value, count + 1.0)

    def _under_way(self) -> dict[str, int]:
        return {calls.kind: calls.count for calls in self._calls}

    def _function_totals(self) -> dict[FunctionKey, Numbers]:
        return {(tally.name, tally.kind): _numbers(tally) for tally in self.tallies.functions()}

    def _table_totals(self) -> dict[int, Numbers]:
        return {tablet: (float(count),) for tablet, count in self.tallies.rows_written.items()}

    def _now(self) -> float:
        return self._clock.now_ns() / 1e9


def public_name(path: str, kind: str, analysis: Analysis) -> str | None:
    """The one name of the function that a path means in any spelling; None where there is none of that kind.

    Of HTTP actions it is the method and the path of the route.
    """
    if kind == "httpAction":
        method, _, route = path.partition(" ")
        shown = {facts.to_spec()["path"] for facts in analysis.routes or ()}
        return path if route in shown and method.isalpha() and len(method) <= _METHOD_LENGTH_MAX else None
    functions = system_registry() if path.startswith(SYSTEM_PREFIX) else analysis
    try:
        found = functions.find(path, Visibility.INTERNAL)
    except RewakeError:
        return None
    return found.path.public if found.kind == kind else None


def _numbers(tally: FunctionTally) -> Numbers:
    counts = (tally.successes, tally.failures, tally.hits, tally.invalidations, *tally.seconds.counts)
    return tuple(map(float, counts))


def _mean(sampled: Numbers | None) -> float | None:
    """The mean of a sum and how many were summed up; None without any."""
    return None if sampled is None or not sampled[1] else sampled[0] / sampled[1]


def _backlog(snapshot: Snapshot, table: Table, now_ms: float) -> Backlog:
    due = due_jobs(snapshot.reads, until_ms=now_ms, limit=DUE_MAX, backlog=table)
    return Backlog(len(due), max(0.0, now_ms - due[0].due_ms) / 1e3 if due else 0.0)


def _table_names(snapshot: Snapshot) -> dict[int, str]:
    return {table.tablet: table.name for table in snapshot.catalog.user_tables()}


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
