"""Import records: what the deployment knows of each import, in documents that live queries read.

Floor 2, `database`. One document in `_imports` for each; its `state` has the shape that the official command
line reads.

    uploaded -> waiting_for_confirmation -> in_progress -> completed
        `----------------'---------------------'---------> failed

The switch writes `completed` in its own transaction, so a record never says what is not so.

Not here: what an import does (`importing.py`). Source: wire 7.7.
"""

from __future__ import annotations

from typing import Any

from rewake.database.catalog import IMPORTS
from rewake.database.document_writes import Fields
from rewake.database.hidden_tables import give_up_hidden
from rewake.database.reads import ReadTransaction
from rewake.database.writes import WriteTransaction
from rewake.errors import NotFound
from rewake.limits import IMPORTS_KEPT
from rewake.schema import QuerySpec
from rewake.storage import Reads
from rewake.values import Int64, decode_id, decode_stored_document, encode_key

_MANY = 100_000
"""More records than there ever are."""
_OVER = ("completed", "failed")
INTERRUPTED = "The server was stopped in the middle of this import. Nothing was changed; import again."


class ImportNotFound(NotFound):
    """There is no such import (any more). Start another."""

    code = "ImportNotFound"
    template = "There is no import {id!r}."


def create_import(transaction: WriteTransaction, fields: Fields) -> str:
    """Write an import down, and forget those that were over longest ago; returns its id."""
    records = read_imports(transaction)
    over = [record for record in records if is_over(record)]
    for record in over[: max(0, len(over) - IMPORTS_KEPT + 1)]:
        found = transaction.target(IMPORTS, record["_id"])
        assert found is not None, "it was just read"
        old, row, document = found
        transaction.delete_from(IMPORTS, record["_id"], row, old=old, document=document)
    started: Fields = {"createdAt": transaction.now_ms, "state": {"state": "uploaded"}}
    return transaction.insert_into(IMPORTS, {**fields, **started})


def note_import(transaction: WriteTransaction, id: str, state: Fields) -> bool:
    """Change the state of an import that is not over; whether it was not.

    Raises:
        ImportNotFound: there is none.
    """
    found = transaction.target(IMPORTS, id)
    if found is None:
        raise ImportNotFound(id=id)
    old, row, document = found
    if is_over(document):
        return False
    changed = {**document, "state": state}
    transaction.update_in(IMPORTS, id, row, old=old, document=document, changed=changed)
    return True


def completed_import(rows: int) -> Fields:
    """The state of an import that has written so many documents."""
    return {"state": "completed", "num_rows_written": Int64(rows)}


def failed_import(message: str) -> Fields:
    """The state of an import that came to nothing."""
    return {"state": "failed", "error_message": message}


def recover_imports(transaction: WriteTransaction) -> int:
    """Give up what a server from before had begun; returns how many imports that were."""
    left = [record for record in read_imports(transaction) if not is_over(record)]
    for record in left:
        note_import(transaction, record["_id"], failed_import(INTERRUPTED))
    give_up_hidden(transaction, owner=None)
    return len(left)


def read_imports(transaction: ReadTransaction) -> list[dict[str, Any]]:
    """All that are known, oldest first."""
    texts = transaction.system.scan(QuerySpec(IMPORTS.name))
    return [decode_stored_document(text) for text in texts]


def read_import(transaction: ReadTransaction, id: str) -> dict[str, Any]:
    """One import.

    Raises:
        ImportNotFound, InvalidId: there is none.
    """
    text = transaction.find(IMPORTS, id) if decode_id(id).table_number == IMPORTS.number else None
    if text is None:
        raise ImportNotFound(id=id)
    return decode_stored_document(text)


def stored_import(reads: Reads, id: str) -> dict[str, Any] | None:
    """One import, for the house's own reading."""
    text = reads.find(IMPORTS.by_id, encode_key([id]))
    return None if text is None else decode_stored_document(text)


def has_unfinished_imports(reads: Reads) -> bool:
    """Whether an import is not over, or may have left something."""
    page = reads.page(IMPORTS.by_creation_time, b"", None, descending=False, limit=_MANY)
    return any(not is_over(decode_stored_document(text)) for _, text in page)


def is_over(record: dict[str, Any]) -> bool:
    """Whether nothing more becomes of an import."""
    return record["state"]["state"] in _OVER
