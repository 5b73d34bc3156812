"""System queries that show data and code: what the command lines ask an administrator's deployment.

Floor 3, `execution`. Written as an author would write them, so they are live like any query: each reads what
it shows through the recording door.

    _system/cli/tables                {paginationOpts}                -> page of {name}
    _system/cli/tableData             {table, order, paginationOpts}  -> page of documents
    _system/cli/tableSize:default     {tableName}                     -> number of documents
    _system/cli/queryTable            {tableName}                     -> what changes when the table does
    _system/cli/convexUrl:cloudUrl    {}                              -> where clients reach the deployment
    _system/cli/modules:apiSpec       {}                              -> the function spec

Not here: who may call them (`auth/scopes.py`), how rows look on a terminal (`cli`).
Source: wire 7.8.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from rewake.database import BUILT_IN_VARIABLES, count_documents, origin, read_variable, watch_table
from rewake.execution.system_context import SystemQueryCtx
from rewake.functions import PaginationOptions, PaginationResult
from rewake.schema import QuerySpec
from rewake.values import decode

PAGE_ITEMS_MAX = 1_024
"""Items of one page here, however many are asked for: an answer is one array, and arrays end at 8,192."""


def _list_tables(ctx: SystemQueryCtx, options: PaginationOptions) -> Any:
    """The tables of the application, by name."""
    found = ctx.db.system.query("_tables").with_index("by_name").paginate(_capped(options))
    # A tablet that no name leads to, or not any more, is nobody's table.
    known = ctx.transaction.catalog.tables
    names = [each["name"] for each in found.page if _is_current(each, known.get(each["name"]))]
    return _page(found, [{"name": name} for name in names])


def _is_current(document: dict[str, Any], table: Any) -> bool:
    return table is not None and table.tablet == int(document["tablet"])


def _list_documents(
    ctx: SystemQueryCtx, *, table: str, options: PaginationOptions, order: Literal["asc", "desc"] = "desc"
) -> Any:
    """Documents of a table in order of creation: the application's, or one of the system's that keeps no
    secrets.
    """
    query = ctx.db.system.query(table) if table[:1] == "_" else ctx.db.query(table)
    found = query.order(order).paginate(_capped(options))
    return _page(found, found.page)


def _table_size(ctx: SystemQueryCtx, tableName: str) -> float:
    """How many documents a table has; 0 for one that does not exist."""
    return float(count_documents(ctx.transaction, tableName))


def _query_table(ctx: SystemQueryCtx, tableName: str) -> Any:
    """The timestamp of the snapshot; asked again whenever something in the table has changed."""
    return watch_table(ctx.transaction, tableName)


def _cloud_url(ctx: SystemQueryCtx) -> str:
    """Where clients reach the deployment."""
    return read_variable(ctx.transaction, BUILT_IN_VARIABLES[0]) or origin(ctx.transaction)


def _api_spec(ctx: SystemQueryCtx) -> Any:
    """Every function with its validators, then the HTTP routes."""
    for _ in ctx.transaction.system.scan(QuerySpec("_modules")):
        pass  # Read for the read set alone: a push that changes any module changes the answer.
    # Decoded, since a literal may be one of those values that JSON has no form for.
    return decode(json.dumps(ctx.project.function_spec()))


def _capped(options: PaginationOptions) -> PaginationOptions:
    return msgspec.structs.replace(options, num_items=min(options.num_items, PAGE_ITEMS_MAX))


def _page(found: PaginationResult[Any], page: list[Any]) -> dict[str, Any]:
    return {"page": page, "isDone": found.is_done, "continueCursor": found.continue_cursor}


DATA_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_system/cli/convexUrl:cloudUrl": _cloud_url,
    "_system/cli/modules:apiSpec": _api_spec,
    "_system/cli/queryTable:default": _query_table,
    "_system/cli/tableData:default": _list_documents,
    "_system/cli/tableSize:default": _table_size,
    "_system/cli/tables:default": _list_tables,
}
