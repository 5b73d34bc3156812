"""A table as a whole: how many documents it has, and whether it changes.

Floor 2, `database`. Both depend on every document of the table, so that is what is taken down: whoever holds
an answer hears of each insert and delete, and of updates too.

Not here: who may ask (`execution/data_functions.py`).
"""

from __future__ import annotations

from rewake.database.reads import ReadTransaction
from rewake.storage import ReaderStore

_PAGE = 1_024


def count_documents(transaction: ReadTransaction, name: str) -> int:
    """The documents of a table; 0 where there is no such table. Looks at each entry of one index."""
    table = transaction.table_named(name)
    if table is None:
        return 0
    transaction.recorder.interval(table.by_id, (b"", None))
    reads = transaction.reads
    if isinstance(reads, ReaderStore):
        return reads.count(table.by_id)
    # The past is laid over the present, entry by entry.
    counted, lower = 0, b""
    while True:
        page = reads.page(table.by_id, lower, None, descending=False, limit=_PAGE)
        counted += len(page)
        if len(page) < _PAGE:
            return counted
        lower = page[-1][0] + b"\0"


def watch_table(transaction: ReadTransaction, name: str) -> str:
    """A text that is another one after each change of the table: the timestamp of the snapshot."""
    table = transaction.table_named(name)
    if table is not None:
        transaction.recorder.span(table.by_creation_time, b"", None)
    return str(transaction.ts)
