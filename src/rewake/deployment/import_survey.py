"""The survey of an import: what a file holds, read once from end to end before anybody is asked to confirm.

Floor 5, `deployment`. Every row is read and checked, so a file that cannot be imported is refused before
anything is begun. Rows are counted and not kept. Blocks; each step takes some milliseconds in a thread.

    Survey(source) -> step* -> tables with their counts, files, notes

Not here: what the deployment has (`importing.py`), what a row must be (`archive`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from rewake.archive import ImportedDocument, ImportUnreadable, Row, Source, document_of
from rewake.deployment.import_batches import Batches
from rewake.environment import Environment
from rewake.limits import IMPORT_FILES_MAX
from rewake.values import Value

_STEP_ROWS = 500
_HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class SurveyedTable(msgspec.Struct):
    """What the file has of one table."""

    name: str
    rows: int = 0
    number: int | None = None
    """Its table number, named in the file or read off its ids."""


class SurveyedFile(msgspec.Struct, frozen=True):
    """One file of the application in an archive."""

    row: Row
    id: str
    document: dict[str, Value]
    """As it is to lie in `_storage`."""
    key: str | None
    sha256: str
    size: int


class Survey(msgspec.Struct):
    """What is known of a file so far."""

    source: Source
    tables: list[SurveyedTable] = msgspec.field(default_factory=list)
    files: list[SurveyedFile] = msgspec.field(default_factory=list)
    storage_number: int | None = None
    rows: int = 0
    _work: Iterator[None] | None = None

    def step(self) -> bool:
        """Read some more; False where all was read.

        Raises:
            ImportRowInvalid, ImportUnreadable: it cannot be imported.
        """
        if self._work is None:
            self._work = self._read()
        return len(list(islice(self._work, _STEP_ROWS))) == _STEP_ROWS

    def batches(self, table: str, number: int, environment: Environment) -> Batches:
        """The documents of a table, as the writer takes them; `number` is that of the table."""
        return Batches(self.source.rows(table), number, environment)

    def _read(self) -> Iterator[None]:
        for name in self.source.tables:
            table = SurveyedTable(name, number=self.source.numbers.get(name))
            self.tables.append(table)
            for row in self.source.rows(name):
                self._take(table, document_of(row))
                yield
        for row in self.source.files():
            self._take_file(row)
            yield

    def _take(self, table: SurveyedTable, document: ImportedDocument) -> None:
        number = document.table_number
        if number is not None:
            if table.number is None:
                table.number = number
            if number != table.number:
                raise document.row.refused(
                    f"its `_id` has the table number {number}, and the table {table.name} has {table.number}"
                )
        table.rows += 1
        self.rows += 1

    def _take_file(self, row: Row) -> None:
        given = document_of(row)
        fields = given.fields
        sha256, size = _digest(fields.get("sha256")), fields.get("size")
        if given.id is None or given.table_number is None or given.creation_time is None:
            raise row.refused("a file has an `_id` and a `_creationTime`")
        if sha256 is None or not isinstance(size, int | float) or size != int(size) or size < 0:
            raise row.refused("a file has its `sha256` and its `size`")
        if self.storage_number not in (None, given.table_number):
            raise row.refused("ids of files have one table number")
        self.storage_number = given.table_number
        opened = self.source.bytes_of(given.id)
        if opened is None:
            raise row.refused(f"the bytes of the file are missing: there is no entry _storage/{given.id}")
        if opened.size != size:
            raise row.refused(f"the bytes of the file are {opened.size}, and not {int(size)}")
        document: dict[str, Value] = {
            "_id": given.id,
            "_creationTime": given.creation_time,
            "sha256": sha256,
            "size": float(size),
        }
        content_type: Any = fields.get("contentType")
        if isinstance(content_type, str) and content_type:
            document["contentType"] = content_type
        key: Any = fields.get("internalId")
        key = key if isinstance(key, str) else None
        self.files.append(SurveyedFile(row, given.id, document, key, sha256, int(size)))
        if len(self.files) > IMPORT_FILES_MAX:
            raise ImportUnreadable(
                f"The archive has more than {IMPORT_FILES_MAX} files of the application. Import it in parts."
            )


def _digest(given: object) -> str | None:
    """A SHA-256 as base64, whether it was written so or as hex."""
    if not isinstance(given, str):
        return None
    if _HEX_DIGEST.fullmatch(given):
        return base64.b64encode(bytes.fromhex(given)).decode()
    try:
        return given if len(base64.b64decode(given, validate=True)) == 32 else None
    except (binascii.Error, ValueError):
        return None
