"""Schema records: the documents of `_schemas`, and what each state of one means.

Floor 2, `database`.

    pending -> validated -> active               the one that is enforced
          `--> failed | overwritten              the last one of these is kept, with `error` and `table`

There is at most one active schema, at most one that is pending or validated, and one that came to nothing.

Not here: what a change of schema does to indexes (`schema_change.py`). Source: spec/semantics 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from rewake.database.active_schema import StoredSchema
from rewake.database.catalog import SCHEMAS
from rewake.database.document_writes import Fields
from rewake.database.writes import WriteTransaction
from rewake.schema import QuerySpec
from rewake.values import decode_stored_document


class SchemaState(StrEnum):
    """What a stored schema is."""

    PENDING = "pending"
    VALIDATED = "validated"
    ACTIVE = "active"
    FAILED = "failed"
    OVERWRITTEN = "overwritten"


_WAITING = (SchemaState.PENDING, SchemaState.VALIDATED)
_ENDED = (SchemaState.FAILED, SchemaState.OVERWRITTEN)


class SchemaRecord(msgspec.Struct, frozen=True):
    """A document of `_schemas`."""

    id: str
    state: SchemaState
    stored: StoredSchema


def waiting_schema(transaction: WriteTransaction) -> SchemaRecord | None:
    """The schema that is pending or validated, if any."""
    return next((record for record in _records(transaction) if record.state in _WAITING), None)


def store_pending(transaction: WriteTransaction, stored: StoredSchema) -> SchemaRecord:
    """Store a schema as the pending one. There is none."""
    id = transaction.insert_into(SCHEMAS, _fields(SchemaState.PENDING, stored))
    return SchemaRecord(id, SchemaState.PENDING, stored)


def note_validated(transaction: WriteTransaction, id: str) -> None:
    """Every document fits the pending schema; nothing happens where it is none any more."""
    for record in _records(transaction):
        if record.id == id and record.state is SchemaState.PENDING:
            _change(transaction, record, _fields(SchemaState.VALIDATED, record.stored))


def end_schema(
    transaction: WriteTransaction,
    record: SchemaRecord,
    state: SchemaState,
    *,
    error: str = "",
    table: str = "",
) -> None:
    """A schema that waited came to nothing; what is known of an earlier one that did is forgotten."""
    assert state in _ENDED, "it was failed or overwritten"
    for other in _records(transaction):
        if other.state in _ENDED:
            _delete(transaction, other)
    fields = _fields(state, record.stored)
    _change(transaction, record, fields | ({"error": error, "table": table} if error else {}))


def activate(transaction: WriteTransaction, stored: StoredSchema) -> None:
    """Make a schema the active one, in the place of whichever is."""
    active = transaction.catalog.schema
    fields = _fields(SchemaState.ACTIVE, stored)
    waiting = waiting_schema(transaction)
    if waiting is not None and waiting.stored.key == stored.key:
        id = waiting.id
        _change(transaction, waiting, fields)
        if active is not None:
            _delete(transaction, SchemaRecord(active.document, SchemaState.ACTIVE, active))
    elif active is not None:
        id = active.document
        _change(transaction, SchemaRecord(id, SchemaState.ACTIVE, active), fields)
    else:
        id = transaction.insert_into(SCHEMAS, fields)
    transaction.catalog = transaction.catalog.with_schema(StoredSchema(stored.text, stored.marks, id))


def _records(transaction: WriteTransaction) -> list[SchemaRecord]:
    found = []
    for text in list(transaction.system.scan(QuerySpec("_schemas"))):
        document = decode_stored_document(text)
        marks = document["marks"]
        assert isinstance(marks, Mapping)
        stored = StoredSchema(str(document["schema"]), {k: str(m) for k, m in marks.items()})
        found.append(SchemaRecord(str(document["_id"]), SchemaState(str(document["state"])), stored))
    return found


def _fields(state: SchemaState, stored: StoredSchema) -> Fields:
    return {"state": str(state), "schema": stored.text, "marks": dict(stored.marks)}


def _change(transaction: WriteTransaction, record: SchemaRecord, fields: Fields) -> None:
    found = transaction.target(SCHEMAS, record.id)
    assert found is not None, "it was just read"
    old, row, document = found
    changed = {name: document[name] for name in ("_id", "_creationTime")} | fields
    transaction.update_in(SCHEMAS, record.id, row, old=old, document=document, changed=changed)


def _delete(transaction: WriteTransaction, record: SchemaRecord) -> None:
    found = transaction.target(SCHEMAS, record.id)
    assert found is not None, "it was just read"
    old, row, document = found
    transaction.delete_from(SCHEMAS, record.id, row, old=old, document=document)
