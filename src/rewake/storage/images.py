"""Before-images: what documents were before they were changed, kept on the disk while a long read goes on.

Floor 1, `storage`. A read of a whole table takes a while, and nobody holds a snapshot for that long; so what
is overwritten meanwhile is put aside here, in the order of the index that is read. The first image of a key
counts: it is the oldest. Memory is bounded, for they lie in a temporary file of SQLite's own.

Not here: following the commit log (`database/past_tables.py`), reads that fit in one snapshot
(`database/past.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

_SET_UP = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -16384",
    "CREATE TABLE images(index_id INTEGER, key BLOB, text TEXT, PRIMARY KEY (index_id, key)) WITHOUT ROWID",
    "BEGIN",
)
_ADD = "INSERT OR IGNORE INTO images VALUES (?, ?, ?)"
_PAGE = "SELECT key, text FROM images WHERE index_id = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
_LAST = "SELECT max(key) FROM images WHERE index_id = ?"
_FORGET = "DELETE FROM images WHERE index_id = ?"


class Images:
    """What was there before, by index and key; None where nothing was. Used from one thread at a time."""

    def __init__(self) -> None:
        # The empty name is a file that is gone when the connection is.
        self._connection = apsw.Connection("")
        self._cursor = self._connection.cursor()
        for text in _SET_UP:
            self._cursor.execute(text).fetchall()

    def add(self, images: Iterable[tuple[int, bytes, str | None]]) -> None:
        """Put images aside as (index, key, text), in the order of their commits; known keys stay."""
        self._cursor.executemany(_ADD, images)

    def page(
        self, index_id: int, lower: bytes, upper: bytes, *, limit: int
    ) -> list[tuple[bytes, str | None]]:
        """Up to `limit` images of an index, in [lower, upper), in its order."""
        rows: list[Any] = self._cursor.execute(_PAGE, (index_id, lower, upper, limit)).fetchall()
        return rows

    def last_key(self, index_id: int) -> bytes:
        """The highest key of an index that has an image; empty where none has."""
        found: Any = self._cursor.execute(_LAST, (index_id,)).fetchall()[0][0]
        return bytes(found or b"")

    def forget(self, index_id: int) -> None:
        """Drop the images of an index that is read to its end."""
        self._cursor.execute(_FORGET, (index_id,))

    def close(self) -> None:
        """Drop everything. Harmless when done before."""
        self._connection.close()
