"""Schema changes: making the database fit a new schema, or leaving it as it was.

Floor 2, `database`. What has to do with existing data is done in the background, before; the switch itself is
a mutation like any other: it runs in a group, reads and writes documents of the catalog, and its log row
wakes whoever looked at a table or an index that it changed.

    declare_schema      stored as pending; new indexes are kept up from now on
      index_building    their entries for documents from before, in steps
      schema_check      existing documents read, and the log followed: Evidence
    apply_schema        the switch: missing tables made, the tail of the log checked, indexes enabled, staged
                        and dropped, the schema active
    fail_schema         instead of the switch: new indexes dropped, everything as it was

Where little is to be done the switch does it all by itself, so a fresh database needs nothing else. Tables
that the schema does not name keep their documents and lose their declared indexes. Whatever is raised, the
caller's savepoint takes everything back.

Not here: in which order and where these run (`rollout.py`, `execution`), which code goes with the schema.
Source: spec/semantics 2.2, 2.3, 2.5.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice

import msgspec

from rewake.database.active_schema import StoredSchema
from rewake.database.errors import SchemaWorkLeft
from rewake.database.index_building import (
    backfilling,
    build_at_once,
    declare_index,
    drop_index,
    matching,
    settle_index,
)
from rewake.database.schema_check import (
    Evidence,
    base_of,
    check_log_row,
    check_stored,
    tables_to_check,
    tablets_of,
)
from rewake.database.schema_records import SchemaState, activate, end_schema, store_pending, waiting_schema
from rewake.database.staged_validators import begin_staged
from rewake.database.table import IndexState, Table, TableIndex
from rewake.database.writes import WriteTransaction
from rewake.limits import SCHEMA_SWITCH_ROWS_MAX
from rewake.schema import IndexDefinition, Schema, TableDefinition, schema_from_json

_TAIL_ROWS = 1_024
"""Log rows that the switch itself checks; with more it asks for another round before."""


class SchemaChange(msgspec.Struct):
    """What applying a schema changed, names as in `messages.by_channel`. All empty: nothing."""

    tables_added: list[str] = msgspec.field(default_factory=list)
    indexes_added: list[str] = msgspec.field(default_factory=list)
    indexes_removed: list[str] = msgspec.field(default_factory=list)
    tables_checked: list[str] = msgspec.field(default_factory=list)
    is_schema_changed: bool = False

    def __bool__(self) -> bool:
        return bool(self.tables_added or self.indexes_added or self.indexes_removed or self.is_schema_changed)


class DeclaredSchema(msgspec.Struct, frozen=True):
    """A schema that is pending."""

    id: str
    """Of its document."""
    indexes: tuple[int, ...]
    """Those that it needs and that have steps left."""
    indexes_total: int
    """Those that it needs and that do not serve yet."""


class _Allowance:
    """Documents that the switch may still look at by itself."""

    def __init__(self) -> None:
        self.left = SCHEMA_SWITCH_ROWS_MAX

    def texts(self, transaction: WriteTransaction, table: Table, what: str) -> list[str]:
        """All documents of a small table.

        Raises:
            SchemaWorkLeft: there are too many.
        """
        rows = transaction.store.page(
            table.by_creation_time, b"", None, descending=False, limit=self.left + 1
        )
        if len(rows) > self.left:
            raise SchemaWorkLeft(what=f'{what} of table "{table.name}" first')
        self.left -= len(rows)
        return [text for _, text in rows]


# Before the switch.


def declare_schema(
    transaction: WriteTransaction, stored: StoredSchema, *, totals: Mapping[str, int]
) -> DeclaredSchema:
    """Make a schema the pending one, and keep its new indexes up from now on.

    The same schema again, after a crash or when the switch found more to do, goes on where it was. Another
    that waits is overwritten. `totals` are about how many documents tables have.
    """
    transaction.lift_limits()
    waiting = waiting_schema(transaction)
    if waiting is not None and waiting.stored.key != stored.key:
        end_schema(transaction, waiting, SchemaState.OVERWRITTEN)
        waiting = None
    schema = schema_of(stored)
    _drop_unwanted(transaction, schema)
    if waiting is None:
        waiting = store_pending(transaction, stored)
    needed: list[TableIndex] = []
    for definition in schema.tables.values():
        for declared in definition.indexes.values():
            table = transaction.catalog.tables.get(definition.name)
            if table is None or declared.staged:
                continue
            index = matching(table, declared)
            if index is None:
                total = totals.get(table.name, 0)
                index = declare_index(transaction, table, declared, total=total)
            if index.state is not IndexState.ENABLED:
                needed.append(index)
    left = set(backfilling(transaction))
    building = tuple(index.id for index in needed if index.id in left)
    return DeclaredSchema(waiting.id, building, len(needed))


def fail_schema(transaction: WriteTransaction, id: str, *, error: str, table: str) -> None:
    """A pending schema came to nothing: what was begun for it is dropped. Nothing happens if it is not
    pending any more.
    """
    transaction.lift_limits()
    waiting = waiting_schema(transaction)
    if waiting is None or waiting.id != id:
        return
    end_schema(transaction, waiting, SchemaState.FAILED, error=error, table=table)
    _drop_unwanted(transaction, None)


def _drop_unwanted(transaction: WriteTransaction, pending: Schema | None) -> None:
    """Drop indexes that do not serve and that neither the active schema stages nor the pending one wants."""
    active = transaction.catalog.schema
    staging = schema_of(active) if active is not None else None
    for table in transaction.catalog.user_tables():
        for index in table.declared:
            if index.state is IndexState.ENABLED:
                continue
            wanted = _declares(staging, table, index, only_staged=True) or _declares(pending, table, index)
            if not wanted:
                drop_index(transaction, table, index)


def _declares(schema: Schema | None, table: Table, index: TableIndex, *, only_staged: bool = False) -> bool:
    definition = schema.tables.get(table.name) if schema is not None else None
    declared = definition.indexes.get(index.name) if definition is not None else None
    return declared is not None and declared.fields == index.fields and (declared.staged or not only_staged)


def schema_of(stored: StoredSchema) -> Schema:
    """The schema that is stored, without what only code can say."""
    return schema_from_json(json.loads(stored.text))


# The switch.


def apply_schema(
    transaction: WriteTransaction, schema: Schema, evidence: Evidence | None = None
) -> SchemaChange:
    """Make `schema` the active one, in the transaction of a mutation that does nothing else.

    `evidence` is what a check of the documents in the background came to.

    Raises:
        SchemaMismatch: a document does not fit it; take the mutation back.
        SchemaWorkLeft: there is too much to do for one transaction; take the mutation back.
    """
    transaction.lift_limits()
    change, allowance = SchemaChange(), _Allowance()
    stored = transaction.schemas.register(schema)
    for definition in schema.tables.values():
        if definition.name not in transaction.catalog.tables:
            transaction.create_table(definition.name)
            change.tables_added.append(definition.name)
    change.tables_checked += _check_documents(transaction, schema, stored, evidence, allowance)
    for table in transaction.catalog.user_tables():
        _change_indexes(transaction, table, schema.tables.get(table.name), change, allowance)
    active = transaction.catalog.schema
    if active is None or active.key != stored.key:
        before = active.verdicts if active is not None else {}
        activate(transaction, stored)
        begin_staged(transaction, before)
        change.is_schema_changed = True
    waiting = waiting_schema(transaction)
    if waiting is not None:
        end_schema(transaction, waiting, SchemaState.OVERWRITTEN)
    # The marks keep a schema apart from one of the same JSON, so the views need no rule of their own.
    if change:
        for definition in schema.tables.values():
            define_view_of(transaction, definition)
    return change


def _check_documents(
    transaction: WriteTransaction,
    schema: Schema,
    stored: StoredSchema,
    evidence: Evidence | None,
    allowance: _Allowance,
) -> list[str]:
    """Make sure that every document fits; returns the tables for which that was not clear beforehand."""
    catalog = transaction.catalog
    names = tables_to_check(schema, stored, active=catalog.schema, schemas=transaction.schemas)
    if evidence is not None and evidence.base != base_of(catalog):
        raise SchemaWorkLeft(what="another schema has become active, or an import has replaced a table")
    covered = []
    for name in names:
        table = catalog.tables[name]
        if evidence is not None and evidence.covers(table.tablet):
            covered.append(name)
            continue
        for text in allowance.texts(transaction, table, "check the documents"):
            check_stored(schema, name, text, catalog)
    if evidence is not None and covered:
        _check_tail(transaction, schema, covered, evidence.ts)
    return names


def _check_tail(transaction: WriteTransaction, schema: Schema, names: list[str], ts: int) -> None:
    """Check what was written since the evidence was gathered."""
    if transaction.head.log_floor_ts > ts:
        raise SchemaWorkLeft(what="the log does not reach back to the check")
    tables = tablets_of(names, transaction.catalog)
    rows = list(islice(transaction.store.log_rows(after=ts), _TAIL_ROWS + 1))
    if len(rows) > _TAIL_ROWS:
        raise SchemaWorkLeft(what="check what was written meanwhile first")
    for row in rows:
        check_log_row(schema, row, tables, transaction.catalog)


def _change_indexes(
    transaction: WriteTransaction,
    table: Table,
    definition: TableDefinition | None,
    change: SchemaChange,
    allowance: _Allowance,
) -> None:
    wanted = definition.indexes if definition is not None else {}
    keeping = {found.id for each in wanted.values() if (found := matching(table, each)) is not None}
    for index in table.declared:
        if index.id not in keeping:
            allowance.left -= drop_index(transaction, table, index, at_once=allowance.left)
            if not index.is_beside:
                change.indexes_removed.append(f"{table.name}.{index.name}")
    for declared in wanted.values():
        _change_index(transaction, transaction.catalog.tables[table.name], declared, change, allowance)


def _change_index(
    transaction: WriteTransaction,
    table: Table,
    declared: IndexDefinition,
    change: SchemaChange,
    allowance: _Allowance,
) -> None:
    index = matching(table, declared)
    is_new = index is None or (index.state is not IndexState.ENABLED and not index.staged)
    if index is None:
        index = declare_index(transaction, table, declared)
    if index.state is IndexState.BACKFILLING:
        try:
            allowance.texts(transaction, table, "index the documents")
            index = build_at_once(transaction, table, index)
        except SchemaWorkLeft:
            if not declared.staged:
                raise
    settled = settle_index(transaction, table, index, staged=declared.staged)
    if is_new:
        change.indexes_added.append(f"{table.name}.{declared.name}")
    elif settled != index:
        change.is_schema_changed = True


def define_view_of(transaction: WriteTransaction, definition: TableDefinition) -> None:
    """Give SQL tools a column for every field that the table's validator names."""
    exported = definition.validator.to_json()
    named = exported["value"] if exported["type"] == "object" else {}
    transaction.define_view(transaction.catalog.tables[definition.name], sorted(named))
