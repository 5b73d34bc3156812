"""Traced calls: mutations and actions on their way to the runner, within a span each.

Floor 3, `execution`. Stands in front of the runner only where traces are wanted. The span's parent is what
the request brought (`RequestSource.trace`: an action's own span, for what it calls), or else the current one;
and the run in its worker is told of this span as its own parent.

    mutate(job) -> span "mutation messages:send" -> runner.mutate(job with the span in its source)

Not here: the span of the run itself (`function_runs.py`, `action_run.py`), of a request (`http_api`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from rewake.execution.calls import Failure, MutationOutcome, RequestSource, Success
from rewake.execution.http_exchange import HttpJob
from rewake.execution.runner import ActionJob, MutationJob
from rewake.tracing import Tracing, mark_failed

J = TypeVar("J", MutationJob, ActionJob)

FAILED = "function_failed"
"""What a span says of a run that came to a failure: whose text may quote arguments."""


class Runs(Protocol):
    """The runner, as far as it is asked here."""

    def mutate(self, job: MutationJob) -> Awaitable[MutationOutcome]:
        """Run one mutation."""
        ...

    async def act(self, job: ActionJob) -> Success | Failure:
        """Run one action."""
        ...


class TracedCalls:
    """Mutations and actions of one deployment."""

    def __init__(self, runner: Runs, tracing: Tracing) -> None:
        self._runner = runner
        self._tracing = tracing

    async def mutate(self, job: MutationJob) -> MutationOutcome:
        """As `Runner.mutate`."""
        with self._within("mutation", job) as (span, traced):
            outcome = await self._runner.mutate(traced)
            note_result(span, outcome.result)
            return outcome

    async def act(self, job: ActionJob) -> Success | Failure:
        """As `Runner.act`."""
        kind = "http action" if isinstance(job, HttpJob) else "action"
        with self._within(kind, job) as (span, traced):
            result = await self._runner.act(traced)
            note_result(span, result)
            return result

    @contextmanager
    def _within(self, kind: str, job: J) -> Iterator[tuple[Any, J]]:
        parent = job.source.trace
        has_parent = bool(parent or self._tracing.current())
        # The path of an HTTP request may hold what only its sender should know.
        name = kind if isinstance(job, HttpJob) else f"{kind} {job.call.path[:200]}"
        attributes = {"rewake.function.kind": kind, "rewake.request_id": job.request_id}
        if job.scheduled:
            attributes["rewake.scheduled_id"] = job.scheduled
        with self._tracing.span(name, parent=parent, is_door=not has_parent, attributes=attributes) as span:
            source: RequestSource = msgspec.structs.replace(job.source, trace=self._tracing.current())
            yield span, replace(job, source=source)


def note_result(span: Any, result: Success | Failure) -> None:
    """Mark the span of a run that came to a failure."""
    if isinstance(result, Failure):
        mark_failed(span, FAILED)
