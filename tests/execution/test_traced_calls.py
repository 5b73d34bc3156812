"""A span around each mutation and action on its way to the runner."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from rewake.auth import ANONYMOUS
from rewake.database import Invocation
from rewake.execution import (
    ActionJob,
    Failure,
    FunctionCall,
    MutationJob,
    MutationOutcome,
    RequestSource,
    Success,
    TracedCalls,
    Visibility,
)
from rewake.tracing import Tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CALL = FunctionCall("m:f", '{"secret":"hunter2"}')
DONE = Success("null")


@dataclass
class Runner:
    """Gives one answer, and keeps what it was asked."""

    result: Success | Failure = DONE
    seen: list[MutationJob | ActionJob] = field(default_factory=list)

    async def mutate(self, job: MutationJob) -> MutationOutcome:
        self.seen.append(job)
        return MutationOutcome(self.result, 7)

    async def act(self, job: ActionJob) -> Success | Failure:
        self.seen.append(job)
        return self.result


def traced(runner: Runner) -> tuple[TracedCalls, InMemorySpanExporter]:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return TracedCalls(runner, Tracing(provider)), kept


def span_of(kept: InMemorySpanExporter) -> ReadableSpan:
    (span,) = kept.get_finished_spans()
    return span


def test_a_mutation_is_told_of_its_span() -> None:
    runner = Runner()
    calls, kept = traced(runner)
    job = MutationJob(CALL, ANONYMOUS, Visibility.PUBLIC, Invocation("i"), "r1")
    assert asyncio.run(calls.mutate(job)).ts == 7
    span = span_of(kept)
    assert (span.name, span.kind) == ("mutation m:f", SpanKind.SERVER)
    assert runner.seen[0].source.trace == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert "hunter2" not in span.to_json()


def test_a_call_of_an_action_is_within_it() -> None:
    calls, kept = traced(Runner())
    job = ActionJob(CALL, ANONYMOUS, Visibility.PUBLIC, "r1", source=RequestSource(trace=PARENT))
    asyncio.run(calls.act(job))
    span = span_of(kept)
    assert (span.name, span.kind) == ("action m:f", SpanKind.INTERNAL)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


def test_a_failure_is_marked_without_its_text() -> None:
    calls, kept = traced(Runner(Failure("Uncaught ValueError: hunter2\n")))
    asyncio.run(calls.act(ActionJob(CALL, ANONYMOUS, Visibility.PUBLIC, "r1", "job7")))
    span = span_of(kept)
    assert not span.status.is_ok
    assert span.attributes is not None
    assert span.attributes["error.type"] == "function_failed"
    assert span.attributes["rewake.scheduled_id"] == "job7"
    assert "hunter2" not in span.to_json()


def test_what_the_runner_raises_passes() -> None:
    class Broken(Runner):
        async def act(self, job: ActionJob) -> Success | Failure:
            raise RuntimeError("hunter2")

    calls, kept = traced(Broken())
    with pytest.raises(RuntimeError):
        asyncio.run(calls.act(ActionJob(CALL, ANONYMOUS, Visibility.PUBLIC, "r1")))
    assert span_of(kept).attributes is not None
    assert "hunter2" not in span_of(kept).to_json()
