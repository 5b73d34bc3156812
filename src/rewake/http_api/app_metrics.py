"""Charts: what functions did in each bucket of a stretch of time, as dashboards ask for it.

Floor 6, `http_api`. All of it is for administrators, and comes from the last two hours in memory.

    GET /api/app_metrics/udf_rate ...    ?window={"start": TIME, "end": TIME, "num_buckets": N}
    series = [[TIME, number | null], ...]          TIME = {"secs_since_epoch", "nanos_since_epoch"}

Counts are per minute, whatever the width of a bucket; null says that nothing is known of that time. Of
documents only writing is counted by table.

Source: wire 7.2. Not here: where the numbers come from (`deployment/metrics.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.deployment import Window
from rewake.errors import InvalidInput
from rewake.http_api.authorization import require_admin
from rewake.http_api.errors import BadParameter
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response
from rewake.protocol import FunctionPath
from rewake.tallies import POOLED, SECONDS

BUCKETS_MAX = 1440
TOP_MAX = 25
_TOP_USUAL = 5
_MINUTE = 60.0
_KINDS = {"query": "query", "mutation": "mutation", "action": "action", "httpaction": "httpAction"}

Numbers = tuple[float, ...]
_SUCCESSES, _FAILURES, _HITS, _INVALIDATIONS, _FIRST_DURATION = range(5)

Measure = Callable[[Numbers], "float | None"]
"""What a chart shows of the numbers of a bucket; None where they say nothing about it."""


class _Time(msgspec.Struct):
    secs_since_epoch: int
    nanos_since_epoch: int = 0

    @property
    def seconds(self) -> float:
        return self.secs_since_epoch + self.nanos_since_epoch / 1e9


class _Window(msgspec.Struct):
    start: _Time
    end: _Time
    num_buckets: int


def _runs(numbers: Numbers) -> float:
    return numbers[_SUCCESSES] + numbers[_FAILURES]


def _failure_percentage(numbers: Numbers) -> float | None:
    return _percentage(numbers[_FAILURES], _runs(numbers))


def _hit_percentage(numbers: Numbers) -> float | None:
    return _percentage(numbers[_HITS], numbers[_HITS] + _runs(numbers))


def _percentage(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


_RATES: dict[str, Measure] = {
    # Who is answered from the cache has called, too.
    "invocations": lambda numbers: _runs(numbers) + numbers[_HITS],
    "errors": lambda numbers: numbers[_FAILURES],
    "cacheHits": lambda numbers: numbers[_HITS],
    "cacheMisses": _runs,
    "subscriptionInvalidations": lambda numbers: numbers[_INVALIDATIONS],
}


class AppMetrics:
    """The charts of one deployment."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def udf_rate(self, request: Request) -> Response:
        """`GET udf_rate`: how often something happened to a function, per minute.

        Raises:
            AdminRequired: the caller is not an administrator.
            BadParameter: something else is wrong with the question.
        """
        window = await self._begin(request)
        metric = request.query_params.get("metric", "")
        if metric not in _RATES:
            raise BadParameter(name="metric", detail=f"expected one of {', '.join(_RATES)}.")
        buckets = self._of_function(request, window)
        return _answer(_series(window, [_per_minute(_RATES[metric], each, window) for each in buckets]))

    async def cache_hit_percentage(self, request: Request) -> Response:
        """`GET cache_hit_percentage`. As `udf_rate`."""
        window = await self._begin(request)
        buckets = self._of_function(request, window)
        return _answer(_series(window, [None if each is None else _hit_percentage(each) for each in buckets]))

    async def latency_percentiles(self, request: Request) -> Response:
        """`GET latency_percentiles`: durations of runs in seconds. As `udf_rate`."""
        window = await self._begin(request)
        wanted = _decoded(request, "percentiles", list[float])
        if not wanted or len(wanted) > TOP_MAX or not all(0 <= each <= 100 for each in wanted):
            raise BadParameter(name="percentiles", detail="expected a JSON array of numbers from 0 to 100.")
        buckets = self._of_function(request, window)
        return _answer(
            [[each, _series(window, [_percentile(bucket, each) for bucket in buckets])] for each in wanted]
        )

    async def call_count_top(self, request: Request) -> Response:
        """`GET function_call_count_top_k`. As `udf_rate`, and so are the following."""
        rate = _RATES["invocations"]
        return await self._top(request, rate=rate, rank=rate)

    async def invalidations_top(self, request: Request) -> Response:
        """`GET subscription_invalidations_top_k`."""
        rate = _RATES["subscriptionInvalidations"]
        return await self._top(request, rate=rate, rank=rate)

    async def failure_percentage_top(self, request: Request) -> Response:
        """`GET failure_percentage_top_k`."""
        return await self._top(request, percentage=_failure_percentage, rank=_failure_percentage)

    async def hit_percentage_top(self, request: Request) -> Response:
        """`GET cache_hit_percentage_top_k`: of the queries that ran most in spite of the cache."""
        return await self._top(request, percentage=_hit_percentage, rank=_runs, kind="query")

    async def table_rate(self, request: Request) -> Response:
        """`GET table_rate`: documents written, per minute. What was read is not counted by table: null."""
        window = await self._begin(request)
        name, metric = request.query_params.get("name", ""), request.query_params.get("metric", "")
        if metric not in ("rowsRead", "rowsWritten"):
            raise BadParameter(name="metric", detail="expected one of rowsRead, rowsWritten.")
        if metric == "rowsRead":
            return _answer(_series(window, [None] * window.buckets))
        counts = await self._backend.metrics.written(name, window)
        return _answer(_series(window, [_by_minute(count, window) for count in counts]))

    async def scheduled_job_lag(self, request: Request) -> Response:
        """`GET scheduled_job_lag`: how long the first scheduled function that had not begun had been due."""
        window = await self._begin(request)
        return _answer(_series(window, self._backend.metrics.sampled("lag", window)))

    async def function_concurrency(self, request: Request) -> Response:
        """`GET function_concurrency`: how many calls of each kind ran and waited."""
        window = await self._begin(request)
        kinds, states = ("query", "mutation", "action"), ("running", "queued")
        names = [f"{kind} {state}" for kind in kinds for state in states]
        metrics = self._backend.metrics
        return _answer([[name, _series(window, metrics.sampled(name, window))] for name in names])

    async def _begin(self, request: Request) -> Window:
        await require_admin(self._backend, request, Scope.READ)
        window = _decoded(request, "window", _Window)
        start, end = window.start.seconds, window.end.seconds
        if not 0 <= start < end or not 1 <= window.num_buckets <= BUCKETS_MAX:
            detail = f"expected a start before the end, and 1 to {BUCKETS_MAX} buckets."
            raise BadParameter(name="window", detail=detail)
        return Window(start, end, window.num_buckets)

    def _of_function(self, request: Request, window: Window) -> list[Numbers | None]:
        path = request.query_params.get("udfPath", "")
        if not path:
            raise BadParameter(name="udfPath", detail="expected the path of a function.")
        kind = _KINDS.get(request.query_params.get("udfType", "").lower())
        name = path
        try:
            name = path if "/" in path.partition(" ")[2] else FunctionPath.parse(path).public
        except InvalidInput:
            pass  # Nothing is known of it.

        def matches(key: tuple[str, str]) -> bool:
            return key[0] == name and kind in (None, key[1])

        return [
            None if bucket is None else _sum([each for key, each in bucket.items() if matches(key)])
            for bucket in self._backend.metrics.functions(window)
        ]

    async def _top(
        self,
        request: Request,
        *,
        rank: Measure,
        rate: Measure | None = None,
        percentage: Measure | None = None,
        kind: str | None = None,
    ) -> Response:
        window = await self._begin(request)
        most = _top_count(request)
        buckets = [
            None if bucket is None else _by_name(bucket, kind)
            for bucket in self._backend.metrics.functions(window)
        ]
        names = {name for bucket in buckets if bucket for name in bucket}
        full = [bucket for bucket in buckets if bucket]
        totals = {name: _sum([bucket[name] for bucket in full if name in bucket]) for name in names}
        ranks = {name: rank(totals[name]) or 0 for name in names}
        order = sorted(names - {POOLED}, key=lambda name: (-ranks[name], -_runs(totals[name]), name))
        chosen = [name for name in order[:most] if ranks[name]]
        groups = [(name, {name}) for name in chosen]
        if rest := names - set(chosen):
            groups.append((POOLED, rest))

        def shown(bucket: dict[str, Numbers] | None, members: set[str]) -> float | None:
            if bucket is None:
                return None
            numbers = _sum([bucket[name] for name in members if name in bucket])
            return percentage(numbers) if percentage else _per_minute(rate or rank, numbers, window)

        return _answer(
            [[name, _series(window, [shown(each, members) for each in buckets])] for name, members in groups]
        )


def _top_count(request: Request) -> int:
    text = request.query_params.get("k", str(_TOP_USUAL))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= TOP_MAX:
        raise BadParameter(name="k", detail=f"expected a number from 1 to {TOP_MAX}.")
    return int(text)


def _by_name(bucket: dict[tuple[str, str], Numbers], kind: str | None) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {}
    for (name, its_kind), numbers in bucket.items():
        if kind in (None, its_kind):
            found[name] = _sum([found[name], numbers]) if name in found else numbers
    return found


def _sum(many: Sequence[Numbers]) -> Numbers:
    if not many:
        return (0.0,) * (_FIRST_DURATION + len(SECONDS) + 1)
    return tuple(map(sum, zip(*many, strict=True)))


def _per_minute(measure: Measure, numbers: Numbers | None, window: Window) -> float | None:
    return None if numbers is None else _by_minute(measure(numbers), window)


def _by_minute(count: float | None, window: Window) -> float | None:
    return None if count is None else round(count * _MINUTE / window.width, 6)


def _percentile(numbers: Numbers | None, percentile: float) -> float | None:
    """Where in its bucket the run stands that so many percent are not slower than: as if runs were spread
    evenly in there. None without runs.
    """
    if numbers is None:
        return None
    counts = numbers[_FIRST_DURATION:]
    wanted, below, lower = sum(counts) * percentile / 100, 0.0, 0.0
    if not sum(counts):
        return None
    for bound, count in zip(SECONDS, counts, strict=False):
        if count and below + count >= wanted:
            return lower + (bound - lower) * (wanted - below) / count
        below, lower = below + count, bound
    return SECONDS[-1]


def _series(window: Window, values: Sequence[float | None]) -> list[Any]:
    return [
        [{"secs_since_epoch": int(start), "nanos_since_epoch": round(start % 1 * 1e9) % 1_000_000_000}, value]
        for start, value in zip(window.starts, values, strict=True)
    ]


def _decoded(request: Request, name: str, kind: Any) -> Any:
    text = request.query_params.get(name, "")
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadParameter(name=name, detail=f"expected JSON: {error}.") from None


def _answer(body: Any) -> Response:
    return json_response(msgspec.json.encode(body).decode())
