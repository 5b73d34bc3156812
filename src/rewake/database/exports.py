"""Exports: what is known of each snapshot archive that was asked for, as documents of `_exports`.

Floor 2, `database`. One is made at a time; the newest is the one that the official command line follows.

    requested -> in_progress -> completed -> (expired: the file goes, then the document)
         `------------`------> failed, canceled

Each changes in a transaction of its own, so whoever watches sees every state. Times are Int64 nanoseconds, as
official clients read them.

Not here: making archives (`archiving.py`), their files and their time (`deployment/exports.py`).
Source: wire 7.6.
"""

from __future__ import annotations

from typing import Any

import msgspec

from rewake.database.catalog import EXPORTS
from rewake.database.document_writes import Fields
from rewake.database.writes import WriteTransaction
from rewake.errors import InvalidInput, NotFound
from rewake.storage import Reads
from rewake.values import Int64, Value, decode_stored_document, encode_key, key_successor

EXPORTS_KEPT_MAX = 100
"""Exports that are remembered, failed ones too; beyond it the oldest that are over go first."""

_BY_STATE = EXPORTS.indexes["by_state"].id
UNDER_WAY = ("requested", "in_progress")


class ExportInProgress(InvalidInput):
    """Another export is being made, and there is one at a time. Wait for it, or cancel it."""

    code = "ExportInProgress"
    template = "There is already an export requested or in progress."


class ExportNotFound(NotFound):
    """There is no such export (any more), or it did not come to an archive."""

    code = "ExportNotFound"
    template = "There is no export {name} that can be fetched."


class Export(msgspec.Struct, frozen=True):
    """One export, as it stands."""

    id: str
    state: str
    has_files: bool
    start_ts: int | None
    complete_ts: int | None
    expiration_ts: int | None
    object_key: str | None
    """The name of its file."""

    @property
    def is_under_way(self) -> bool:
        """Whether an archive may still come of it."""
        return self.state in UNDER_WAY


# Read by the house.


def stored_exports(reads: Reads) -> list[Export]:
    """All exports, oldest first."""
    page = reads.page(EXPORTS.by_creation_time, b"", None, descending=False, limit=2 * EXPORTS_KEPT_MAX)
    return [_export_of(decode_stored_document(text)) for _, text in page]


def completed_export(reads: Reads, name: str) -> Export:
    """The export with this id or start timestamp, where there is an archive.

    Raises:
        ExportNotFound: there is none.
    """
    for export in stored_exports(reads):
        if name in (export.id, str(export.start_ts)) and export.state == "completed":
            return export
    raise ExportNotFound(name=name[:80])


# Written by system functions.


def request_export(transaction: WriteTransaction, *, has_files: bool) -> str:
    """Ask for an export; returns its id.

    Raises:
        ExportInProgress: one is under way.
    """
    for state in UNDER_WAY:
        key = encode_key([state])
        if transaction.reads.page(_BY_STATE, key, key_successor(key), descending=False, limit=1):
            raise ExportInProgress()
    return transaction.insert_into(EXPORTS, {"state": "requested", "includeStorage": has_files})


def begin_export(transaction: WriteTransaction, id: str, *, start_ts: int) -> bool:
    """Say that the export shows the data at `start_ts`; False where it is not wanted any more."""
    return _change(transaction, id, ("requested",), state="in_progress", start_ts=Int64(start_ts))


def note_export_rows(transaction: WriteTransaction, id: str, *, done: int, total: int) -> bool:
    """Take down how far it is; False where it is not wanted any more."""
    counts: Fields = {"rowsDone": float(done), "rowsTotal": float(total)}
    return _change(transaction, id, ("in_progress",), **counts)


def complete_export(
    transaction: WriteTransaction, id: str, *, complete_ts: int, expiration_ts: int, object_key: str
) -> bool:
    """Say that the archive is there; False where it is not wanted any more."""
    return _change(
        transaction,
        id,
        ("in_progress",),
        state="completed",
        complete_ts=Int64(complete_ts),
        expiration_ts=Int64(expiration_ts),
        zip_object_key=object_key,
    )


def fail_export(transaction: WriteTransaction, id: str, *, error: str) -> bool:
    """Say that nothing came of it; False where it was over already."""
    return _change(transaction, id, UNDER_WAY, state="failed", error=error)


def cancel_export(transaction: WriteTransaction, id: str) -> bool:
    """Take the request back; False where it was over already."""
    return _change(transaction, id, UNDER_WAY, state="canceled")


def set_export_expiration(transaction: WriteTransaction, id: str, *, expiration_ts: int) -> bool:
    """Say until when the archive is kept; False where there is none."""
    return _change(transaction, id, ("completed",), expiration_ts=Int64(expiration_ts))


def forget_export(transaction: WriteTransaction, id: str) -> bool:
    """Forget an export whose file is gone; False where it is under way or not there."""
    found = transaction.target(EXPORTS, id)
    if found is None or found[2]["state"] in UNDER_WAY:
        return False
    old, row, document = found
    transaction.delete_from(EXPORTS, id, row, old=old, document=document)
    return True


def _change(transaction: WriteTransaction, id: str, states: tuple[str, ...], **fields: Value) -> bool:
    """Change an export that is in one of `states`."""
    found = transaction.target(EXPORTS, id)
    if found is None or found[2]["state"] not in states:
        return False
    old, row, document = found
    changed: Fields = {**document, **fields}
    transaction.update_in(EXPORTS, id, row, old=old, document=document, changed=changed)
    return True


def _export_of(document: dict[str, Any]) -> Export:
    def whole(name: str) -> int | None:
        return None if document.get(name) is None else int(document[name])

    return Export(
        id=document["_id"],
        state=document["state"],
        has_files=document["includeStorage"],
        start_ts=whole("start_ts"),
        complete_ts=whole("complete_ts"),
        expiration_ts=whole("expiration_ts"),
        object_key=document.get("zip_object_key"),
    )
