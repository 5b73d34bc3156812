"""Archiving: all tables at one timestamp, and the files that belong to them, as one archive.

Floor 2, `database`. The layout is the official product's, so what is written here can be read there.

    past tables -> README, table numbers, each table's documents -> file rows, files' bytes -> archive

Rows pass through in pages and bytes in pieces, so memory does not grow with the data. While a large file is
written the commit log is followed, as between two pages.

Not here: the ZIP format (`archive`), who asks and where it is kept (`deployment/exports.py`).
Source: wire 7.7; semantics 10.5.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from rewake.archive import STORAGE_ROWS, TABLE_NUMBERS, ArchiveWriter, extension_of, rows_of, schema_of
from rewake.blobs import BlobStore
from rewake.database.catalog import BLOBS, STORAGE
from rewake.database.past_tables import PastTables
from rewake.database.table import Table
from rewake.errors import Unavailable
from rewake.storage import Notes
from rewake.values import Int64, decode_stored_document, encode_export, stored_as_export

OnRows = Callable[[int, int], None]
"""Called now and then with how many documents and files are written, and about how many there are."""

_README = "README.md"
_README_TEXT = """# Snapshot of a deployment

All tables as they stood at one moment: {ts} nanoseconds after 1970-01-01 00:00 UTC.

- `_tables/documents.jsonl`: names and numbers of the tables.
- `TABLE/documents.jsonl`: one document a line. A number without a point is an Int64, one with a point or an
  exponent a Float64; `$bytes` and `$float` say what JSON cannot.
- `_storage/documents.jsonl` and `_storage/ID`: files, where they were asked for.

`rewake import` and `npx convex import` read it. Code, environment variables and scheduled functions are not
in it.
"""
_UNIFORM = b'"uniform"\n'


class ArchivedFileDamaged(Unavailable):
    """The bytes of a file are not those that were stored. Restore them from a backup, or delete the file."""

    code = "FileContentDamaged"
    template = "The content of the file {id} is damaged in the file store, so the archive would be as well."


def write_archive(past: PastTables, blobs: BlobStore | None, file: IO[bytes], *, on_rows: OnRows) -> None:
    """Write the archive of everything to `file`; with files where `blobs` is there.

    Raises:
        SnapshotTooOld, TableReplaced, BlobMissing, ArchivedFileDamaged, BlobStoreFailed, StorageFailed,
        OSError: what is in `file` is no archive.
    """
    tables = past.catalog.user_tables()
    past.only([*tables, *((STORAGE, BLOBS) if blobs is not None else ())])
    progress = _Progress(on_rows, sum(past.count(table) for table in tables))
    archive = ArchiveWriter(file, at_ns=past.ts)
    with archive.entry(_README) as write:
        write(_README_TEXT.format(ts=past.ts).encode())
    with archive.entry(TABLE_NUMBERS) as write:
        for table in tables:
            write(_line({"name": table.name, "id": Int64(table.number)}))
    for table in tables:
        _write_table(archive, past, table, progress)
    if blobs is not None:
        _Files(archive, past, blobs, progress).write()
    archive.close()


def _write_table(archive: ArchiveWriter, past: PastTables, table: Table, progress: _Progress) -> None:
    with archive.entry(rows_of(table.name)) as write:
        for texts in past.documents(table):
            write("".join([f"{stored_as_export(text)}\n" for text in texts]).encode())
            progress.add(len(texts))
    past.finish(table)
    with archive.entry(schema_of(table.name)) as write:
        write(_UNIFORM)


class _Files:
    """The files of one archive: their rows, then their bytes."""

    def __init__(
        self, archive: ArchiveWriter, past: PastTables, blobs: BlobStore, progress: _Progress
    ) -> None:
        self._archive = archive
        self._past = past
        self._blobs = blobs
        self._progress = progress

    def write(self) -> None:
        with Notes() as keys:
            for texts in self._past.documents(BLOBS):
                for text in texts:
                    blob = decode_stored_document(text)
                    if blob["state"] == "stored":
                        keys.swap(blob["file"], blob["key"].encode())
            self._past.finish(BLOBS)
            with self._archive.entry(STORAGE_ROWS) as write:
                for file in self._files():
                    key = _key_of(keys, file)
                    write(_line({**file, "size": Int64(int(file["size"])), "internalId": key}))
            for file in self._files():
                name = f"_storage/{file['_id']}{extension_of(file.get('contentType'))}"
                with self._archive.entry(name) as write:
                    self._copy(file, _key_of(keys, file), write)
                self._progress.add(1)

    def _files(self) -> Iterator[dict[str, Any]]:
        for texts in self._past.documents(STORAGE):
            for text in texts:
                yield decode_stored_document(text)

    def _copy(self, file: dict[str, Any], key: str, write: Callable[[bytes], object]) -> None:
        digest = hashlib.sha256()
        for piece in self._blobs.read(key, stop=int(file["size"])):
            digest.update(piece)
            write(piece)
            self._past.follow()
        if base64.b64encode(digest.digest()).decode() != file["sha256"]:
            raise ArchivedFileDamaged(id=file["_id"])


def _key_of(keys: Notes, file: dict[str, Any]) -> str:
    key = keys.swap(file["_id"], b"")
    assert key, "each file has a blob"
    keys.swap(file["_id"], key)
    return key.decode()


class _Progress:
    """How much is written."""

    def __init__(self, on_rows: OnRows, total: int) -> None:
        self._on_rows = on_rows
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._on_rows(self._done, max(self._done, self._total))


def _line(fields: dict[str, Any]) -> bytes:
    return f"{encode_export(fields)}\n".encode()
