"""Documents: what a row must be to be stored.

Floor 1, `archive`. `_id` and `_creationTime` may be given, in an import only. All that can be said of a
row without the database is said here; whether its id is taken and its table's schema agrees, later.

Not here: rows (`rows.py`), storing them (`database/importing.py`). Source: semantics 1.2, 1.3, 10.5.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec

from rewake.archive.rows import Row
from rewake.errors import RewakeError
from rewake.values import Int64, check_document_limits, decode_id

_SYSTEM_FIELDS = ("_id", "_creationTime")
_SOME_ID = "0" * 37
"""As long as an id may be, for the size of a document that has none yet."""


class ImportedDocument(msgspec.Struct, frozen=True):
    """A row that may become a document."""

    row: Row
    fields: dict[str, Any]
    """Without those of the system."""
    id: str | None
    creation_time: float | None
    table_number: int | None
    """What the id says."""

    def document(self, *, id: str, creation_time: float) -> dict[str, Any]:
        """The document, with these where the row has none of its own."""
        own_time = self.creation_time
        time = creation_time if own_time is None else own_time
        return {**self.fields, "_id": self.id or id, "_creationTime": time}


def document_of(row: Row) -> ImportedDocument:
    """What a row holds.

    Raises:
        ImportRowInvalid: it cannot be stored.
    """
    id, number = row.value.get("_id"), None
    time = row.value.get("_creationTime")
    if isinstance(time, Int64):
        time = float(time)
    fields = {name: value for name, value in row.value.items() if name not in _SYSTEM_FIELDS}
    try:
        if "_id" in row.value:
            if not isinstance(id, str):
                raise row.refused("its `_id` is no string")
            number = decode_id(id).table_number
        if "_creationTime" in row.value and not (
            isinstance(time, float) and isfinite(time) and 0 <= time < 2**53
        ):
            raise row.refused("its `_creationTime` is no time: milliseconds since 1970")
        check_document_limits({**fields, "_id": id or _SOME_ID, "_creationTime": 0.0})
    except RewakeError as error:
        if error.code == "ImportRowInvalid":
            raise
        raise row.refused(error.message) from None
    return ImportedDocument(row, fields, id, time, number)
