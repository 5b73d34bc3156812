"""Batches of an import: documents of one table, as many at once as a step of the writer can want.

Floor 5, `deployment`. Rows without an id or a creation time get them here; times grow from row to row, so
documents lie in the order of the file. Not here: what a row must be (`archive`), who asks (`importing.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import inf, nextafter

from rewake.archive import Row, document_of
from rewake.environment import Environment
from rewake.values import NewIds, encode

_BATCH_ROWS = 256
_BATCH_CHARACTERS = 256 * 1024


class Batches:
    """The documents of one table, batch by batch, with ids and times for those that have none."""

    def __init__(self, rows: Iterator[Row], number: int, environment: Environment) -> None:
        self._rows = rows
        self._number = number
        self._ids = NewIds(environment.random_bytes)
        self._now_ns = environment.clock.now_ns()
        self._time = self._now_ns / 1e6

    def next_batch(self) -> list[tuple[str, Row]]:
        """The next documents as canonical text, each with its row; empty at the end. Called in a thread."""
        batch, characters = [], 0
        for row in islice(self._rows, _BATCH_ROWS):
            id = self._ids.next(self._number, self._now_ns)
            self._time = nextafter(self._time, inf)
            text = encode(document_of(row).document(id=id, creation_time=self._time))
            batch.append((text, row))
            characters += len(text)
            if characters >= _BATCH_CHARACTERS:
                break
        return batch
