"""The log of `rewake serve` as JSON: one object a line, for programs that collect logs.

Floor 8, `cli`. The text form is for people (`call_lines.py`); this one has the same runs with everything that
is known of them.

    {"time", "level", "deployment", "message", "logger", ...}             what the server says itself
    {"time", "level", "function", "kind", "outcome", "requestId", ...}    a run; its span where it has one

Environment variables, arguments and results are never in it.

Not here: which runs are told (`serving.py`).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from rewake.cli.call_lines import is_expected
from rewake.database import is_cron
from rewake.execution import CallRecord

_REASON_LENGTH_MAX = 400
_REQUEST_ID = re.compile(r"\[Request ID: ([\w.:-]{1,64})\]")


def json_call(record: CallRecord, *, moment: str, deployment: str) -> str:
    """A run as one line."""
    usage = record.usage
    line: dict[str, Any] = {
        "time": moment,
        "level": _level(record),
        "deployment": deployment,
        "function": record.path,
        "kind": record.kind,
        "outcome": "success" if record.error is None else "failure",
        "requestId": record.request_id,
        "durationMs": round(record.seconds * 1000, 3),
        "identity": record.identity,
        "usage": {
            "documentsRead": usage.documents_read,
            "bytesRead": usage.bytes_read,
            "documentsWritten": usage.documents_written,
            "bytesWritten": usage.bytes_written,
            "argumentsBytes": usage.arguments_bytes,
            "returnedBytes": usage.returned_bytes,
        },
    }
    if record.scheduled:
        line["cronId" if is_cron(record.scheduled) else "scheduledFunctionId"] = record.scheduled
    if record.trace:
        _, line["traceId"], line["spanId"], _ = record.trace.split("-")
    if record.log_lines:
        line["logLines"] = [
            {"level": each.level, "message": each.text}
            | ({"code": each.code} if each.code else {})
            | ({"function": each.function} if each.function else {})
            for each in record.log_lines
        ]
    if record.error is not None:
        # Strangers bring such failures about as they like, and must not fill the disk with them.
        is_short = is_expected(record)
        line["error"] = record.error[:_REASON_LENGTH_MAX].partition("\n")[0] if is_short else record.error
        if record.traceback is not None and not is_short:
            line["traceback"] = record.traceback
    if record.limit is not None:
        line["limit"] = {
            "setting": record.limit.setting,
            "observed": record.limit.observed,
            "limit": record.limit.limit,
        }
    return msgspec.json.encode(line).decode()


def json_message(
    level: str, message: str, *, moment: str, deployment: str, logger: str = "", traceback: str = ""
) -> str:
    """Something that the server says itself, as one line; `logger` is the part of it that does."""
    line = {"time": moment, "level": level, "deployment": deployment, "message": message}
    if logger:
        line["logger"] = logger
    if found := _REQUEST_ID.match(message):
        line["requestId"] = found[1]
    if traceback:
        line["traceback"] = traceback
    return msgspec.json.encode(line).decode()


def _level(record: CallRecord) -> str:
    if record.error is not None:
        return "warning" if is_expected(record) else "error"
    levels = {line.level for line in record.log_lines}
    return "error" if "ERROR" in levels else "warning" if "WARN" in levels else "info"
