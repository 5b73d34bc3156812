"""Runs as JSON lines: everything that is known, and no more than a line for what strangers bring about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rewake.cli.json_lines import json_call, json_message
from rewake.database import CRONS
from rewake.execution import CallRecord, CallUsage, LimitReached, RunLogLine
from rewake.values import encode_id
from tests.cli.command import Running, run_apart


def told(record: CallRecord) -> dict[str, Any]:
    line = json_call(record, moment="2026-01-01T00:00:00.000Z", deployment="quiet-otter")
    assert "\n" not in line
    decoded: dict[str, Any] = json.loads(line)
    return decoded


def test_a_run_says_who_what_and_how_much() -> None:
    lines = (RunLogLine("LOG", "a\nb"), RunLogLine("WARN", "much", "warning:x", 1.0, "m:inner"))
    usage = CallUsage(1, 2, 3, 4, 5, 6)
    record = CallRecord("m:f", "mutation", 0.0123456, lines, None, None, "r1", None, usage, "user", "job1")
    assert told(record) == {
        "time": "2026-01-01T00:00:00.000Z",
        "level": "warning",
        "deployment": "quiet-otter",
        "function": "m:f",
        "kind": "mutation",
        "outcome": "success",
        "requestId": "r1",
        "durationMs": 12.346,
        "identity": "user",
        "usage": {
            "documentsRead": 1,
            "bytesRead": 2,
            "documentsWritten": 3,
            "bytesWritten": 4,
            "argumentsBytes": 5,
            "returnedBytes": 6,
        },
        "scheduledFunctionId": "job1",
        "logLines": [
            {"level": "LOG", "message": "a\nb"},
            {"level": "WARN", "message": "much", "code": "warning:x", "function": "m:inner"},
        ],
    }


def test_a_run_of_a_cron_names_the_cron() -> None:
    cron = encode_id(CRONS.number, bytes(16))
    line = told(CallRecord("m:f", "mutation", 0.0, (), None, None, "r", scheduled=cron))
    assert line["cronId"] == cron
    assert "scheduledFunctionId" not in line


def test_a_mistake_of_the_authors_comes_with_its_traceback() -> None:
    failed = told(CallRecord("m:f", "query", 0.0, (), "Uncaught ValueError: no\n at f", "Traceback\n", "r"))
    assert (failed["level"], failed["outcome"]) == ("error", "failure")
    assert failed["error"] == "Uncaught ValueError: no\n at f"
    assert failed["traceback"] == "Traceback\n"


def test_a_refusal_is_short_whatever_strangers_send() -> None:
    refused = told(CallRecord("m:f", "query", 0.0, (), "ArgumentValidationError: " + "x" * 9000, None, "r"))
    assert refused["level"] == "warning"
    assert len(refused["error"]) == 400
    own = told(CallRecord("m:f", "query", 0.0, (), "Uncaught ConvexError: no\n at f", "Traceback", "r"))
    assert own["error"] == "Uncaught ConvexError: no"
    assert "traceback" not in own


def test_a_run_that_is_traced_names_its_span() -> None:
    span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    line = told(CallRecord("m:f", "query", 0.0, (), None, None, "r", trace=span))
    assert (line["traceId"], line["spanId"]) == (span[3:35], span[36:52])
    assert "traceId" not in told(CallRecord("m:f", "query", 0.0, (), None, None, "r"))


def test_a_limit_is_named() -> None:
    limit = LimitReached("TooMany", "documents_read_max", 11.0, 10.0)
    failed = told(CallRecord("m:f", "query", 0.0, (), "Too many", None, "r", limit))
    assert failed["limit"] == {"setting": "documents_read_max", "observed": 11.0, "limit": 10.0}


def test_the_servers_own_words_are_lines_too() -> None:
    line = json_message("info", 'a "b"\n', moment="t", deployment="d")
    assert json.loads(line) == {"time": "t", "level": "info", "deployment": "d", "message": 'a "b"\n'}
    words = "[Request ID: 0b7f6589656abd68] GET /x failed"
    line = json_message("error", words, moment="t", deployment="d", logger="rewake.x", traceback="T")
    told = json.loads(line)
    assert (told["requestId"], told["logger"], told["traceback"]) == ("0b7f6589656abd68", "rewake.x", "T")


def test_serve_writes_nothing_but_json_when_asked(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.rewake]\n")
    (tmp_path / "backend" / "m.py").write_text(
        "from rewake import QueryCtx, query\n\n@query\ndef f(ctx: QueryCtx) -> int:\n    return 1\n"
    )
    words = ("serve", ".", "--port", "0", "--workers", "0", "--log-format", "json", "--verbose")
    with Running(*words, cwd=tmp_path) as server:
        server.wait_for("Rewake is ready at ")
        assert run_apart("run", "m:f", cwd=tmp_path).out == "1\n"
        server.wait_for('"function":"m:f"')
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.lines]
    (call,) = [line for line in lines if line.get("function") == "m:f"]
    assert (call["outcome"], call["kind"], len(call["requestId"])) == ("success", "query", 16)
    assert [line["message"] for line in lines if "message" in line][-2:] == ["Stopping.", "Stopped."]
