"""Traced waves: queries on their way to readers, within the span of who asks.

Floor 3, `execution`. Stands in front of the runner only where traces are wanted. Each run is told of the
current span as its parent: that of the request that asks. Where there is none it is a wave of live queries,
which has a span of its own until it is closed, since it runs for many and belongs to nobody's request.

    open_wave(jobs) -> (span "wave") -> runner.open_wave(jobs, told of the span) -> close -> (end of the span)

Not here: the span of a run itself (`function_runs.py`), of a request (`http_api`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import ExitStack
from typing import Protocol

from msgspec.structs import replace

from rewake.environment import Clock
from rewake.execution.lanes import WAVES, Lane
from rewake.execution.runner import QueryJob, QueryRun, Wave, asked_by_wave
from rewake.tracing import Tracing


class Readers(Protocol):
    """The runner, as far as queries are concerned."""

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> Wave:
        """Take a snapshot and run queries on it."""
        ...

    def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> Awaitable[tuple[QueryRun, int]]:
        """Run one query on the latest snapshot; gives its timestamp, too."""
        ...

    def code_hash(self, path: str) -> str | None:
        """The hash of the code that serves `path` now."""
        ...


class TracedWaves:
    """The queries of one deployment. Implements `Readers`."""

    def __init__(self, readers: Readers, tracing: Tracing, *, clock: Clock) -> None:
        self._readers = readers
        self._tracing = tracing
        self._clock = clock

    def code_hash(self, path: str) -> str | None:
        """As `Runner.code_hash`."""
        return self._readers.code_hash(path)

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> Wave:
        """As `Runner.open_wave`. Who opened a wave closes it, in the same task."""
        with ExitStack() as spans:
            if not self._tracing.current():
                spans.enter_context(self._tracing.span("wave", attributes={"rewake.wave.queries": len(jobs)}))
            wave = await self._readers.open_wave(self.told(jobs), at=at, lane=lane, is_all=is_all)
            return _TracedWave(self, wave, spans.pop_all())

    async def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> tuple[QueryRun, int]:
        """As `Runner.ask`."""
        return await asked_by_wave(self, job, lane)

    def told(self, jobs: Sequence[QueryJob]) -> list[QueryJob]:
        """The jobs with the span that they belong to."""
        trace, now = self._tracing.current(), self._clock.monotonic()
        return [replace(job, trace=trace, asked_at=now) for job in jobs]


class _TracedWave:
    """A wave, and the span that it may have. Implements `Wave`."""

    def __init__(self, waves: TracedWaves, wave: Wave, spans: ExitStack) -> None:
        self._waves = waves
        self._wave = wave
        self._spans = spans
        self.ts = wave.ts
        self.runs = wave.runs

    async def more(self, jobs: Sequence[QueryJob]) -> Sequence[QueryRun]:
        """As `Wave.more`."""
        return await self._wave.more(self._waves.told(jobs))

    async def close(self) -> None:
        """End the snapshot and the span. Harmless when done before."""
        with self._spans:
            await self._wave.close()
