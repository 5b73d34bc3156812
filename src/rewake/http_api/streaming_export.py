"""Streaming export over HTTP: for programs that keep a copy of the tables elsewhere. The scope is `read`.

Floor 6, `http_api`.

    GET, POST /api/list_snapshot      all documents at one timestamp, in pages
    GET, POST /api/document_deltas    what was written after a timestamp
    GET /api/json_schemas             what documents look like, by table
    GET /api/get_table_column_names
    GET /api/test_streaming_export_connection

Parameters stand in the URL, or in a JSON body. Each row has `_component`, `_table` and `_ts` beside its
fields; in deltas `_deleted` too.

Source: wire 7.3. Not here: reading (`database/change_feed.py`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rewake.auth import Scope
from rewake.database import Columns, FeedRow, Selection
from rewake.errors import InvalidInput
from rewake.http_api.authorization import require_admin
from rewake.http_api.bodies import read_json
from rewake.http_api.errors import BadParameter
from rewake.http_api.ports import Backend
from rewake.http_api.responses import json_response, json_text
from rewake.limits import Limits
from rewake.values import UnknownFormat, stored_as_clean, stored_as_export

_FORMATS: dict[str, Callable[[str], str]] = {
    "json": stored_as_clean,
    "convex_clean_json": stored_as_clean,
    "export_json": stored_as_export,
    "convex_encoded_json": str,
    "convex_json": str,
}
_TS_END = 2**63


class InvalidListSnapshotCursor(InvalidInput):
    """This cursor is not one of `list_snapshot`. Begin again without cursor and snapshot."""

    code = "InvalidListSnapshotCursor"
    template = "The cursor of list_snapshot cannot be read. Begin again without cursor and snapshot."


class DocumentDeltasCursorRequired(InvalidInput):
    """Deltas begin somewhere: at the `snapshot` of `list_snapshot`, or at the `cursor` of the last deltas."""

    code = "DocumentDeltasCursorRequired"
    template = "document_deltas needs a cursor: the `snapshot` of list_snapshot, or the last `cursor`."


class ListSnapshotBody(msgspec.Struct, frozen=True, rename="camel"):
    """What `list_snapshot` is asked."""

    snapshot: int | str | None = None
    cursor: str | None = None
    table_name: str | None = None
    component: str | None = None
    selection: dict[str, Any] | None = None
    format: str | None = None


class DocumentDeltasBody(msgspec.Struct, frozen=True, rename="camel"):
    """What `document_deltas` is asked."""

    cursor: int | str | None = None
    table_name: str | None = None
    component: str | None = None
    selection: dict[str, Any] | None = None
    format: str | None = None


class StreamingExport:
    """The endpoints for streaming export of one deployment."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits

    async def list_snapshot(self, request: Request) -> Response:
        """`GET` and `POST /api/list_snapshot`.

        Raises:
            AdminRequired, OperationNotPermitted: the caller may not.
            InvalidListSnapshotCursor, BadParameter, UnknownFormat: it cannot be read.
            SnapshotTooOld, SnapshotInFuture, TableReplaced: it cannot be had (any more).
        """
        asked = await self._asked(request, ListSnapshotBody)
        write, selection = _format_of(asked.format), _selection_of(asked)
        start = None if asked.cursor is None else _open_cursor(asked.cursor)
        ts = _whole(asked.snapshot, "snapshot")
        if start is not None and ts is None:
            raise InvalidListSnapshotCursor()
        ts, page = await self._backend.feeds.snapshot(selection, ts=ts, start=start)
        values = ",".join([_row_text(row, write) for row in page.rows])
        cursor = "null" if page.next is None else json_text(_seal_cursor(page.next))
        more = "false" if page.next is None else "true"
        return json_response(f'{{"values":[{values}],"snapshot":{ts},"cursor":{cursor},"hasMore":{more}}}')

    async def document_deltas(self, request: Request) -> Response:
        """`GET` and `POST /api/document_deltas`. Raises: as `list_snapshot`, and
        DocumentDeltasCursorRequired.
        """
        asked = await self._asked(request, DocumentDeltasBody)
        write, selection = _format_of(asked.format), _selection_of(asked)
        after = _whole(asked.cursor, "cursor")
        if after is None:
            raise DocumentDeltasCursorRequired()
        found = await self._backend.feeds.changes(selection, after=after)
        values = ",".join([_row_text(row, write, is_delta=True) for row in found.rows])
        more = "true" if found.has_more else "false"
        return json_response(f'{{"values":[{values}],"cursor":{found.until},"hasMore":{more}}}')

    async def json_schemas(self, request: Request) -> Response:
        """`GET /api/json_schemas`: what is seen in the first documents of each table."""
        await require_admin(self._backend, request, Scope.READ)
        is_delta = request.query_params.get("deltaSchema") == "true"
        schemas = {
            table: _json_schema(names, is_delta=is_delta)
            for table, names in (await self._backend.feeds.columns()).items()
        }
        answer: dict[str, Any] = schemas
        if request.query_params.get("byComponent") == "true":
            answer = {"": schemas}
        return json_response(msgspec.json.encode(answer).decode())

    async def column_names(self, request: Request) -> Response:
        """`GET /api/get_table_column_names`."""
        await require_admin(self._backend, request, Scope.READ)
        found = await self._backend.feeds.columns()
        tables = [{"name": table, "columns": names} for table, names in found.items()]
        return json_response(msgspec.json.encode({"byComponent": {"": tables}}).decode())

    async def test_connection(self, request: Request) -> Response:
        """`GET /api/test_streaming_export_connection`."""
        await require_admin(self._backend, request, Scope.READ)
        return json_response("null")

    async def _asked(self, request: Request, kind: type[Any]) -> Any:
        await require_admin(self._backend, request, Scope.READ)
        if request.method == "POST":
            return await read_json(request.scope, request.receive, kind, self._limits)
        parameters: dict[str, Any] = dict(request.query_params)
        try:
            if "selection" in parameters:
                parameters["selection"] = msgspec.json.decode(parameters["selection"])
            return msgspec.convert(parameters, kind)
        except (msgspec.MsgspecError, UnicodeEncodeError) as error:
            raise BadParameter(name="selection", detail=str(error)) from None


def _row_text(row: FeedRow, write: Callable[[str], str], *, is_delta: bool = False) -> str:
    head = f'{{"_component":"","_table":{json_text(row.table)},"_ts":{row.ts}'
    if row.text is None:
        return f'{head},"_deleted":true,"_id":{json_text(row.id)}}}'
    middle = ',"_deleted":false,' if is_delta else ","
    return f"{head}{middle}{write(row.text)[1:]}"


def _format_of(name: str | None) -> Callable[[str], str]:
    write = _FORMATS.get(name or "json")
    if write is None:
        raise UnknownFormat(format=name)
    return write


def _whole(value: int | str | None, name: str) -> int | None:
    """A timestamp, which languages without such integers send as text."""
    if value is None:
        return None
    text = str(value)
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) >= _TS_END:
        raise BadParameter(name=name, detail="expected a timestamp of this deployment.")
    return int(text)


def _seal_cursor(place: tuple[str, bytes]) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode()


def _open_cursor(text: str) -> tuple[str, bytes]:
    try:
        return msgspec.msgpack.decode(
            base64.b64decode(text, altchars=b"-_", validate=True), type=tuple[str, bytes]
        )
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        raise InvalidListSnapshotCursor() from None


def _selection_of(asked: ListSnapshotBody | DocumentDeltasBody) -> Selection:
    if asked.component:
        return Selection(others=None)
    selection = Selection() if asked.selection is None else _read_selection(asked.selection)
    if asked.table_name is None:
        return selection
    return Selection(others=None, named={asked.table_name: selection.of(asked.table_name)})


def _read_selection(given: Mapping[str, Any]) -> Selection:
    root = given.get("", given.get("_other", "included"))
    if not isinstance(root, Mapping):
        return Selection() if _is_included(root) else Selection(others=None)
    named = {table: _read_columns(columns) for table, columns in root.items() if table != "_other"}
    is_in = _is_included(root.get("_other", "included"))
    return Selection(others=Columns() if is_in else None, named=named)


def _read_columns(given: Any) -> Columns | None:
    if not isinstance(given, Mapping):
        return Columns() if _is_included(given) else None
    named = {name: _is_included(each) for name, each in given.items() if name != "_other"}
    return Columns(others=_is_included(given.get("_other", "included")), named=named)


def _is_included(word: Any) -> bool:
    if word not in ("included", "excluded"):
        raise BadParameter(name="selection", detail="expected `included`, `excluded` or an object.")
    return bool(word == "included")


def _json_schema(names: list[str], *, is_delta: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {} for name in names}
    properties |= {"_id": {"type": "string"}, "_creationTime": {"type": "number"}}
    if is_delta:
        properties |= {
            "_table": {"type": "string"},
            "_component": {"type": "string"},
            "_ts": {"type": "integer"},
            "_deleted": {"type": "boolean"},
        }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
        "required": ["_id"],
    }
