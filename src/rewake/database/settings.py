"""Settings: what a deployment remembers of itself, one text under each name.

Floor 2, `database`. Documents of `_settings`, read through the index `by_name` like anything else.

Not here: what the texts mean (`files.py`, `environment_variables.py`).
"""

from __future__ import annotations

from rewake.database.catalog import SETTINGS
from rewake.database.document_writes import Fields
from rewake.database.reads import ReadTransaction
from rewake.database.writes import WriteTransaction
from rewake.storage import Reads
from rewake.values import decode_stored_document, encode_key, key_successor

_BY_NAME = SETTINGS.indexes["by_name"].id


def stored_setting(reads: Reads, name: str) -> str | None:
    """The text under a name, or None."""
    found = _find(reads, name)
    return None if found is None else str(found["value"])


def read_setting(transaction: ReadTransaction, name: str) -> str | None:
    """The same, taken down as read."""
    key = encode_key([name])
    transaction.recorder.interval(_BY_NAME, (key, key_successor(key)))
    return stored_setting(transaction.reads, name)


def put_setting(transaction: WriteTransaction, name: str, value: str) -> None:
    """Remember a text; nothing is written where it is the same."""
    found = _find(transaction.reads, name)
    if found is None:
        transaction.insert_into(SETTINGS, {"name": name, "value": value})
        return
    id = str(found["_id"])
    target = transaction.target(SETTINGS, id)
    assert target is not None, "the index has just shown it"
    old, row, document = target
    changed: Fields = {**document, "value": value}
    transaction.update_in(SETTINGS, id, row, old=old, document=document, changed=changed)


def _find(reads: Reads, name: str) -> Fields | None:
    key = encode_key([name])
    page = reads.page(_BY_NAME, key, key_successor(key), descending=False, limit=1)
    if not page:
        return None
    return decode_stored_document(page[0][1])
