"""Spans: off by default, one trace across processes where they are wanted."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rewake import tracing as tracing_module
from rewake.auth import ANONYMOUS, AdminKey
from rewake.cli.json_lines import json_call
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import CallRecord, FunctionCall, Success, Template, WorkerPlan, read_settings
from rewake.http_api import build_app
from rewake.reactivity import LiveResult, Showing
from rewake.tracing import NO_TRACING, Tracing, tracing_from
from rewake.values import encode
from tests.deployment.stage import SCHEMA, load, write_project

REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CHANCE = Environment().random_bytes
SECRET = "hunter2-in-arguments"
CALLS = (
    ("mutation", "add"),
    ("mutation", "fail"),
    ("query", "count"),
    ("query", "refuse"),
    ("action", "work"),
)
FUNCTIONS = """
    from opentelemetry import trace

    from rewake import ActionCtx, MutationCtx, QueryCtx, action, mutation, query
    from .schema import Note

    @mutation
    def add(ctx: MutationCtx, room: str) -> None:
        ctx.db.insert(Note(room=room, n=1))

    @mutation
    def fail(ctx: MutationCtx, room: str) -> None:
        raise ValueError(room)

    @query
    def count(ctx: QueryCtx, room: str) -> int:
        return len(ctx.db.query(Note).collect())

    @query
    def refuse(ctx: QueryCtx, room: str) -> int:
        raise ValueError(room)

    @action
    async def work(ctx: ActionCtx, room: str) -> None:
        with trace.get_tracer("author").start_as_current_span("of the author"):
            await ctx.run_mutation(add, room=room)
            await ctx.run_query(count, room=room)
"""


def made(**environ: str) -> Tracing:
    """The tracing that these variables ask for."""
    return tracing_from(environ, service="quiet-otter-12", role="front", random_bytes=CHANCE)


class Collector:
    """Takes OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.bodies = b""
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.bodies += body
            for resource in request.resource_spans:
                facts = {pair.key: pair.value for pair in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += [
                        {
                            "name": span.name,
                            "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "role": facts["rewake.process.role"].string_value,
                            "service": facts["service.name"].string_value,
                            "is_error": span.status.code == 2,
                            "facts": {pair.key: pair.value for pair in span.attributes},
                        }
                        for span in scope.spans
                    ]

    def one(self, name: str) -> dict[str, Any]:
        """The only span of this name."""
        (found,) = [span for span in self.spans if span["name"] == name]
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server.server_port}")
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


class Watching:
    """Waits for the results of a live query."""

    def __init__(self) -> None:
        self.shown: asyncio.Queue[LiveResult] = asyncio.Queue()

    def begin_wave(self) -> bool:
        return True

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        for _, result in updates:
            self.shown.put_nowait(result)

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        return False

    def fail_wave(self) -> None:
        raise AssertionError("a wave failed")


def play(root: Path, *, in_processes: bool) -> list[CallRecord]:
    """Call mutations, queries and an action over HTTP, as a caller that traces, while somebody watches. Gives
    the records of all runs.
    """
    write_project(root, schema=SCHEMA, notes=FUNCTIONS)

    async def run() -> list[CallRecord]:
        settings = read_settings(root)
        template = await Template.load(settings) if in_processes else None
        deployment = await Deployment.open(
            data=root / "data.sqlite3",
            registry=None if in_processes else load(root),
            workers=None if template is None else WorkerPlan(template, 1),
            name="quiet-otter-12",
            version="0",
            admin_key=AdminKey("test|aa"),
            tracing=tracing_from(
                {"OTEL_TRACES_EXPORTER": "otlp"}, service="quiet-otter-12", role="front", random_bytes=CHANCE
            ),
        )
        try:
            transport = httpx.ASGITransport(app=build_app(deployment))
            async with httpx.AsyncClient(transport=transport, base_url="http://deployment.test") as client:
                for kind, path in CALLS:
                    body = {"path": f"notes:{path}", "args": {"room": SECRET}}
                    answer = await client.post(f"/api/{kind}", json=body, headers={"traceparent": REMOTE})
                    wanted = "error" if path in ("fail", "refuse") else "success"
                    assert answer.json()["status"] == wanted, answer.text
            # A websocket brings no trace: its calls begin one.
            watching = Watching()
            session = deployment.open_session(watching)
            with deployment.tracing.span("whoever makes it begin"):
                session.add(0, FunctionCall("notes:count", '{"room":"watched"}'), None)
            assert (await asyncio.wait_for(watching.shown.get(), 60)).result == Success(encode(2))
            call = FunctionCall("notes:add", f'{{"room":"{SECRET}"}}')
            await deployment.mutate(call, ANONYMOUS, request_id="socket")
            assert (await asyncio.wait_for(watching.shown.get(), 60)).result == Success(encode(3))
            session.close()
            return deployment.call_log.records
        finally:
            await asyncio.wait_for(deployment.close(), 60)

    return asyncio.run(run())


@pytest.mark.parametrize("in_processes", [False, True])
def test_one_trace_goes_from_the_door_through_workers(
    tmp_path: Path, collector: Collector, *, in_processes: bool
) -> None:
    records = play(tmp_path, in_processes=in_processes)
    spans = collector.spans
    by_id = {span["id"]: span for span in spans}
    assert len(by_id) == len(spans), "every span has an id of its own"

    def line(span: dict[str, Any]) -> list[tuple[str, str]]:
        """Names and roles from a span up to the door."""
        found = []
        while span is not None:
            found.append((span["name"], span["role"]))
            span = by_id.get(span["parent"])  # type: ignore[assignment]
        return found

    writer, actor = ("writer", "actions") if in_processes else ("front", "front")
    traced = [span for span in spans if span["trace"] == TRACE_ID]
    runs = [line(span) for span in traced if span["name"] == "run notes:add"]
    door = [("mutation notes:add", "front"), ("POST /api/mutation", "front")]
    assert [("run notes:add", writer), *door] in runs
    through_action = [
        ("run notes:add", writer),
        ("mutation notes:add", "front"),
        ("run notes:work", actor),
        ("action notes:work", "front"),
        ("POST /api/action", "front"),
    ]
    if in_processes:
        # In processes of ours what the author traces is sent, too, and stands between the two.
        through_action.insert(2, ("of the author", actor))
    assert through_action in runs
    commits = [line(span) for span in traced if span["name"] == "commit group"]
    assert [("commit group", writer), *door] in commits
    failed = [span for span in spans if span["name"] == "run notes:fail"]
    assert all(span["is_error"] for span in failed)
    assert {span["trace"] for span in failed} == {TRACE_ID}
    socket = [span for span in spans if span["name"] == "run notes:add" and span["trace"] != TRACE_ID]
    assert [line(span) for span in socket] == [[("run notes:add", writer), ("mutation notes:add", "front")]]
    assert {span["service"] for span in spans} == {"quiet-otter-12"}
    reader = "reader" if in_processes else "front"
    reads = [line(span) for span in spans if span["name"] in ("run notes:count", "run notes:refuse")]
    asked = ("POST /api/query", "front")
    author = [("of the author", actor)] if in_processes else []
    action = [("run notes:work", actor), ("action notes:work", "front"), ("POST /api/action", "front")]
    assert sorted(reads) == sorted(
        [
            [("run notes:count", reader), asked],
            [("run notes:refuse", reader), asked],
            [("run notes:count", reader), ("query notes:count", "front"), *author, *action],
            # Live queries: one wave for the first run, one for the commit. Neither is of anybody's request.
            [("run notes:count", reader), ("wave", "front")],
            [("run notes:count", reader), ("wave", "front")],
        ]
    )
    for span in spans:
        if span["name"] in ("run notes:count", "run notes:refuse"):
            assert span["facts"]["rewake.queued_seconds"].double_value >= 0
            assert span["is_error"] == (span["name"] == "run notes:refuse")
            assert (span["trace"] == TRACE_ID) == ("wave" not in dict(line(span)))
    assert SECRET.encode() not in collector.bodies
    # The log names the span of each run.
    runs = {span["id"]: span for span in spans if span["name"].startswith("run ")}
    assert len(runs) == len(records)
    for record in records:
        said = json.loads(json_call(record, moment="now", deployment="d"))
        span = runs[said["spanId"]]
        assert (f"run {said['function']}", said["traceId"]) == (span["name"], span["trace"])


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
    ],
)
def test_it_is_off_where_nobody_asks_for_it(environ: dict[str, str]) -> None:
    assert made(**environ) is NO_TRACING


def test_an_exporter_that_is_not_known_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "rewake"):
        assert not tracing_from(
            {"OTEL_TRACES_EXPORTER": "zipkin"}, service="s", role="r", random_bytes=CHANCE
        ).is_on
    assert "zipkin" in caplog.text


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tracing_module, "_has_sdk", lambda: False)
    with caplog.at_level(logging.WARNING, "rewake"):
        assert not tracing_from(
            {"OTEL_TRACES_EXPORTER": "otlp"}, service="s", role="r", random_bytes=CHANCE
        ).is_on
    assert "rewake[otel]" in caplog.text


def test_off_it_does_nothing() -> None:
    with NO_TRACING.span("x", parent=REMOTE) as span:
        assert span is None
        assert NO_TRACING.current() == ""
    NO_TRACING.share()
    NO_TRACING.close()


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "x",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "ff" + REMOTE[2:],
        REMOTE.replace("7", "z"),
        "-" * 99,
    ],
)
def test_a_parent_that_is_none_begins_a_trace(parent: str) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing = Tracing(provider)
    with tracing.span("x", parent=parent):
        assert tracing.current().startswith("00-")
    (span,) = kept.get_finished_spans()
    assert span.parent is None


def test_an_exception_is_told_by_its_class_alone() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with pytest.raises(ValueError, match=SECRET), Tracing(provider).span("x", parent=REMOTE):
        raise ValueError(SECRET)
    (span,) = kept.get_finished_spans()
    assert span.attributes == {"error.type": "ValueError"}
    assert SECRET not in span.to_json()
    assert f"{span.context.trace_id:032x}" == TRACE_ID
