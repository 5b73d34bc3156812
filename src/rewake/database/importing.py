"""Imports: rows go into hidden tables in steps, and one small transaction gives these their names.

Floor 2, `database`. Everything is a step of the writer that can be taken twice; what it came to lies in the
documents of the hidden tables (`hidden_tables.py`).

    declare -> copy_step* (append to documents that stay) -> load_rows* -> switch
                                                                        -> give_up

Until the switch nobody can see a row, and other mutations go on between steps. A table that keeps its
documents is copied first; what is written to it meanwhile is found in the commit log and repeated in the
copy, up to the switch itself. What is written to a table that is replaced is replaced with it.

The switch changes the documents of `_tables` and `_indexes`, so whoever read one of the tables wakes. The
tablets that served are kept for reads at an older timestamp (`hidden_tables.py`).

Not here: reading files (`archive`), which table has which number (`import_numbers.py`), in which order steps
are taken (`deployment/importing.py`). Source: DESIGN 7; semantics 10.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rewake.database.catalog import (
    BACKFILLS,
    INDEXES,
    STORAGE,
    TABLES,
    TABLES_BY_NAME,
    TABLETS,
    Catalog,
    HiddenTable,
    IndexState,
    Table,
    TableIndex,
    TabletRole,
)
from rewake.database.files import restore_file
from rewake.database.hidden_tables import (
    add_row,
    build,
    building_of,
    find_row,
    new_tablet,
    note_progress,
    progress_of,
    remove_row,
    retire,
    unhide,
)
from rewake.database.import_numbers import NumberPlan, Wanted, plan_numbers
from rewake.database.schema_change import define_view_of, schema_of
from rewake.database.staged_validators import check_again
from rewake.database.writes import Fields, WriteTransaction
from rewake.errors import Conflict, InvalidInput
from rewake.limits import SCHEMA_STEP_ROWS_MAX, TABLES_MAX
from rewake.schema import QuerySpec, ValidationFailed
from rewake.values import Int64, decode_stored_document, encode_key, key_successor

_PAGE = 64
_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


class ImportNotEmpty(Conflict):
    """The import would add to tables that have documents. Say whether to add to them or to replace them."""

    code = "ImportTableNotEmpty"
    template = (
        "There are documents already in {tables}. Import with `--append` to add to them, with `--replace` to "
        "replace them, or with `--replace-all` to empty the other tables too."
    )


class ImportMetChange(Conflict):
    """Something changed under the import. Nothing was imported; start it again."""

    code = "ImportMetChange"
    template = "The import came to nothing, because {what} meanwhile. Nothing was changed; import again."


class ImportedRowRefused(InvalidInput):
    """A row cannot be stored. Mend it and import again."""

    code = "ImportedRowRefused"
    template = "{detail}"


@dataclass(frozen=True, slots=True)
class TableRequest:
    """A table that the file has."""

    name: str
    number: int | None


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What an import is to do."""

    id: str
    mode: str
    """`requireEmpty`, `append`, `replace` or `replaceAll`."""
    tables: tuple[TableRequest, ...]
    storage_number: int | None = None
    """What ids of files in it have."""

    @property
    def names(self) -> frozenset[str]:
        """The tables."""
        return frozenset(table.name for table in self.tables)


@dataclass(frozen=True, slots=True)
class Declared:
    """A hidden table that is ready to be filled."""

    document: str
    name: str
    number: int
    copies: bool
    """Documents that stay are to be copied first."""


# The beginning.


def declare_import(transaction: WriteTransaction, request: ImportRequest) -> list[Declared]:
    """Begin the hidden tables of an import; again, the same ones.

    Raises:
        ImportNotEmpty, ImportNumberTaken, ImportNumberForeign, ImportNumberInvalid, ImportMetChange: it
        cannot be.
    """
    transaction.lift_limits()
    known = building_of(transaction, request.id)
    if not known:
        plan = check_request(transaction, request)
        for wanted in request.tables:
            existing = transaction.catalog.tables.get(wanted.name)
            number = plan.numbers[wanted.name]
            if number is None:
                number = transaction.head.next_number
                transaction.head.next_number += 1
            transaction.head.next_number = max(transaction.head.next_number, number + 1)
            table = new_tablet(transaction, wanted.name, number, existing)
            copies = existing is not None and _keeps(transaction, request, existing)
            progress: Fields = {"copies": copies, "isCopied": not copies, "cursor": b"", "done": 0.0}
            progress["followed"] = Int64(transaction.head.last_ts)
            build(transaction, table, owner=request.id, progress=progress)
        known = building_of(transaction, request.id)
    return [
        Declared(
            hidden.document,
            hidden.table.name,
            hidden.table.number,
            progress_of(transaction, hidden)["copies"],
        )
        for hidden in known
    ]


def check_request(transaction: WriteTransaction, request: ImportRequest) -> NumberPlan:
    """Look whether the import may be, as things stand; nothing is written.

    Raises:
        See `declare_import`.
    """
    catalog = transaction.catalog
    if request.mode == "requireEmpty":
        full = [name for name in sorted(request.names) if not _is_empty(transaction, name)]
        if full:
            raise ImportNotEmpty(tables=", ".join(f'"{name}"' for name in full))
    new = [name for name in request.names if name not in catalog.tables]
    if len(catalog.user_tables()) + len(new) > TABLES_MAX:
        raise ImportMetChange(what=f"there would be more than {TABLES_MAX} tables")
    wanted = []
    for table in request.tables:
        existing = catalog.tables.get(table.name)
        keeps = existing is not None and _keeps(transaction, request, existing)
        wanted.append(Wanted(table.name, keeps, table.number))
    plan = plan_numbers(
        catalog,
        wanted,
        storage_number=request.storage_number,
        is_emptied=lambda name: _is_replaced(request, catalog, name) or _is_empty(transaction, name),
    )
    _check_references(transaction, request, plan)
    return plan


def _is_replaced(request: ImportRequest, catalog: Catalog, name: str) -> bool:
    return request.mode == "replaceAll" and name in catalog.tables and not catalog.tables[name].is_system


def _keeps(transaction: WriteTransaction, request: ImportRequest, table: Table) -> bool:
    return request.mode == "append" and not _is_empty(transaction, table.name)


def _is_empty(transaction: WriteTransaction, name: str) -> bool:
    table = transaction.catalog.tables.get(name)
    if table is None:
        return True
    if table.is_system:
        return False
    return not transaction.store.page(table.by_creation_time, b"", None, descending=False, limit=1)


def _check_references(transaction: WriteTransaction, request: ImportRequest, plan: NumberPlan) -> None:
    """Documents that stay must not come to hold ids that their table's schema does not take any more."""
    catalog = transaction.catalog
    if catalog.schema is None or request.mode == "replaceAll":
        return
    moved = {
        name
        for name, number in plan.numbers.items()
        if name in catalog.tables and number != catalog.tables[name].number
    } | set(plan.renumbered)
    if not moved:
        return
    validators = transaction.schemas.validators(catalog.schema)
    for name, validator in sorted(validators.items()):
        stays = name not in request.names or (name in catalog.tables and request.mode == "append")
        named = referenced(validator.to_json()) & moved
        if stays and named and not _is_empty(transaction, name):
            raise ImportMetChange(
                what=f'documents of "{name}" hold ids of "{sorted(named)[0]}", which get another table '
                f'number with this file (import "{name}" too, or use `--replace-all`), so they would be lost'
            )


def referenced(exported: object) -> set[str]:
    """The tables that an exported validator names in `v.id`."""
    if isinstance(exported, list):
        return {name for part in exported for name in referenced(part)}
    if not isinstance(exported, Mapping):
        return set()
    named = {str(exported["tableName"])} if exported.get("type") == "id" else set()
    return named | {name for part in exported.values() for name in referenced(part)}


# Rows.


class _Afterwards:
    """The table numbers that there will be after the switch, for the validators of ids."""

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
    for log_row in transaction.store.log_rows(after=followed):
        for write in log_row.writes:
            if write.tablet != source.tablet:
                continue
            found = find_row(transaction, hidden.table, write.id)
            if found is not None:
                remove_row(transaction, hidden.table, *found)
            if write.new is not None:
                add_row(transaction, hidden.table, write.new, decode_stored_document(write.new))
        followed = log_row.ts
        if is_time_up():
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


# The switch.


def switch_import(
    transaction: WriteTransaction, request: ImportRequest, files: Iterable[tuple[str, Fields]] = ()
) -> None:
    """Give the hidden tables of an import their names, all at once. `files` are keys of blobs, with the
    documents of their files.

    Raises:
        ImportNotEmpty, ImportMetChange, UploadLost, ...: it cannot be; nothing is changed.
    """
    transaction.lift_limits()
    hidden = building_of(transaction, request.id)
    if {each.table.name for each in hidden} != request.names:
        raise ImportMetChange(what="it was given up")
    plan = check_request(transaction, request)
    built = {each.table.name: _checked(transaction, request, plan, each) for each in hidden}
    after = dict(transaction.catalog.tables)
    if request.mode == "replaceAll":
        for table in transaction.catalog.user_tables():
            if table.name not in built and not _is_empty(transaction, table.name):
                built[table.name] = new_tablet(transaction, table.name, table.number, table)
    for each in hidden:
        unhide(transaction, each)
    for name, table in built.items():
        after[name] = _install(transaction, transaction.catalog.tables.get(name), table)
    for name in plan.renumbered:
        number = transaction.head.next_number
        transaction.head.next_number += 1
        after[name] = _renumber(transaction, after[name], number)
    transaction.catalog = transaction.catalog.with_tables(after)
    _add_storage_number(transaction, request.storage_number)
    for key, document in files:
        restore_file(transaction, key, document)
    for name in built:
        _define_view(transaction, transaction.catalog.tables[name])
    check_again(transaction, list(built))


def _checked(
    transaction: WriteTransaction, request: ImportRequest, plan: NumberPlan, hidden: HiddenTable
) -> Table:
    """The table of a hidden one that is complete, and still what the rest of the deployment asks for."""
    name, progress = hidden.table.name, progress_of(transaction, hidden)
    existing = transaction.catalog.tables.get(name)
    keeps = existing is not None and _keeps(transaction, request, existing)
    planned = plan.numbers[name]
    if keeps != progress["copies"] or planned not in (None, hidden.table.number):
        raise ImportMetChange(what=f'the table "{name}" was changed')
    if progress["copies"] and not copy_step(transaction, hidden.document, is_time_up=lambda: False):
        raise ImportMetChange(what=f'too much was written to the table "{name}"')
    return hidden.table


def _install(transaction: WriteTransaction, old: Table | None, new: Table) -> Table:
    """Write the documents by which a table has its name, and retire the one that had it."""
    fields: Fields = {
        "name": new.name,
        "number": float(new.number),
        "tablet": float(new.tablet),
        "byId": float(new.by_id),
        "byCreationTime": float(new.by_creation_time),
        "imported": True,
    }
    if old is None:
        transaction.insert_into(TABLES, fields)
        old_indexes: tuple[TableIndex, ...] = ()
    else:
        _update_table(transaction, old, fields)
        old_indexes = old.declared
        _forget_indexes(transaction, old)
        retire(transaction, old)
    installed = Table(new.name, new.number, new.tablet, new.by_id, new.by_creation_time, is_imported=True)
    for index in old_indexes:
        installed = installed.with_index(_install_index(transaction, new, index))
    return installed


def _install_index(transaction: WriteTransaction, new: Table, old: TableIndex) -> TableIndex:
    """The index of the new tablet that is what `old` was, as far as that had come or further."""
    for index in new.declared:
        if (index.name, index.fields) == (old.name, old.fields):
            break
    else:
        raise ImportMetChange(what=f'the index "{new.name}.{old.name}" was declared')
    state = IndexState.READY if old.state is IndexState.BACKFILLING else old.state
    document = transaction.insert_into(
        INDEXES,
        {
            "tablet": float(new.tablet),
            "becomes" if old.is_beside else "name": old.name,
            "fields": list(old.fields),
            "index": float(index.id),
            "state": str(state),
            "staged": old.staged,
        },
    )
    return TableIndex(index.id, old.name, old.fields, state, document, old.staged, old.is_beside)


def _forget_indexes(transaction: WriteTransaction, old: Table) -> None:
    """Remove the documents of a table's indexes, and the work on them."""
    ids = {index.id for index in old.declared}
    for text in list(transaction.system.scan(QuerySpec(BACKFILLS.name))):
        work = decode_stored_document(text)
        if work["work"] == "build" and int(work["index"]) in ids:
            _remove(transaction, BACKFILLS, work["_id"])
    for index in old.declared:
        _remove(transaction, INDEXES, index.document)


def _remove(transaction: WriteTransaction, table: Table, id: str) -> None:
    found = transaction.target(table, id)
    assert found is not None, "it was just read"
    old, row, document = found
    transaction.delete_from(table, id, row, old=old, document=document)


def _update_table(transaction: WriteTransaction, table: Table, fields: Fields) -> None:
    # The catalog does not keep the id of a table's document.
    lower = encode_key([table.name])
    page = transaction.store.page(TABLES_BY_NAME, lower, key_successor(lower), descending=False, limit=1)
    assert page, "a table of the catalog has its document"
    target = transaction.target(TABLES, decode_stored_document(page[0][1])["_id"])
    assert target is not None, "an index has just shown it"
    old, row, document = target
    id, changed = str(document["_id"]), {**document, **fields}
    transaction.update_in(TABLES, id, row, old=old, document=document, changed=changed)


def _renumber(transaction: WriteTransaction, table: Table, number: int) -> Table:
    """Give an empty table another number."""
    _update_table(transaction, table, {"number": float(number)})
    return replace(table, number=number)


def _add_storage_number(transaction: WriteTransaction, number: int | None) -> None:
    known = transaction.catalog.storage_numbers
    if number is None or number == STORAGE.number or number in known:
        return
    transaction.insert_into(
        TABLETS, {"role": str(TabletRole.ALIAS), "name": STORAGE.name, "number": float(number)}
    )
    transaction.head.next_number = max(transaction.head.next_number, number + 1)
    transaction.catalog = transaction.catalog.with_storage_numbers(known | {number})


def _define_view(transaction: WriteTransaction, table: Table) -> None:
    schema = transaction.catalog.schema
    definition = None if schema is None else schema_of(schema).tables.get(table.name)
    if definition is None:
        transaction.define_view(table, ())
    else:
        define_view_of(transaction, definition)
