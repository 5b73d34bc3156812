"""Schema changes: making the database fit a new schema, or leaving it as it was.

Floor 2, `database`. A deploy is a mutation like any other: it runs in a group, reads and writes documents of
the catalog, and its log row wakes whoever looked at a table or an index that it changed.

    missing tables made -> indexes compared: removed ones dropped, new and changed ones built
                        -> documents of tables whose validator changed are checked -> schema stored

Tables that the schema does not name keep their documents and lose their declared indexes. A document that
does not fit raises SchemaMismatch, and the caller's savepoint takes everything back. Building and checking go
through a table in pages (`_pages`), so that they can become background steps of bounded length without
another shape.

Not here: which code goes with the schema (`deployment`), what official tools see of a push.
Source: spec/semantics 2.2, 2.3, 2.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rewake.database.active_schema import StoredSchema
from rewake.database.catalog import INDEXES, SCHEMAS, IndexState, Table, TableIndex
from rewake.database.errors import SchemaMismatch
from rewake.database.writes import Fields, WriteTransaction
from rewake.schema import IndexDefinition, Schema, TableDefinition, ValidationFailed
from rewake.values import decode_stored

_PAGE = 256
_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


@dataclass
class SchemaChange:
    """What applying a schema changed, names as in `messages.by_channel`. All empty: nothing."""

    tables_added: list[str] = field(default_factory=list)
    indexes_added: list[str] = field(default_factory=list)
    indexes_removed: list[str] = field(default_factory=list)
    tables_checked: list[str] = field(default_factory=list)
    is_schema_changed: bool = False

    def __bool__(self) -> bool:
        return bool(self.tables_added or self.indexes_added or self.indexes_removed or self.is_schema_changed)


def apply_schema(transaction: WriteTransaction, schema: Schema) -> SchemaChange:
    """Make `schema` the active one, in the transaction of a mutation that does nothing else.

    Raises:
        SchemaMismatch: a document does not fit it; take the mutation back.
    """
    change = SchemaChange()
    stored = transaction.schemas.register(schema)
    for definition in schema.tables.values():
        if definition.name not in transaction.catalog.tables:
            transaction.create_table(definition.name)
            change.tables_added.append(definition.name)
    for table in transaction.catalog.user_tables():
        _change_indexes(transaction, table, schema.tables.get(table.name), change)
    _check_documents(transaction, schema, stored, change)
    _store(transaction, stored, change)
    # The marks keep a schema apart from one of the same JSON, so the views need no rule of their own.
    if change:
        for definition in schema.tables.values():
            _define_view(transaction, definition)
    return change


def _change_indexes(
    transaction: WriteTransaction, table: Table, definition: TableDefinition | None, change: SchemaChange
) -> None:
    wanted = definition.indexes if definition is not None else {}
    for name, index in table.indexes.items():
        declared = wanted.get(name)
        if declared is None or declared.fields != index.fields:
            _drop_index(transaction, table, index)
            table = table.without_index(name)
            change.indexes_removed.append(f"{table.name}.{name}")
    for name, declared in wanted.items():
        present = table.indexes.get(name)
        state = IndexState.STAGED if declared.staged else IndexState.ENABLED
        if present is None:
            table = table.with_index(_build_index(transaction, table, declared, state))
            change.indexes_added.append(f"{table.name}.{name}")
        elif present.state is not state:
            table = table.with_index(_set_state(transaction, present, state))
            change.is_schema_changed = True
    if table is not transaction.catalog.tables[table.name]:
        transaction.catalog = transaction.catalog.with_table(table)


def _drop_index(transaction: WriteTransaction, table: Table, index: TableIndex) -> None:
    found = transaction.target(INDEXES, index.document)
    assert found is not None, "an index of the catalog has its document"
    old, row, document = found
    transaction.delete_from(INDEXES, index.document, row, old=old, document=document)
    transaction.store.delete_index(index.id)


def _set_state(transaction: WriteTransaction, index: TableIndex, state: IndexState) -> TableIndex:
    """Enable or stage an index that is maintained already; its entries stay."""
    found = transaction.target(INDEXES, index.document)
    assert found is not None, "an index of the catalog has its document"
    old, row, document = found
    changed: Fields = {**document, "state": str(state)}
    transaction.update_in(INDEXES, index.document, row, old=old, document=document, changed=changed)
    return TableIndex(index.id, index.name, index.fields, state, index.document)


def _build_index(
    transaction: WriteTransaction, table: Table, declared: IndexDefinition, state: IndexState
) -> TableIndex:
    """Make an index, with an entry for every document that there is."""
    index_id = transaction.next_index_id()
    document = transaction.insert_into(
        INDEXES,
        {
            "tablet": float(table.tablet),
            "name": declared.name,
            "fields": list(declared.fields),
            "index": float(index_id),
            "state": str(state),
        },
    )
    index = TableIndex(index_id, declared.name, declared.fields, state, document)
    for page in _pages(transaction, table):
        for suffix, row, fields in page:
            # The key in creation order is just what follows the declared fields in every other index.
            transaction.store.insert_entry(index_id, index.prefix_of(fields) + suffix, row)
    return index


def _check_documents(
    transaction: WriteTransaction, schema: Schema, stored: StoredSchema, change: SchemaChange
) -> None:
    active = transaction.catalog.schema
    known = active.marks if active is not None else {}
    for name, mark in stored.marks.items():
        if known.get(name) == mark:
            continue
        validator = schema.tables[name].validator
        for page in _pages(transaction, transaction.catalog.tables[name]):
            for _, _, document in page:
                fields = {key: value for key, value in document.items() if key not in _SYSTEM_FIELDS}
                try:
                    validator.check(fields, transaction.catalog)
                except ValidationFailed as error:
                    raise SchemaMismatch(
                        table=name, id=document["_id"], path=error.path, detail=str(error)
                    ) from None
        change.tables_checked.append(name)


def _store(transaction: WriteTransaction, stored: StoredSchema, change: SchemaChange) -> None:
    active = transaction.catalog.schema
    if active is not None and active.key == stored.key:
        return
    fields: Fields = {"state": "active", "schema": stored.text, "marks": dict(stored.marks)}
    if active is None:
        document_id = transaction.insert_into(SCHEMAS, fields)
    else:
        document_id = active.document
        found = transaction.target(SCHEMAS, document_id)
        assert found is not None, "the active schema has its document"
        old, row, document = found
        changed = {name: document[name] for name in ("_id", "_creationTime")} | fields
        transaction.update_in(SCHEMAS, document_id, row, old=old, document=document, changed=changed)
    transaction.catalog = transaction.catalog.with_schema(
        StoredSchema(stored.text, stored.marks, document_id)
    )
    change.is_schema_changed = True


def _define_view(transaction: WriteTransaction, definition: TableDefinition) -> None:
    """Give SQL tools a column for every field that the table's validator names."""
    exported = definition.validator.to_json()
    named = exported["value"] if exported["type"] == "object" else {}
    transaction.define_view(transaction.catalog.tables[definition.name], sorted(named))


def _pages(transaction: WriteTransaction, table: Table) -> Iterator[list[tuple[bytes, int, Fields]]]:
    """Every document of a table as (key in creation order, row, content), a page at a time."""
    lower = b""
    while True:
        page = transaction.store.rows(table.by_creation_time, lower, limit=_PAGE)
        yield [(key, row, decode_stored(text)) for key, row, text in page]  # type: ignore[misc]
        if len(page) < _PAGE:
            return
        lower = page[-1][0] + b"\0"
