"""System functions of exports: each change of state is one transaction, so whoever watches sees them all.

Floor 3, `execution`, a part of `system_functions.py`.

    _system/exports:request, begin, note, complete, fail, cancel, expire, forget
    _system/cli/exports:getLatest        what the official command line follows

Not here: who calls them (`deployment/exports.py`), what is stored (`database/exports.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from rewake.database import (
    ExportInProgress,
    begin_export,
    cancel_export,
    complete_export,
    fail_export,
    forget_export,
    note_export_rows,
    request_export,
    set_export_expiration,
)
from rewake.execution.system_context import SystemCtx, SystemQueryCtx
from rewake.values import Int64


class ExportOrder(msgspec.Struct, frozen=True):
    """What the process that writes an archive (`export_worker.py`) is told."""

    data: str
    files: str
    target: str
    has_files: bool
    parent: int


def _request(ctx: SystemCtx, has_files: bool) -> str | None:
    """Ask for an export; null where one is under way."""
    try:
        return request_export(ctx.transaction, has_files=has_files)
    except ExportInProgress:
        return None


def _begin(ctx: SystemCtx, id: str, start_ts: Int64) -> bool:
    return begin_export(ctx.transaction, id, start_ts=start_ts)


def _note(ctx: SystemCtx, id: str, done: float, total: float) -> bool:
    return note_export_rows(ctx.transaction, id, done=int(done), total=int(total))


def _complete(ctx: SystemCtx, id: str, complete_ts: Int64, expiration_ts: Int64, object_key: str) -> bool:
    return complete_export(
        ctx.transaction, id, complete_ts=complete_ts, expiration_ts=expiration_ts, object_key=object_key
    )


def _fail(ctx: SystemCtx, id: str, error: str) -> bool:
    return fail_export(ctx.transaction, id, error=error)


def _cancel(ctx: SystemCtx, id: str) -> bool:
    return cancel_export(ctx.transaction, id)


def _expire(ctx: SystemCtx, id: str, expiration_ts: Int64) -> bool:
    return set_export_expiration(ctx.transaction, id, expiration_ts=expiration_ts)


def _forget(ctx: SystemCtx, id: str) -> bool:
    return forget_export(ctx.transaction, id)


def _get_latest(ctx: SystemQueryCtx) -> Any:
    """The export that was asked for last, or null."""
    return ctx.db.system.query("_exports").order("desc").first()


EXPORT_MUTATIONS: dict[str, Callable[..., Any]] = {
    "_system/exports:begin": _begin,
    "_system/exports:cancel": _cancel,
    "_system/exports:complete": _complete,
    "_system/exports:expire": _expire,
    "_system/exports:fail": _fail,
    "_system/exports:forget": _forget,
    "_system/exports:note": _note,
    "_system/exports:request": _request,
}
EXPORT_QUERIES: dict[str, Callable[..., Any]] = {"_system/cli/exports:getLatest": _get_latest}
