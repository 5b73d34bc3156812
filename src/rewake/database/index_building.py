"""Index building: from a declaration to an index with all its entries, in steps, while writes go on.

Floor 2, `database`. From its declaration on every write keeps the index up; what is missing are the entries
of documents from before. A step adds some of them, in the order of creation, and notes in `_backfills` how
far it came, so the work goes on after a crash. `_backfills` is a table of its own: a step wakes nobody.

    declare -> (step)* -> ready -> enable | stage        drop -> (step)* -> gone

An entry that a write has added meanwhile is left as it is: one document has one key in an index, and the
write's is the newer. Documents made after the declaration lie behind `until`, or were indexed when they were
written. Dropped indexes lose their entries the same way, from whichever end is nearest.

Not here: which indexes there should be (`schema_change.py`), when steps run (`execution`).
Source: spec/semantics 2.4, 2.5.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from rewake.database.catalog import BACKFILLS, INDEXES
from rewake.database.document_writes import Fields
from rewake.database.table import IndexState, Table, TableIndex
from rewake.database.writes import WriteTransaction
from rewake.limits import SCHEMA_STEP_ROWS_MAX
from rewake.schema import IndexDefinition, QuerySpec
from rewake.values import decode_stored, decode_stored_document

_PAGE = 64
"""Documents read at once: a step may end after any of them, and the others were read for nothing."""
_BUILD, _REMOVE = "build", "remove"


class BuildingStep(msgspec.Struct, frozen=True):
    """What one step did. All zero: there was nothing to do."""

    index: int = 0
    """The index that it worked on."""
    done: int = 0
    """Documents behind it, for a removal entries."""
    total: int = 0
    """Documents in all; 0 where nobody counted."""
    is_over: bool = False
    """The index is complete, or gone."""

    def __bool__(self) -> bool:
        return self.index != 0


def matching(table: Table, declared: IndexDefinition) -> TableIndex | None:
    """The index that is what `declared` says, whether it serves yet or not."""
    for index in table.declared:
        if (index.name, index.fields) == (declared.name, declared.fields):
            return index
    return None


def declare_index(
    transaction: WriteTransaction, table: Table, declared: IndexDefinition, *, total: int = 0
) -> TableIndex:
    """Keep an index up from now on. It is ready at once where the table is empty; else steps will build it.

    `total` is about how many documents the table has, for whoever watches.
    """
    index_id = transaction.next_index_id()
    last = transaction.store.page(table.by_creation_time, b"", None, descending=True, limit=1)
    is_beside = declared.name in table.indexes
    state = IndexState.BACKFILLING if last else IndexState.READY
    document = transaction.insert_into(
        INDEXES,
        {
            "tablet": float(table.tablet),
            "becomes" if is_beside else "name": declared.name,
            "fields": list(declared.fields),
            "index": float(index_id),
            "state": str(state),
            "staged": declared.staged,
        },
    )
    index = TableIndex(index_id, declared.name, declared.fields, state, document, declared.staged, is_beside)
    if last:
        _note_work(transaction, _BUILD, table, index, until=last[0][0], total=total)
    _keep(transaction, table, index)
    return index


def build_at_once(transaction: WriteTransaction, table: Table, index: TableIndex) -> TableIndex:
    """Do all that is missing of an index in this transaction; for tables that are known to be small."""
    while index.state is IndexState.BACKFILLING:
        take_step(transaction, is_time_up=lambda: False, only=(index.id,))
        table = transaction.catalog.tables[table.name]
        index = next(each for each in table.declared if each.id == index.id)
    return index


def settle_index(
    transaction: WriteTransaction, table: Table, index: TableIndex, *, staged: bool
) -> TableIndex:
    """Give an index the place that the schema which is about to serve declares for it."""
    is_built = index.state is not IndexState.BACKFILLING
    assert is_built or staged, "an index is built before it is enabled"
    state = index.state
    if is_built:
        state = IndexState.READY if staged else IndexState.ENABLED
    settled = replace(index, state=state, staged=staged, is_beside=False)
    if settled != index:
        _change_document(transaction, settled)
        _keep(transaction, table, settled)
    return settled


def drop_index(transaction: WriteTransaction, table: Table, index: TableIndex, *, at_once: int = 0) -> int:
    """Stop keeping an index up. Up to `at_once` entries go now, the rest in steps.

    Returns how many went now.
    """
    for work in _work(transaction):
        if work["index"] == index.id:
            _remove(transaction, work)
    transaction.catalog = transaction.catalog.with_table(
        transaction.catalog.tables[table.name].without_index(index)
    )
    removed = transaction.store.delete_entries(index.id, limit=at_once) if at_once else 0
    if removed < at_once:
        _delete_document(transaction, index.document)
        return removed
    _change_document(transaction, replace(index, state=IndexState.DROPPED))
    _note_work(transaction, _REMOVE, table, index, until=b"", total=0)
    return removed


def take_step(
    transaction: WriteTransaction, *, is_time_up: Callable[[], bool], only: Collection[int] | None = None
) -> BuildingStep:
    """Work on the first index that has work left (of `only`, where that is given) until `is_time_up`, but at
    least on one row of it.
    """
    for work in _work(transaction):
        if work["work"] in (_BUILD, _REMOVE) and (only is None or work["index"] in only):
            step = _build if work["work"] == _BUILD else _clear
            return step(transaction, work, is_time_up)
    return BuildingStep()


def backfilling(transaction: WriteTransaction) -> list[int]:
    """The indexes that have steps left until they are ready."""
    return [int(work["index"]) for work in _work(transaction) if work["work"] == _BUILD]


def _build(
    transaction: WriteTransaction, work: Mapping[str, Any], is_time_up: Callable[[], bool]
) -> BuildingStep:
    table = transaction.catalog.table_of(int(work["tablet"]))
    assert table is not None, "tables stay"
    index = next(each for each in table.declared if each.id == work["index"])
    cursor: bytes = work["cursor"]
    rows = 0
    for key, row, text in _documents(transaction, table, after=cursor, until=work["until"]):
        document = decode_stored_document(text)
        # The key in creation order is just what follows the declared fields in every other index.
        transaction.store.ensure_entry(index.id, index.prefix_of(document) + key, row)
        cursor, rows = key, rows + 1
        if rows >= SCHEMA_STEP_ROWS_MAX or is_time_up():
            break
    else:
        _remove(transaction, work)
        ready = replace(index, state=IndexState.READY)
        _change_document(transaction, ready)
        _keep(transaction, table, ready)
        done = int(work["done"]) + rows
        return BuildingStep(index.id, done, done, is_over=True)
    done = int(work["done"]) + rows
    _update(transaction, work, {"cursor": cursor, "done": float(done)})
    return BuildingStep(index.id, done, max(done, int(work["total"])))


def _clear(
    transaction: WriteTransaction, work: Mapping[str, Any], is_time_up: Callable[[], bool]
) -> BuildingStep:
    index_id, rows = int(work["index"]), 0
    while True:
        removed = transaction.store.delete_entries(index_id, limit=_PAGE)
        rows += removed
        if removed < _PAGE:
            _remove(transaction, work)
            _delete_document(transaction, work["document"])
            return BuildingStep(index_id, int(work["done"]) + rows, is_over=True)
        if rows >= SCHEMA_STEP_ROWS_MAX or is_time_up():
            _update(transaction, work, {"done": work["done"] + rows})
            return BuildingStep(index_id, int(work["done"]) + rows)


def _documents(
    transaction: WriteTransaction, table: Table, *, after: bytes, until: bytes
) -> Iterator[tuple[bytes, int, str]]:
    """The documents of a table in the order of creation, as (key, row, text)."""
    lower = after + b"\0" if after else b""
    while True:
        page = transaction.store.rows(table.by_creation_time, lower, limit=_PAGE)
        for entry in page:
            if entry[0] > until:
                return
            yield entry
        if len(page) < _PAGE:
            return
        lower = page[-1][0] + b"\0"


# Documents of the house.


def _work(transaction: WriteTransaction) -> list[dict[str, Any]]:
    found: list[Any] = [decode_stored(text) for text in transaction.system.scan(QuerySpec("_backfills"))]
    return found


def _note_work(
    transaction: WriteTransaction, work: str, table: Table, index: TableIndex, *, until: bytes, total: int
) -> None:
    fields: Fields = {
        "work": work,
        "tablet": float(table.tablet),
        "index": float(index.id),
        "document": index.document,
        "cursor": b"",
        "until": until,
        "done": 0.0,
        "total": float(total),
    }
    transaction.insert_into(BACKFILLS, fields)


def _update(transaction: WriteTransaction, work: Mapping[str, Any], fields: Fields) -> None:
    found = transaction.target(BACKFILLS, work["_id"])
    assert found is not None, "it was just read"
    old, row, document = found
    transaction.update_in(
        BACKFILLS, work["_id"], row, old=old, document=document, changed={**document, **fields}
    )


def _remove(transaction: WriteTransaction, work: Mapping[str, Any]) -> None:
    found = transaction.target(BACKFILLS, work["_id"])
    assert found is not None, "it was just read"
    old, row, document = found
    transaction.delete_from(BACKFILLS, work["_id"], row, old=old, document=document)


def _keep(transaction: WriteTransaction, table: Table, index: TableIndex) -> None:
    """Put what became of an index into the transaction's catalog."""
    present = transaction.catalog.tables[table.name]
    transaction.catalog = transaction.catalog.with_table(present.with_index(index))


def _change_document(transaction: WriteTransaction, index: TableIndex) -> None:
    found = transaction.target(INDEXES, index.document)
    assert found is not None, "an index of the catalog has its document"
    old, row, document = found
    changed = {key: value for key, value in document.items() if key not in ("name", "becomes")}
    called = "was" if index.state is IndexState.DROPPED else "becomes" if index.is_beside else "name"
    changed |= {called: index.name, "state": str(index.state), "staged": index.staged}
    transaction.update_in(INDEXES, index.document, row, old=old, document=document, changed=changed)


def _delete_document(transaction: WriteTransaction, document_id: str) -> None:
    found = transaction.target(INDEXES, document_id)
    assert found is not None, "a dropped index has its document until its entries are gone"
    old, row, document = found
    transaction.delete_from(INDEXES, document_id, row, old=old, document=document)
