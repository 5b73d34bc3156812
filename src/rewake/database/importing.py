"""Imports: rows go into hidden tables in steps, and one small transaction gives these their names.

Floor 2, `database`. Everything is a step of the writer that can be taken twice; what it came to lies in the
documents of the hidden tables (`hidden_tables.py`).

    declare_import -> rows (`import_rows.py`) -> switch_import
                                              -> give_up_hidden

Until the switch nobody can see a row, and other mutations go on between steps. What is written meanwhile to
a table that keeps its documents stays, up to the switch itself; what is written to one that is replaced is
replaced with it.

The switch changes the documents of `_tables` and `_indexes`, so whoever read one of the tables wakes. The
tablets that served are kept for reads at an older timestamp (`hidden_tables.py`).

Not here: reading files (`archive`), which table has which number (`import_numbers.py`), in which order steps
are taken (`deployment/importing.py`). Source: DESIGN 7; semantics 10.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from rewake.database.catalog import BACKFILLS, INDEXES, STORAGE, TABLES, TABLES_BY_NAME, TABLETS, Catalog
from rewake.database.document_writes import Fields
from rewake.database.files import restore_file
from rewake.database.hidden_tables import (
    build,
    building_of,
    new_tablet,
    progress_of,
    retire,
    unhide,
)
from rewake.database.import_numbers import NumberPlan, Wanted, plan_numbers
from rewake.database.import_rows import ImportMetChange, copy_step
from rewake.database.schema_change import define_view_of, schema_of
from rewake.database.staged_validators import check_again
from rewake.database.table import HiddenTable, IndexState, Table, TableIndex, TabletRole
from rewake.database.writes import WriteTransaction
from rewake.errors import Conflict
from rewake.limits import TABLES_MAX
from rewake.schema import QuerySpec
from rewake.values import Int64, decode_stored_document, encode_key, key_successor


class ImportNotEmpty(Conflict):
    """The import would add to tables that have documents. Say whether to add to them or to replace them."""

    code = "ImportTableNotEmpty"
    template = (
        "There are documents already in {tables}. Import with `--append` to add to them, with `--replace` to "
        "replace them, or with `--replace-all` to empty the other tables too."
    )


class TableRequest(msgspec.Struct, frozen=True):
    """A table that the file has."""

    name: str
    number: int | None


class ImportRequest(msgspec.Struct, frozen=True):
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


class Declared(msgspec.Struct, frozen=True):
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
