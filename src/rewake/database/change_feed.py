"""The change feed: tables as they stood, then what was written since, for programs that keep a copy.

Floor 2, `database`. A copy begins with all documents at one timestamp, in pages, and goes on with the commit
log from there. Applying both in order gives the tables as they are.

    snapshot_page(ts) -> page -> (table, key) -> ... -> None
    changes(after) -> documents that were written or removed, in the order of commits

What is asked for is narrowed by a `Selection` of tables and columns.

Not here: HTTP (`http_api/streaming_export.py`), who holds the readers (`deployment/feeds.py`).
Source: wire 7.3; semantics 10.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from rewake.database.catalog import TABLES, Catalog
from rewake.database.errors import SnapshotInFuture, SnapshotTooOld
from rewake.database.past_tables import PastTables, TableReplaced
from rewake.database.snapshots import Reader
from rewake.database.table import IndexState, Table
from rewake.storage import LogWrite
from rewake.values import decode_stored_document, encode

_PAGE_DOCUMENTS = 256
_CHANGES_MAX = 1_024
_CHANGE_CHARACTERS_MAX = 4_000_000


class Columns(msgspec.Struct, frozen=True):
    """Which fields of a table are wanted. `_id` always is."""

    others: bool = True
    """Those that are not named."""
    named: Mapping[str, bool] = msgspec.field(default_factory=dict)

    def narrow(self, text: str) -> str:
        """The text of a document with the wanted fields only."""
        if self.others and all(self.named.values()):
            return text
        document = decode_stored_document(text)
        kept = {
            name: each
            for name, each in document.items()
            if name == "_id" or self.named.get(name, self.others)
        }
        return encode(kept)


class Selection(msgspec.Struct, frozen=True):
    """Which tables are wanted, and what of them."""

    others: Columns | None = Columns()
    """Those that are not named; None for none of them."""
    named: Mapping[str, Columns | None] = msgspec.field(default_factory=dict)

    def of(self, table: str) -> Columns | None:
        """What is wanted of a table; None for nothing."""
        return self.named.get(table, self.others)


class FeedRow(NamedTuple):
    """One document of a table, as canonical text; None where it was removed."""

    table: str
    ts: int
    id: str
    text: str | None


class SnapshotPage(NamedTuple):
    """Rows, and where to go on: the table and the key in it. None after the last."""

    rows: list[FeedRow]
    next: tuple[str, bytes] | None


class Changes(NamedTuple):
    """Rows in the order of commits, and the timestamp up to which they go."""

    rows: list[FeedRow]
    until: int
    has_more: bool


def snapshot_page(past: PastTables, selection: Selection, *, start: tuple[str, bytes] | None) -> SnapshotPage:
    """A page of all wanted tables at `past.ts`, in order of their names.

    Raises:
        SnapshotTooOld, TableReplaced: the rest cannot be had any more.
    """
    first, key = start or ("", b"")
    for table in past.catalog.user_tables():
        columns = selection.of(table.name)
        if table.name < first or columns is None:
            continue
        position: bytes | None = key if table.name == first else b""
        while position is not None:
            page = past.page(table, start=position, limit=_PAGE_DOCUMENTS)
            position = page.next
            if page.documents:
                rows = [_row(table.name, past.ts, text, columns) for _, text in page.documents]
                return SnapshotPage(rows, _next_of(past, table, position))
    return SnapshotPage([], None)


def _next_of(past: PastTables, table: Table, position: bytes | None) -> tuple[str, bytes] | None:
    if position is not None:
        return table.name, position
    later = [each.name for each in past.catalog.user_tables() if each.name > table.name]
    return (later[0], b"") if later else None


def changes(reader: Reader, selection: Selection, *, after: int) -> Changes:
    """What was committed above `after`, as much of it as makes a good answer, whole commits at a time.

    Raises:
        SnapshotTooOld: the log does not reach back to `after`.
        SnapshotInFuture: `after` is no timestamp of this deployment.
        TableReplaced: an import took the place of a table; its copy has to begin again.
    """
    rows: list[FeedRow] = []
    looked_at = characters = 0
    with reader.begin() as snapshot:
        if after > snapshot.ts:
            raise SnapshotInFuture(ts=after, last_ts=snapshot.ts)
        if after < snapshot.log_floor_ts:
            raise SnapshotTooOld(ts=after, oldest=snapshot.log_floor_ts)
        tables = {table.tablet: table.name for table in snapshot.catalog.user_tables()}
        for log_row in snapshot.log_rows(after=after):
            for write in log_row.writes:
                _refuse_replaced(write, selection)
                looked_at += 1
                characters += len(write.new or "") + len(write.old or "")
                name = tables.get(write.tablet)
                columns = None if name is None else selection.of(name)
                if name is None or columns is None:
                    continue
                if write.new is None:
                    rows.append(FeedRow(name, log_row.ts, write.id, None))
                else:
                    rows.append(_row(name, log_row.ts, write.new, columns))
            if looked_at >= _CHANGES_MAX or characters >= _CHANGE_CHARACTERS_MAX:
                return Changes(rows, log_row.ts, log_row.ts < snapshot.ts)
        return Changes(rows, snapshot.ts, has_more=False)


def columns_of(past: PastTables) -> dict[str, list[str]]:
    """The names of fields in the first documents of each table, by table."""
    found: dict[str, list[str]] = {}
    for table in past.catalog.user_tables():
        names: set[str] = {"_id", "_creationTime"}
        for _, text in past.page(table).documents:
            names |= decode_stored_document(text).keys()
        found[table.name] = sorted(names)
    return found


def empty_tables(past: PastTables) -> dict[str, bool]:
    """Which tables there are, and whether each has no document."""
    return {table.name: not past.page(table, limit=1).documents for table in past.catalog.user_tables()}


def indexes_of(catalog: Catalog) -> list[dict[str, Any]]:
    """Every declared index, and how far it is."""
    return [
        {
            "table": table.name,
            "name": index.name,
            "fields": list(index.fields),
            "staged": index.staged,
            "backfill": {"state": "in_progress" if index.state is IndexState.BACKFILLING else "done"},
        }
        for table in catalog.user_tables()
        for index in table.declared
    ]


def _row(table: str, ts: int, text: str, columns: Columns) -> FeedRow:
    return FeedRow(table, ts, "", columns.narrow(text))


def _refuse_replaced(write: LogWrite, selection: Selection) -> None:
    if write.tablet != TABLES.tablet or write.old is None or write.new is None:
        return
    old, new = decode_stored_document(write.old), decode_stored_document(write.new)
    if old["tablet"] != new["tablet"] and selection.of(new["name"]) is not None:
        raise TableReplaced(table=new["name"])
