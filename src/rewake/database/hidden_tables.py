"""Hidden tables: tablets that no name leads to, because an import fills them or because they have served.

Floor 2, `database`. Rows go into a tablet that is being built without the commit log: nobody can have read
them. The switch (`importing.py`) gives it the name; the tablet that had it is kept as long as reads at an
older timestamp may want it, and then goes in steps.

    build -> add_row* -> (the switch) | give_up           retire -> tend_hidden* -> gone

`_tablets` has a document for each, with how far the work on it has come, so that a step which a dying writer
may have committed can be taken again. Each step ends when its time is up.

Not here: what is built and when it is switched to (`importing.py`), who takes steps (`execution`).
Source: DESIGN 7; semantics 10.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from rewake.database.catalog import TABLETS, hidden_of
from rewake.database.document_writes import Fields
from rewake.database.table import HiddenTable, IndexState, Table, TableIndex, TabletRole
from rewake.database.writes import WriteTransaction
from rewake.limits import SCHEMA_STEP_ROWS_MAX
from rewake.values import Int64, decode_stored_document, encode_key

_PAGE = 64
"""Documents read at once, as for building an index."""


def new_tablet(transaction: WriteTransaction, name: str, number: int, like: Table | None) -> Table:
    """A table with a fresh tablet and an index for each that `like` keeps up. Nothing is stored."""
    head = transaction.head
    table = Table(
        name=name,
        number=number,
        tablet=head.next_tablet,
        by_id=head.next_index,
        by_creation_time=head.next_index + 1,
        is_imported=True,
    )
    head.next_tablet += 1
    head.next_index += 2
    for index in like.declared if like is not None else ():
        ready = IndexState.READY if index.state is IndexState.BACKFILLING else index.state
        table = table.with_index(replace(index, id=transaction.next_index_id(), state=ready, document=""))
    return table


def build(transaction: WriteTransaction, table: Table, *, owner: str, progress: Fields) -> HiddenTable:
    """Begin a tablet that nobody sees, for the import `owner`; `progress` is what its steps keep."""
    return _hide(transaction, table, TabletRole.BUILDING, owner=owner, since=0, progress=progress)


def retire(transaction: WriteTransaction, table: Table) -> None:
    """Keep a tablet that has just lost its name for reads at an older timestamp."""
    _hide(transaction, table, TabletRole.RETIRED, owner="", since=transaction.head.last_ts, progress={})


def unhide(transaction: WriteTransaction, hidden: HiddenTable) -> None:
    """Forget that a tablet is hidden: it has a name now, or is gone."""
    found = transaction.target(TABLETS, hidden.document)
    assert found is not None, "the catalog knows it by its document"
    old, row, document = found
    transaction.delete_from(TABLETS, hidden.document, row, old=old, document=document)
    left = tuple(each for each in transaction.catalog.hidden if each.document != hidden.document)
    transaction.catalog = transaction.catalog.with_hidden(left)


def give_up_hidden(transaction: WriteTransaction, *, owner: str | None) -> None:
    """What the import `owner` (None: any import) has built is not wanted: it goes in steps."""
    for hidden in building_of(transaction, owner):
        _change_role(transaction, hidden, TabletRole.CLEARING)


def building_of(transaction: WriteTransaction, owner: str | None) -> list[HiddenTable]:
    """What an import is building, or any import where `owner` is None."""
    return [
        hidden
        for hidden in transaction.catalog.hidden
        if hidden.role is TabletRole.BUILDING and (owner is None or hidden.owner == owner)
    ]


def progress_of(transaction: WriteTransaction, hidden: HiddenTable) -> dict[str, Any]:
    """The document of a hidden table: how far the work on it has come."""
    found = transaction.target(TABLETS, hidden.document)
    assert found is not None, "the catalog knows it by its document"
    return found[2]


def note_progress(transaction: WriteTransaction, hidden: HiddenTable, progress: Mapping[str, Any]) -> None:
    """Write down how far the work has come."""
    found = transaction.target(TABLETS, hidden.document)
    assert found is not None, "the catalog knows it by its document"
    old, row, document = found
    changed = {**document, **progress}
    transaction.update_in(TABLETS, hidden.document, row, old=old, document=document, changed=changed)


def find_row(transaction: WriteTransaction, table: Table, id: str) -> tuple[str, int] | None:
    """A document of a hidden table, and where it lies."""
    return transaction.store.find_row(table.by_id, encode_key([id]))


def add_row(transaction: WriteTransaction, table: Table, text: str, document: Mapping[str, Any]) -> None:
    """Store a document in a hidden table, which has none of its id."""
    keys = table.keys_of(document)
    transaction.store.insert_document(table.tablet, text, keys)


def remove_row(transaction: WriteTransaction, table: Table, text: str, row: int) -> None:
    """Remove a document from a hidden table."""
    document = decode_stored_document(text)
    transaction.store.delete_document(row)
    for index_id, key in table.keys_of(document):
        transaction.store.delete_entry(index_id, key)


def tend_hidden(transaction: WriteTransaction, *, is_time_up: Callable[[], bool]) -> bool:
    """Do a step of what is to be done with tablets that have served: let go those that no read can want any
    more, and clear one away until the time is up. Whether there was anything to do.
    """
    for hidden in transaction.catalog.hidden:
        if hidden.role is TabletRole.RETIRED and transaction.head.log_floor_ts > hidden.since:
            _change_role(transaction, hidden, TabletRole.CLEARING)
            return True
    for hidden in transaction.catalog.hidden:
        if hidden.role is TabletRole.CLEARING:
            _clear(transaction, hidden, is_time_up)
            return True
    return False


def _clear(transaction: WriteTransaction, hidden: HiddenTable, is_time_up: Callable[[], bool]) -> None:
    table, rows = hidden.table, 0
    while page := transaction.store.rows(table.by_creation_time, b"", limit=_PAGE):
        for _, row, text in page:
            remove_row(transaction, table, text, row)
            rows += 1
            if rows >= SCHEMA_STEP_ROWS_MAX or is_time_up():
                return
    unhide(transaction, hidden)


def _hide(
    transaction: WriteTransaction, table: Table, role: TabletRole, *, owner: str, since: int, progress: Fields
) -> HiddenTable:
    fields: Fields = {
        "role": str(role),
        "owner": owner,
        "since": Int64(since),
        "name": table.name,
        "number": float(table.number),
        "tablet": float(table.tablet),
        "byId": float(table.by_id),
        "byCreationTime": float(table.by_creation_time),
        "indexes": [_index_fields(index) for index in table.declared],
        **progress,
    }
    id = transaction.insert_into(TABLETS, fields)
    hidden = hidden_of({**fields, "_id": id})
    transaction.catalog = transaction.catalog.with_hidden((*transaction.catalog.hidden, hidden))
    return hidden


def _index_fields(index: TableIndex) -> Fields:
    return {
        "index": float(index.id),
        "name": index.name,
        "fields": list(index.fields),
        "state": str(index.state),
        "staged": index.staged,
        "beside": index.is_beside,
    }


def _change_role(transaction: WriteTransaction, hidden: HiddenTable, role: TabletRole) -> None:
    note_progress(transaction, hidden, {"role": str(role), "owner": ""})
    changed = replace(hidden, role=role, owner="")
    others = tuple(each for each in transaction.catalog.hidden if each.document != hidden.document)
    transaction.catalog = transaction.catalog.with_hidden((*others, changed))
