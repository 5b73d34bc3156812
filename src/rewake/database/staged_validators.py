"""Staged validators: whether a table's documents fit what they are to become, without refusing any.

Floor 2, `database`. Verdicts lie in the document of the active schema, under `staged`; how far a check has
come lies in `_backfills`, so that a step wakes nobody.

    the switch to a schema   begin_staged   a check begins for each new staged validator
    each step                take_staged_step   documents in order of creation, on the writer, to the very end
    each mutation            follow_writes   the net effect on each document of such a table

All three are within the writer's serial order, so a verdict is true at every commit. Where one says that all
documents fit, the switch to that validator checks none (`schema_check.py`).

Not here: what follows from what was found (`staged_verdict.py`). Source: semantics 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from rewake.database.active_schema import StoredSchema
from rewake.database.catalog import BACKFILLS, SCHEMAS, Catalog
from rewake.database.staged_verdict import StagedState, StagedVerdict
from rewake.database.table import Table
from rewake.database.writes import WriteTransaction
from rewake.limits import SCHEMA_STEP_ROWS_MAX
from rewake.schema import QuerySpec, ValidationFailed, Validator
from rewake.values import decode_stored_document, encode_key

_PAGE = 64
_WORK = "stage"
_ERROR_CHARACTERS_MAX = 4_096
"""A text holds the value that does not fit, which may be as large as a document."""
_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


def staged_verdicts(catalog: Catalog) -> Mapping[str, StagedVerdict]:
    """What is known, by table."""
    return catalog.schema.verdicts if catalog.schema is not None else {}


def begin_staged(transaction: WriteTransaction, before: Mapping[str, StagedVerdict]) -> None:
    """Begin with the staged validators of the schema that has just become active; `before` are the verdicts
    under the one that was, which hold on where the validator is the same.
    """
    schema = transaction.catalog.schema
    assert schema is not None, "it has just become active"
    verdicts = {}
    for table, mark in schema.staged_marks.items():
        known = before.get(table)
        verdicts[table] = known if known is not None and known.mark == mark else StagedVerdict(mark)
    for work in _work(transaction):
        table_name = str(work["document"])
        if table_name not in verdicts or before.get(table_name) != verdicts[table_name]:
            _remove(transaction, work)
    for table, verdict in verdicts.items():
        if verdict.state is StagedState.CHECKING and before.get(table) != verdict:
            _note_work(transaction, table, verdict.cursor)
    _store(transaction, verdicts)


def check_again(transaction: WriteTransaction, tables: Collection[str]) -> None:
    """Begin anew with the documents of `tables`: they have become others, and no log says which."""
    schema = transaction.catalog.schema
    if schema is None or not any(table in schema.verdicts for table in tables):
        return
    for work in _work(transaction):
        if work["document"] in tables:
            _remove(transaction, work)
    verdicts = dict(schema.verdicts)
    for table in tables:
        if table in verdicts:
            verdicts[table] = StagedVerdict(verdicts[table].mark)
            _note_work(transaction, table, b"")
    _store(transaction, verdicts)


def follow_writes(transaction: WriteTransaction) -> None:
    """Take in what a mutation came to. Last thing before its log row is made."""
    schema = transaction.catalog.schema
    if schema is None or not schema.verdicts:
        return
    tables = {
        table.tablet: table
        for name in schema.verdicts
        if (table := transaction.catalog.tables.get(name)) is not None
    }
    verdicts = dict(schema.verdicts)
    validators = transaction.schemas.staged(schema)
    # What the house looks up here is not the author's to pay for.
    usage = transaction.usage
    transaction.lift_limits()
    for write in transaction.log_writes():
        written = tables.get(write.tablet)
        if written is None:
            continue
        text = write.new if write.new is not None else write.old
        assert text is not None, "what came to nothing is left out"
        error = None
        if write.new is not None:
            error = _error(validators[written.name], write.new, transaction.catalog)
        verdict = verdicts[written.name]
        checked = b""
        if error is not None and verdict.state is StagedState.CHECKING:
            checked = next((w["cursor"] for w in _work(transaction) if w["document"] == written.name), b"")
        verdicts[written.name] = verdict.written(write.id, _key_of(text), error, checked=checked)
    for table_name, verdict in verdicts.items():
        _settle(transaction, table_name, schema.verdicts[table_name], verdict)
    if verdicts != schema.verdicts:
        _store(transaction, verdicts)
    transaction.usage = usage


def take_staged_step(transaction: WriteTransaction, *, is_time_up: Callable[[], bool]) -> bool:
    """Check documents of the first table whose check is under way until `is_time_up`, but at least one page.
    Whether there was anything to do.
    """
    work = next(iter(_work(transaction)), None)
    schema = transaction.catalog.schema
    if work is None or schema is None:
        return False
    name, cursor, rows = str(work["document"]), work["cursor"], 0
    verdict, validator = schema.verdicts[name], transaction.schemas.staged(schema)[name]
    for key, text in _documents(transaction, transaction.catalog.tables[name], after=cursor):
        error = _error(validator, text, transaction.catalog)
        if error is not None:
            verdict = verdict.found(_id_of(text), error, after=cursor)
            break
        cursor, rows = key, rows + 1
        if rows >= SCHEMA_STEP_ROWS_MAX or is_time_up():
            _change_work(transaction, work, {"cursor": cursor, "done": work["done"] + rows})
            return True
    else:
        verdict = verdict.all_fit()
    _remove(transaction, work)
    _store(transaction, {**schema.verdicts, name: verdict})
    return True


def _settle(transaction: WriteTransaction, table: str, old: StagedVerdict, new: StagedVerdict) -> None:
    """Begin a check, or end one, where the verdict says so."""
    if old.state is new.state:
        return
    if new.state is StagedState.CHECKING:
        _note_work(transaction, table, new.cursor)
    elif old.state is StagedState.CHECKING:
        for work in _work(transaction):
            if work["document"] == table:
                _remove(transaction, work)


def _documents(transaction: WriteTransaction, table: Table, *, after: bytes) -> Iterator[tuple[bytes, str]]:
    lower = after + b"\0" if after else b""
    while True:
        page = transaction.store.rows(table.by_creation_time, lower, limit=_PAGE)
        for key, _, text in page:
            yield key, text
        if len(page) < _PAGE:
            return
        lower = page[-1][0] + b"\0"


def _error(validator: Validator, text: str, catalog: Catalog) -> str | None:
    document = decode_stored_document(text)
    fields = {name: value for name, value in document.items() if name not in _SYSTEM_FIELDS}
    try:
        validator.check(fields, catalog)
    except ValidationFailed as error:
        return str(error)[:_ERROR_CHARACTERS_MAX]
    return None


def _key_of(text: str) -> bytes:
    document: Any = decode_stored_document(text)
    return encode_key([document["_creationTime"]]) + encode_key([document["_id"]])


def _id_of(text: str) -> str:
    document: Any = decode_stored_document(text)
    return str(document["_id"])


# Documents of the house.


def _store(transaction: WriteTransaction, verdicts: Mapping[str, StagedVerdict]) -> None:
    schema = transaction.catalog.schema
    assert schema is not None, "verdicts belong to the active schema"
    found = transaction.target(SCHEMAS, schema.document)
    assert found is not None, "the active schema has its document"
    old, row, document = found
    changed = {name: value for name, value in document.items() if name != "staged"}
    if verdicts:
        changed["staged"] = {table: verdict.to_document() for table, verdict in verdicts.items()}
    transaction.update_in(SCHEMAS, schema.document, row, old=old, document=document, changed=changed)
    stored = StoredSchema(schema.text, schema.marks, schema.document, dict(verdicts))
    transaction.catalog = transaction.catalog.with_schema(stored)


def _work(transaction: WriteTransaction) -> list[dict[str, Any]]:
    found: list[Any] = [
        decode_stored_document(text) for text in transaction.system.scan(QuerySpec("_backfills"))
    ]
    return [each for each in found if each["work"] == _WORK]


def _note_work(transaction: WriteTransaction, table: str, cursor: bytes) -> None:
    tablet = transaction.catalog.tables[table].tablet
    transaction.insert_into(
        BACKFILLS,
        {
            "work": _WORK,
            "tablet": float(tablet),
            "index": 0.0,
            "document": table,
            "cursor": cursor,
            "until": b"",
            "done": 0.0,
            "total": 0.0,
        },
    )


def _change_work(transaction: WriteTransaction, work: Mapping[str, Any], fields: dict[str, Any]) -> None:
    found = transaction.target(BACKFILLS, work["_id"])
    assert found is not None, "it was just read"
    old, row, document = found
    transaction.update_in(BACKFILLS, work["_id"], row, old=old, document=document, changed=document | fields)


def _remove(transaction: WriteTransaction, work: Mapping[str, Any]) -> None:
    found = transaction.target(BACKFILLS, work["_id"])
    assert found is not None, "it was just read"
    old, row, document = found
    transaction.delete_from(BACKFILLS, work["_id"], row, old=old, document=document)
