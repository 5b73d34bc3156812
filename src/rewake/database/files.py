"""Files: documents of `_storage`, and where their bytes are.

Floor 2, `database`. Authors see `_storage` through `ctx.db.system`; only the functions here write it. Beside
each stands a document of `_blobs`, which also knows bytes that no file has: so nothing ever lists the store
itself.

    begin_blob -> incoming --commit_file--> stored (+ _storage) --delete_file--> doomed -> forget_blob
                     `------------- doom_stale: nobody finished it ------------->-'

    before the first byte: incoming      bytes durable: stored      bytes removed: forgotten

A crash leaves bytes only under a document, so a sweep finds them: an incoming one that is too old is doomed
first, in a commit of its own, and can not become a file after that. A blob's key is also the public name of
its file.

Not here: bytes (`blobs`), who sweeps (`files`).
Source: semantics 3.7, 6.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from rewake.database.catalog import BLOBS, STORAGE
from rewake.database.document_writes import Fields
from rewake.database.errors import InvalidArgument
from rewake.database.reads import ReadTransaction
from rewake.database.settings import put_setting, read_setting
from rewake.database.writes import WriteTransaction
from rewake.errors import Conflict
from rewake.storage import Reads
from rewake.values import (
    InvalidId,
    decode_id,
    decode_stored_document,
    encode_key,
    key_successor,
    plain_text,
)

_BY_KEY = BLOBS.indexes["by_key"].id
_BY_FILE = BLOBS.indexes["by_file"].id
_BY_STATE = BLOBS.indexes["by_state"].id

_FILES_PAGE = 256
_ORIGIN = "origin"
ORIGIN_USUAL = "http://127.0.0.1:3210"
"""Where files are reached while no server has said otherwise: in tests."""
STORAGE_PATH = "/api/storage"


class FileNotFound(InvalidArgument):
    """There is no such file (any more)."""

    code = "StorageFileNotFound"
    template = "storage id {id} not found"


class InvalidStorageId(InvalidArgument):
    """The id is not one of a file."""

    code = "InvalidStorageId"
    template = "Invalid storage ID {id!r}. The ID must be an ID on the '_storage' table."


class UploadLost(Conflict):
    """The upload took so long that it was given up. Send the file again."""

    code = "UploadLost"
    template = "This upload took too long and was given up. Send the file again."


class FileFacts(msgspec.Struct, frozen=True):
    """A file as whoever serves it needs it."""

    id: str
    key: str
    sha256: str
    size: int
    content_type: str | None


# Read by functions.


def file_url(transaction: ReadTransaction, id: str) -> str | None:
    """The public URL of a file, or None where there is none (any more)."""
    if file_document(transaction, id) is None:
        return None
    # Not taken down: it stays as it is as long as the document does, which is.
    page = _page(transaction.reads, _BY_FILE, [id], limit=1)
    assert page, "each file has a blob"
    return f"{origin(transaction)}{STORAGE_PATH}/{page[0]['key']}"


def file_document(transaction: ReadTransaction, id: str) -> dict[str, Any] | None:
    """The document of a file.

    Raises:
        InvalidStorageId: the id is of another table, or none.
    """
    text = transaction.find(STORAGE, _checked_id(transaction, id))
    return None if text is None else decode_stored_document(text)


def origin(transaction: ReadTransaction) -> str:
    """Where this deployment is reached: a URL without a slash at its end."""
    return read_setting(transaction, _ORIGIN) or ORIGIN_USUAL


# Read by the house.


def file_of_key(reads: Reads, key: str) -> FileFacts | None:
    """The file with this public name."""
    blobs = _page(reads, _BY_KEY, [key], limit=1)
    return _facts(reads, blobs[0]) if blobs and blobs[0]["state"] == "stored" else None


def file_of_id(reads: Reads, id: str) -> FileFacts | None:
    """The file with this id."""
    blobs = _page(reads, _BY_FILE, [id], limit=1)
    return _facts(reads, blobs[0]) if blobs and blobs[0]["state"] == "stored" else None


def all_files(reads: Reads) -> Iterator[FileFacts]:
    """Every file, oldest first; read in pages."""
    lower = b""
    while page := reads.page(STORAGE.by_creation_time, lower, None, descending=False, limit=_FILES_PAGE):
        for _, text in page:
            for blob in _page(reads, _BY_FILE, [decode_stored_document(text)["_id"]], limit=1):
                yield _facts(reads, blob)
        lower = page[-1][0] + b"\0"


def doomed_blobs(reads: Reads, *, limit: int) -> list[str]:
    """Keys of blobs whose bytes are to go."""
    return [str(blob["key"]) for blob in _page(reads, _BY_STATE, ["doomed"], limit=limit)]


def has_stale_blobs(reads: Reads, *, before_ms: float) -> bool:
    """Whether a blob began before `before_ms` and was never finished."""
    lower, upper = encode_key(["incoming"]), encode_key(["incoming", before_ms])
    return bool(reads.page(_BY_STATE, lower, upper, descending=False, limit=1))


# Writes, in transactions of system functions and of authors' mutations.


def begin_blob(transaction: WriteTransaction, key: str) -> None:
    """Say that bytes will come under `key`."""
    fields: Fields = {"key": key, "state": "incoming", "since": transaction.now_ms}
    transaction.insert_into(BLOBS, fields)


def is_free_key(transaction: WriteTransaction, key: str) -> bool:
    """Whether no bytes lie under `key`, nor are to come."""
    return not _page(transaction.reads, _BY_KEY, [key], limit=1)


def commit_file(
    transaction: WriteTransaction, key: str, *, sha256: str, size: int, content_type: str | None
) -> str:
    """Make a file of bytes that are durable; returns its id.

    Raises:
        UploadLost: they were given up meanwhile.
    """
    page = _page(transaction.reads, _BY_KEY, [key], limit=1)
    if not page or page[0]["state"] != "incoming":
        raise UploadLost()
    fields: Fields = {"sha256": sha256, "size": float(size)}
    if content_type is not None:
        fields["contentType"] = content_type
    id = transaction.insert_into(STORAGE, fields)
    _change(transaction, page[0], state="stored", file=id)
    return id


def restore_file(transaction: WriteTransaction, key: str, document: Fields) -> None:
    """Make a file of bytes that are durable, with the document that it had elsewhere, id included.

    Raises:
        UploadLost: they were given up meanwhile.
    """
    page = _page(transaction.reads, _BY_KEY, [key], limit=1)
    if not page or page[0]["state"] != "incoming":
        raise UploadLost()
    transaction.store_document(STORAGE, document)
    _change(transaction, page[0], state="stored", file=str(document["_id"]))


def delete_file(transaction: WriteTransaction, id: str) -> None:
    """Remove a file; its bytes go after the commit.

    Raises:
        InvalidStorageId, FileNotFound.
    """
    id = _checked_id(transaction, id)
    found = transaction.target(STORAGE, id)
    if found is None:
        raise FileNotFound(id=id)
    old, row, document = found
    transaction.delete_from(STORAGE, id, row, old=old, document=document)
    for blob in _page(transaction.reads, _BY_FILE, [id], limit=1):
        _change(transaction, blob, state="doomed", file=None)


def doom_blob(transaction: WriteTransaction, key: str) -> bool:
    """Give up bytes that were on their way; whether they were. One that is a file stays."""
    for blob in _page(transaction.reads, _BY_KEY, [key], limit=1):
        if blob["state"] == "incoming":
            _change(transaction, blob, state="doomed", file=None)
            return True
    return False


def doom_stale(transaction: WriteTransaction, *, before_ms: float, limit: int) -> int:
    """Give up to `limit` blobs up that began before `before_ms` and were never finished; returns how many."""
    lower, upper = encode_key(["incoming"]), encode_key(["incoming", before_ms])
    page = transaction.reads.page(_BY_STATE, lower, upper, descending=False, limit=limit)
    for _, text in page:
        _change(transaction, decode_stored_document(text), state="doomed", file=None)
    return len(page)


def forget_blob(transaction: WriteTransaction, key: str) -> None:
    """Forget a blob whose bytes are gone."""
    for blob in _page(transaction.reads, _BY_KEY, [key], limit=1):
        if blob["state"] == "doomed":
            old, row, document = _target(transaction, blob)
            transaction.delete_from(BLOBS, blob["_id"], row, old=old, document=document)


def set_origin(transaction: WriteTransaction, value: str) -> None:
    """Say where this deployment is reached. Queries that gave out URLs hear of it."""
    put_setting(transaction, _ORIGIN, value)


def _change(transaction: WriteTransaction, blob: dict[str, Any], *, state: str, file: str | None) -> None:
    old, row, document = _target(transaction, blob)
    changed: Fields = {**document, "state": state, "since": transaction.now_ms}
    changed.pop("file", None)
    if file is not None:
        changed["file"] = file
    transaction.update_in(BLOBS, blob["_id"], row, old=old, document=document, changed=changed)


def _target(transaction: WriteTransaction, blob: dict[str, Any]) -> tuple[str, int, Fields]:
    target = transaction.target(BLOBS, blob["_id"])
    assert target is not None, "an index has just shown it"
    return target


def _facts(reads: Reads, blob: dict[str, Any]) -> FileFacts:
    text = reads.find(STORAGE.by_id, encode_key([blob["file"]]))
    assert text is not None, "a stored blob has a file"
    fields = decode_stored_document(text)
    return FileFacts(
        id=fields["_id"],
        key=blob["key"],
        sha256=fields["sha256"],
        size=int(fields["size"]),
        content_type=fields.get("contentType"),
    )


def _page(reads: Reads, index: int, prefix: list[Any], *, limit: int) -> list[dict[str, Any]]:
    lower = encode_key(prefix)
    page = reads.page(index, lower, key_successor(lower), descending=False, limit=limit)
    return [decode_stored_document(text) for _, text in page]


def _checked_id(transaction: ReadTransaction, id: object) -> str:
    try:
        text = plain_text(id) if isinstance(id, str) else ""
        number = decode_id(text).table_number
    except InvalidId:
        number = None
    # One that an import brought has the number that files had where it came from.
    if number != STORAGE.number and number not in transaction.catalog.storage_numbers:
        raise InvalidStorageId(id=id)
    return text
