"""Tracing: spans of OpenTelemetry, where an operator wants them.

Floor 0. Off, it costs a look at one attribute, and nothing of OpenTelemetry is loaded. On, spans begin at the
door and go on in worker processes: what crosses a pipe is the text of a `traceparent`.

    tracing_from(environ, ...) -> Tracing.span(name, parent=...) -> current() -> text -> span(parent=text)

Each process has a provider of its own, made after the fork: threads that send spans do not survive one. Spans
tell names of functions and kinds of errors; never arguments, results, tokens or keys.

Source: W3C Trace Context, 3.2; OpenTelemetry, environment variables and semantic conventions for code.
Not here: what is worth a span (`execution`, `http_api`).
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_log = logging.getLogger(__name__)

_WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
_FLUSH_MS = 2000


class Tracing:
    """The spans of one process. Without a provider it is off, and its spans are nothing."""

    def __init__(self, provider: Any = None) -> None:
        """`provider` is a `TracerProvider` of the SDK."""
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("rewake")
        self.is_on = provider is not None
        """Whether anybody wants spans."""

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        links: Sequence[str] = (),
        is_door: bool = False,
        attributes: Mapping[str, str | int | float] | None = None,
    ) -> Iterator[Any]:
        """Do something within a span, which is the current one meanwhile; gives it, or None where this is
        off.

        `parent` is a `traceparent`; empty: the current span, if there is one. `is_door` is where a request
        comes in. An exception that passes marks the span as failed, by its class alone.
        """
        if self._tracer is None:
            yield None
            return
        from opentelemetry import trace

        kind = trace.SpanKind.SERVER if is_door else trace.SpanKind.INTERNAL
        linked = [trace.Link(found) for found in map(_context_of, links) if found is not None]
        above = _context_of(parent) if parent else None
        context = None if above is None else trace.set_span_in_context(trace.NonRecordingSpan(above))
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            links=linked,
            attributes=attributes,
            # Texts of exceptions quote arguments.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                mark_failed(span, type(error).__name__)
                raise

    def current(self) -> str:
        """The current span as a `traceparent`; empty where there is none, or this is off."""
        if self._tracer is None:
            return ""
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return ""
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"

    def share(self) -> None:
        """Let code of authors that asks OpenTelemetry for a tracer have ours, unless it has made its own."""
        if self._provider is None:
            return
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        if not isinstance(trace.get_tracer_provider(), TracerProvider):
            trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Send what was not sent yet."""
        if self._provider is not None:
            self._provider.force_flush(_FLUSH_MS)
            self._provider.shutdown()


NO_TRACING = Tracing()
"""Off. Holds nothing, so it may be shared."""


def mark_failed(span: Any, kind: str) -> None:
    """Mark a span as failed by something of this kind. Does nothing without a span."""
    if span is None:
        return
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def tracing_from(
    environ: Mapping[str, str], *, service: str, role: str, random_bytes: Callable[[int], bytes]
) -> Tracing:
    """Tracing as the variables of OpenTelemetry ask for it; off where they do not.

    `service` is the name of the deployment, over which `OTEL_SERVICE_NAME` goes; `role` is the process; ids
    are made of `random_bytes`.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_disabled or exporter == "none" or not any(environ.get(name, "").strip() for name in _WANTED):
        return NO_TRACING
    if exporter not in ("", "otlp"):
        _log.warning("OTEL_TRACES_EXPORTER=%s is not known here; traces are sent by otlp only", exporter)
        return NO_TRACING
    if importlib.util.find_spec("opentelemetry") is None or not _has_sdk():
        _log.warning("traces are wanted and not sent: install them with `pip install 'rewake[otel]'`")
        return NO_TRACING
    return Tracing(_provider(environ.get("OTEL_SERVICE_NAME", "").strip() or service, role, random_bytes))


def _has_sdk() -> bool:
    wanted = ("opentelemetry.sdk", "opentelemetry.exporter")
    return all(importlib.util.find_spec(name) is not None for name in wanted)


def _provider(service: str, role: str, random_bytes: Callable[[int], bytes]) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Unguessed(IdGenerator):
        """Forks of one process must not make the same ids, and random numbers of workers are held."""

        def generate_span_id(self) -> int:
            return int.from_bytes(random_bytes(8)) or 1

        def generate_trace_id(self) -> int:
            return int.from_bytes(random_bytes(16)) or 1

    resource = Resource.create(
        {"service.name": service, "process.pid": os.getpid(), "rewake.process.role": role}
    )
    provider = TracerProvider(resource=resource, id_generator=Unguessed(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _context_of(traceparent: str) -> Any:
    """What a `traceparent` tells; None where it tells nothing (W3C Trace Context, 3.2.2)."""
    from opentelemetry.trace import SpanContext, TraceFlags

    parts = traceparent.strip().split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return None
    try:
        trace_id, span_id, flags = (int(part, 16) for part in parts[1:4])
    except ValueError:
        return None
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & 1))
    return context if context.is_valid else None
