"""Following the call log over HTTP, for administrators.

Floor 6, `http_api`. A long poll: each answer holds the entries after a cursor and the cursor to go on from.
It comes at once where there are any, or when `cursor` is 0; else with the next, or empty after a minute.

    GET /api/stream_function_logs    ?cursor=    runs, and lines of actions that still run
    GET /api/stream_udf_execution    ?cursor=    runs

With `sessionId` and `clientRequestCounter` of a websocket's mutation or action, the first shows only what
belongs to that request: its run, and what the action called.

Both stand under `/api/app_metrics/` too. An action's lines come while it runs, so its completion does not
repeat those that the follower has been given.

Source: wire 7.1. Not here: what is kept, and for how long (`execution/call_log.py`).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.database import is_cron
from rewake.execution import CallRecord, LogEntry, RunLogLine, RunProgress
from rewake.http_api.authorization import require_admin
from rewake.http_api.errors import BadParameter
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response
from rewake.observability import redacted
from rewake.protocol import session_request_id

WAIT_SECONDS = 55.0
"""Less than the minute after which clients and proxies give a silent request up."""

_COUNTER_DIGITS_MAX = 10

_IDENTITIES = {
    "anonymous": "unknown",
    "user": "user",
    "admin": "instance_admin",
    "admin as user": "member_acting_user",
}


class LogEndpoints:
    """The endpoints that follow the log of one deployment."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def function_logs(self, request: Request) -> Response:
        """`GET /api/stream_function_logs`.

        Raises:
            AdminRequired: the caller is not an administrator.
            BadParameter: the cursor is no number.
        """
        return await self._follow(request, with_progress=True)

    async def executions(self, request: Request) -> Response:
        """`GET /api/stream_udf_execution`. As `function_logs`."""
        return await self._follow(request, with_progress=False)

    async def _follow(self, request: Request, *, with_progress: bool) -> Response:
        await require_admin(self._backend, request, Scope.READ)
        cursor, wanted_id = _cursor_of(request), (_request_of(request) if with_progress else None)
        log = self._backend.call_log
        is_wanted = _wishes(wanted_id, with_progress=with_progress)
        entries = log.after(cursor)
        if cursor:
            entries = await self._wait(cursor, is_wanted)
            # It may have been revoked meanwhile.
            await require_admin(self._backend, request, Scope.READ)
        if not entries:
            # An empty log has no entry to go on from, and 0 would never wait.
            answer = {"entries": [], "newCursor": cursor or 1.0}
        else:
            wanted = [entry for entry in entries if is_wanted(entry)]
            shown = [_entry(each, has_progress=with_progress) for each in wanted]
            answer = {"entries": shown, "newCursor": entries[-1].cursor}
        # What authors print may hold a token of a user's, which is not for whoever may read logs.
        return json_response(redacted(msgspec.json.encode(answer).decode()))

    async def _wait(self, cursor: float, is_wanted: Callable[[LogEntry], bool]) -> list[LogEntry]:
        """The entries after `cursor`, once something is wanted of them, or the time is over."""
        clock, log = self._backend.environment.clock, self._backend.call_log
        end, passed = clock.monotonic() + WAIT_SECONDS, list[LogEntry]()
        while (left := end - clock.monotonic()) > 0:
            entries = await log.wait_after(cursor, seconds=left)
            if not entries:
                break
            passed, cursor = entries, entries[-1].cursor
            if any(map(is_wanted, entries)):
                break
        return passed


def _wishes(request_id: str | None, *, with_progress: bool) -> Callable[[LogEntry], bool]:
    def is_wanted(entry: LogEntry) -> bool:
        is_kind = with_progress or isinstance(entry.news, CallRecord)
        return is_kind and request_id in (None, entry.news.request_id)

    return is_wanted


def _cursor_of(request: Request) -> float:
    text = request.query_params.get("cursor", "0")
    try:
        cursor = float(text)
    except ValueError:
        cursor = math.nan
    if not math.isfinite(cursor) or cursor < 0:
        raise BadParameter(name="cursor", detail="expected 0, or the newCursor of the answer before.")
    return cursor


def _request_of(request: Request) -> str | None:
    """The id of the request that alone is asked for (wire 6.1); None: everything is."""
    session, counter = (request.query_params.get(name) for name in ("sessionId", "clientRequestCounter"))
    if session is None and counter is None:
        return None
    if counter is None or not (counter.isascii() and counter.isdigit()) or len(counter) > _COUNTER_DIGITS_MAX:
        raise BadParameter(name="clientRequestCounter", detail="expected a whole number beside sessionId.")
    try:
        canonical = str(uuid.UUID(session or ""))
    except ValueError:
        raise BadParameter(name="sessionId", detail="expected a UUID.") from None
    return session_request_id(canonical, int(counter))


def _entry(entry: LogEntry, *, has_progress: bool) -> dict[str, Any]:
    news, seconds = entry.news, entry.cursor / 1000
    if isinstance(news, RunProgress):
        return {
            "kind": "Progress",
            "udfType": news.kind.capitalize(),
            "identifier": _identifier(news.path),
            "componentPath": None,
            "timestamp": seconds,
            "logLines": _lines([news.line], news.path),
            "requestId": news.request_id,
            "executionId": news.request_id,
        }
    lines = () if has_progress and news.kind == "action" else news.log_lines
    usage = news.usage
    return {
        "kind": "Completion",
        "udfType": "HttpAction" if news.is_http else news.kind.capitalize(),
        "identifier": _identifier(news.path),
        "componentPath": None,
        "timestamp": seconds,
        "executionTimestamp": seconds - news.seconds,
        "executionTime": news.seconds,
        "userExecutionTime": news.seconds,
        "logLines": _lines(lines, news.path),
        "success": {"status": str(news.status)} if news.status else None,
        "error": None if news.error is None else news.error.rstrip("\n"),
        "traceback": news.traceback,
        "requestId": news.request_id,
        "executionId": news.request_id,
        "parentExecutionId": None,
        "caller": _caller(news),
        "cachedResult": False,
        "identityType": _IDENTITIES.get(news.identity, "unknown"),
        "environment": "python",
        "returnBytes": usage.returned_bytes,
        "occInfo": None,
        "willRetry": False,
        "usageStats": {
            "databaseReadBytes": usage.bytes_read,
            "databaseWriteBytes": usage.bytes_written,
            "databaseIoReadBytes": usage.bytes_read,
            "databaseIoWriteBytes": usage.bytes_written,
            "databaseReadDocuments": usage.documents_read,
            "databaseWriteDocuments": usage.documents_written,
            "storageReadBytes": 0,
            "storageWriteBytes": 0,
            "vectorIndexReadBytes": 0,
            "vectorIndexWriteBytes": 0,
            "textIndexQueryBytes": 0,
            "textIndexWriteQueryBytes": 0,
            "vectorIndexReadQueryBytes": 0,
            "vectorIndexWriteQueryBytes": 0,
            "networkEgressBytes": 0,
            "memoryUsedMb": 0,
        },
    }


def _caller(record: CallRecord) -> str:
    if not record.scheduled:
        return record.called_from.value
    return "Cron" if is_cron(record.scheduled) else "Scheduler"


def _identifier(path: str) -> str:
    """A path as the official command line shows it: a default export goes by its module."""
    return path.replace(".js:", ":").removesuffix(".js").removesuffix(":default")


def _lines(lines: Sequence[RunLogLine], path: str) -> list[dict[str, Any]]:
    return [
        {
            "messages": [line.text],
            "level": line.level,
            "timestamp": line.at_ms,
            "isTruncated": line.is_truncated,
            "udfPath": line.function or _identifier(path),
            **({"systemMetadata": {"code": line.code}} if line.code else {}),
        }
        for line in lines
    ]
