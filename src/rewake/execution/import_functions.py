"""System functions of imports: the steps of one, and what the official command line reads of them.

Floor 3, `execution`, a part of `system_functions.py`. Each is one step of the writer, bounded like those of a
schema change; mutations that wait go before the next. What speaks against a step is its result, with its
code, as for keys.

    _system/imports:create, note, recover       records
    _system/imports:declare, copy, load         rows into hidden tables
    _system/imports:switch, give_up             the end
    _system/cli/queryImport, queryImport:list   what is known

Not here: who takes the steps (`deployment/importing.py`), what they do (`database/importing.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewake.database import (
    ImportRequest,
    TableRequest,
    WriteTransaction,
    check_request,
    completed_import,
    copy_step,
    create_import,
    declare_import,
    failed_import,
    give_up_hidden,
    load_rows,
    note_import,
    read_import,
    read_imports,
    recover_imports,
    switch_import,
)
from rewake.errors import Conflict, InvalidInput, NotFound
from rewake.execution.system_context import SystemCtx, SystemQueryCtx


def _request(request: dict[str, Any]) -> ImportRequest:
    number = request["storage_number"]
    tables = tuple(
        TableRequest(each["name"], None if each["number"] is None else int(each["number"]))
        for each in request["tables"]
    )
    return ImportRequest(request["id"], request["mode"], tables, None if number is None else int(number))


def _answer(step: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"done": step()}
    except (InvalidInput, Conflict, NotFound) as refusal:
        position = refusal.fields.get("position")
        return {
            "refused": {
                "code": refusal.code,
                "message": refusal.message,
                "position": None if position is None else float(position),
            }
        }


def _time_up(transaction: WriteTransaction) -> Callable[[], bool]:
    clock = transaction.environment.clock
    deadline = clock.monotonic() + transaction.limits.schema_step_seconds
    return lambda: clock.monotonic() >= deadline


def _create(ctx: SystemCtx, fields: dict[str, Any]) -> str:
    """Write an import down."""
    return create_import(ctx.transaction, fields)


def _note(ctx: SystemCtx, id: str, state: dict[str, Any]) -> Any:
    """Write down how far an import is; whether it was not over."""
    return _answer(lambda: note_import(ctx.transaction, id, state))


def _recover(ctx: SystemCtx) -> float:
    """Give up what a server from before had begun."""
    return float(recover_imports(ctx.transaction))


def _check(ctx: SystemCtx, request: dict[str, Any]) -> Any:
    """Whether an import may be, as things stand."""

    def step() -> None:
        ctx.transaction.lift_limits()
        check_request(ctx.transaction, _request(request))

    return _answer(step)


def _declare(ctx: SystemCtx, request: dict[str, Any]) -> Any:
    """Begin the hidden tables."""

    def step() -> list[dict[str, Any]]:
        declared = declare_import(ctx.transaction, _request(request))
        return [
            {"document": each.document, "name": each.name, "number": each.number, "copies": each.copies}
            for each in declared
        ]

    return _answer(step)


def _copy(ctx: SystemCtx, document: str) -> Any:
    """Copy documents that stay."""
    is_up = _time_up(ctx.transaction)
    return _answer(lambda: copy_step(ctx.transaction, document, is_time_up=is_up))


def _load(ctx: SystemCtx, document: str, position: float, texts: list[str]) -> Any:
    """Store rows; how many of the file there are then."""
    is_up = _time_up(ctx.transaction)
    done = _answer(
        lambda: load_rows(ctx.transaction, document, position=int(position), texts=texts, is_time_up=is_up)
    )
    ctx.transaction.environment.reach("imports.in_load")
    return done


def _switch(ctx: SystemCtx, request: dict[str, Any], files: list[Any], rows: float) -> Any:
    """Give the hidden tables their names."""

    def step() -> None:
        # What is refused half way must leave nothing behind.
        with ctx.transaction.savepoint():
            listed = [(file["key"], file["document"]) for file in files]
            switch_import(ctx.transaction, _request(request), listed)
            note_import(ctx.transaction, request["id"], completed_import(int(rows)))

    return _answer(step)


def _give_up(ctx: SystemCtx, id: str, message: str) -> Any:
    """Throw away what an import has built, and say why."""

    def step() -> bool:
        give_up_hidden(ctx.transaction, owner=id)
        return note_import(ctx.transaction, id, failed_import(message))

    return _answer(step)


def _query(ctx: SystemQueryCtx, importId: str) -> Any:
    """One import, as long as it is known."""
    return _shown(read_import(ctx.transaction, importId))


def _list(ctx: SystemQueryCtx) -> Any:
    """All imports that are known."""
    return [_shown(record) for record in read_imports(ctx.transaction)]


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {"_id": record["_id"], "_creationTime": record["_creationTime"], "state": record["state"]} | {
        name: record[name] for name in ("mode", "format", "tableName") if name in record
    }


IMPORT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_system/imports:check": _check,
    "_system/imports:copy": _copy,
    "_system/imports:create": _create,
    "_system/imports:declare": _declare,
    "_system/imports:give_up": _give_up,
    "_system/imports:load": _load,
    "_system/imports:note": _note,
    "_system/imports:recover": _recover,
    "_system/imports:switch": _switch,
}
"""Mutations by path."""
IMPORT_QUERIES: dict[str, Callable[..., Any]] = {
    "_system/cli/queryImport:default": _query,
    "_system/cli/queryImport:list": _list,
}
"""Queries by path."""
