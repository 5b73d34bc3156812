"""The rows of an import: into hidden tables, in steps of the writer that can be taken twice.

Floor 2, `database`. A table that keeps its documents is copied first; what is written to it meanwhile is
found in the commit log and repeated in the copy. How far a step came lies in the document of the hidden
table, in the step's own transaction.

    copy_step* (append to documents that stay) -> load_rows*

Not here: which hidden tables there are, and the switch (`importing.py`). Source: DESIGN 7; semantics 10.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rewake.database.hidden_tables import (
    add_row,
    building_of,
    find_row,
    note_progress,
    progress_of,
    remove_row,
)
from rewake.database.table import HiddenTable, Table, TabletRole
from rewake.database.writes import WriteTransaction
from rewake.errors import Conflict, InvalidInput
from rewake.limits import SCHEMA_STEP_ROWS_MAX
from rewake.schema import NOTHING_READ, ValidationFailed
from rewake.values import Int64, decode_stored_document

_PAGE = 64
_LOG_ROWS = 256
"""Rows about other tables between two looks at the clock."""
_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


class ImportMetChange(Conflict):
    """Something changed under the import. Nothing was imported; start it again."""

    code = "ImportMetChange"
    template = "The import came to nothing, because {what} meanwhile. Nothing was changed; import again."


class ImportedRowRefused(InvalidInput):
    """A row cannot be stored. Mend it and import again."""

    code = "ImportedRowRefused"
    template = "{detail}"


class _Afterwards:
    """The table numbers that there will be after the switch, for the validators of ids."""

    read_ids = NOTHING_READ

    def __init__(self, transaction: WriteTransaction, owner: str) -> None:
        self._catalog = transaction.catalog
        hidden = [each.table for each in building_of(transaction, owner)]
        self._numbers = {table.number: table.name for table in hidden}
        self._moved = {table.name for table in hidden}

    def table_name(self, number: int) -> str | None:
        """See `Catalog.table_name`."""
        name = self._numbers.get(number) or self._catalog.table_name(number)
        return None if number not in self._numbers and name in self._moved else name


def load_rows(
    transaction: WriteTransaction,
    document: str,
    *,
    position: int,
    texts: Sequence[str],
    is_time_up: Callable[[], bool],
) -> int:
    """Store rows in a hidden table until the time is up, at least one; returns how many it has of the file.

    `texts` are canonical documents, of which the first is the row number `position` of the file, from 0.
    Those that an earlier attempt has stored already are passed over.

    Raises:
        ImportedRowRefused: one cannot be stored; the field `position` says which.
        ImportMetChange: the import was given up.
    """
    transaction.lift_limits()
    hidden = _building(transaction, document)
    table, done = hidden.table, int(progress_of(transaction, hidden)["done"])
    schema = transaction.catalog.schema
    validator = None if schema is None else transaction.schemas.validators(schema).get(table.name)
    afterwards = _Afterwards(transaction, hidden.owner)
    for number, text in enumerate(texts[max(0, done - position) :], max(done, position)):
        row = decode_stored_document(text)
        if find_row(transaction, table, row["_id"]) is not None:
            raise ImportedRowRefused(
                detail=f"the id {row['_id']} is taken: by another row, or by a document that stays",
                position=number,
            )
        if validator is not None:
            fields = {name: value for name, value in row.items() if name not in _SYSTEM_FIELDS}
            try:
                validator.check(fields, afterwards)
            except ValidationFailed as error:
                raise ImportedRowRefused(
                    detail=f"it does not match the schema of the table {table.name}: {error}",
                    position=number,
                ) from None
        add_row(transaction, table, text, row)
        done = number + 1
        if is_time_up():
            break
    note_progress(transaction, hidden, {"done": float(done)})
    return done


def copy_step(transaction: WriteTransaction, document: str, *, is_time_up: Callable[[], bool]) -> bool:
    """Copy documents that stay into a hidden table until the time is up; whether all are there.

    Raises:
        ImportMetChange: the table was replaced, or the log does not reach back any more.
    """
    transaction.lift_limits()
    hidden = _building(transaction, document)
    progress = progress_of(transaction, hidden)
    if not progress["copies"]:
        return True
    source = transaction.catalog.tables.get(hidden.table.name)
    if source is None:
        raise ImportMetChange(what=f'the table "{hidden.table.name}" was deleted')
    is_over = _follow(transaction, hidden, progress, source, is_time_up)
    if not is_over or progress["isCopied"]:
        return is_over
    cursor, rows = progress["cursor"], 0
    while True:
        page = transaction.store.rows(source.by_creation_time, cursor + b"\0" if cursor else b"", limit=_PAGE)
        for key, _, text in page:
            row = decode_stored_document(text)
            if find_row(transaction, hidden.table, row["_id"]) is None:
                add_row(transaction, hidden.table, text, row)
            cursor, rows = key, rows + 1
            if rows >= SCHEMA_STEP_ROWS_MAX or is_time_up():
                note_progress(transaction, hidden, {"cursor": cursor})
                return False
        if len(page) < _PAGE:
            note_progress(transaction, hidden, {"cursor": cursor, "isCopied": True})
            return True


def _follow(
    transaction: WriteTransaction,
    hidden: HiddenTable,
    progress: Mapping[str, Any],
    source: Table,
    is_time_up: Callable[[], bool],
) -> bool:
    """Repeat in the copy what was written to the table meanwhile; whether nothing is left.

    A row is repeated also where its document was not copied yet: the copy then finds it there.
    """
    followed = int(progress["followed"])
    if transaction.head.log_floor_ts > followed:
        raise ImportMetChange(what="more was written than the commit log keeps")
    for seen, log_row in enumerate(transaction.store.log_rows(after=followed), 1):
        # Rows about other tables cost next to nothing; each step of ours adds one, so they must not count.
        is_dear = seen % _LOG_ROWS == 0
        for write in log_row.writes:
            if write.tablet != source.tablet:
                continue
            is_dear = True
            found = find_row(transaction, hidden.table, write.id)
            if found is not None:
                remove_row(transaction, hidden.table, *found)
            if write.new is not None:
                add_row(transaction, hidden.table, write.new, decode_stored_document(write.new))
        followed = log_row.ts
        if is_dear and is_time_up():
            note_progress(transaction, hidden, {"followed": Int64(followed)})
            return False
    # Our own progress is a log row too: without one there is nothing to write down.
    if followed != int(progress["followed"]):
        note_progress(transaction, hidden, {"followed": Int64(followed)})
    return True


def _building(transaction: WriteTransaction, document: str) -> HiddenTable:
    for hidden in transaction.catalog.hidden:
        if hidden.document == document and hidden.role is TabletRole.BUILDING:
            return hidden
    raise ImportMetChange(what="it was given up")
