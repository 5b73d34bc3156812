"""Runs of queries are told whose they are; a wave that is nobody's has a span of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rewake.auth import ANONYMOUS
from rewake.environment import SystemClock
from rewake.execution import WAVES, FunctionCall, Lane, QueryJob, QueryRun, TracedWaves, Visibility, Wave
from rewake.execution.runner import asked_by_wave
from rewake.tracing import Tracing

JOB = QueryJob(FunctionCall("m:f", "{}"), ANONYMOUS.fingerprint, Visibility.PUBLIC)


@dataclass
class Open:
    """A wave that keeps what it was asked."""

    seen: list[QueryJob]
    ts: int = 7
    runs: Sequence[QueryRun] = ()
    is_open: bool = True

    async def more(self, jobs: Sequence[QueryJob]) -> list[QueryRun]:
        self.seen += jobs
        return []

    async def close(self) -> None:
        self.is_open = False


@dataclass
class Runner:
    """Gives one wave, or fails."""

    trouble: Exception | None = None
    seen: list[QueryJob] = field(default_factory=list)
    waves: list[Open] = field(default_factory=list)

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> Wave:
        if self.trouble is not None:
            raise self.trouble
        self.seen += jobs
        self.waves.append(Open(self.seen))
        return self.waves[-1]

    async def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> tuple[QueryRun, int]:
        return await asked_by_wave(self, job, lane)

    def code_hash(self, path: str) -> str | None:
        return f"hash of {path}"


def made(runner: Runner) -> tuple[TracedWaves, Tracing, InMemorySpanExporter]:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing = Tracing(provider)
    return TracedWaves(runner, tracing, clock=SystemClock()), tracing, kept


def test_a_wave_of_nobodys_has_a_span_until_it_is_closed() -> None:
    runner = Runner()
    waves, tracing, kept = made(runner)

    async def run() -> None:
        wave = await waves.open_wave([JOB, JOB])
        assert (wave.ts, wave.runs) == (7, ())
        await wave.more([JOB])
        assert kept.get_finished_spans() == ()
        await wave.close()
        await wave.close()
        assert tracing.current() == "", "the span is the current one no longer"

    asyncio.run(run())
    (span,) = kept.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == ("wave", {"rewake.wave.queries": 2})
    trace = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert [job.trace for job in runner.seen] == [trace] * 3
    assert all(job.asked_at > 0 for job in runner.seen)
    assert not runner.waves[0].is_open


def test_a_wave_of_a_request_belongs_to_it() -> None:
    runner = Runner()
    waves, tracing, kept = made(runner)

    async def run() -> None:
        with tracing.span("POST"):
            wave = await waves.open_wave([JOB])
            assert [job.trace for job in runner.seen] == [tracing.current()]
            await wave.close()

    asyncio.run(run())
    assert [span.name for span in kept.get_finished_spans()] == ["POST"]


def test_a_wave_that_cannot_be_opened_leaves_no_span_open() -> None:
    waves, tracing, kept = made(Runner(ValueError("hunter2")))

    async def run() -> None:
        with pytest.raises(ValueError, match="hunter2"):
            await waves.open_wave([JOB])
        assert tracing.current() == ""

    asyncio.run(run())
    (span,) = kept.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert "hunter2" not in span.to_json()


def test_which_code_serves_is_asked_of_the_runner() -> None:
    assert made(Runner())[0].code_hash("m:f") == "hash of m:f"
