"""Batches of rows: small enough for a step, ids and times where there are none."""

from __future__ import annotations

import pytest

from rewake.archive import Row
from rewake.deployment.import_batches import Batches
from rewake.environment import seeded_environment
from rewake.values import decode_id, decode_stored_document

pytestmark = pytest.mark.threads_only("no deployment")


def _batches(rows: list[Row]) -> list[list[tuple[str, Row]]]:
    batches = Batches(iter(rows), 10_001, seeded_environment(3))
    found = []
    while batch := batches.next_batch():
        found.append(batch)
    return found


def test_rows_come_in_order_with_growing_times_and_ids_of_the_table() -> None:
    rows = [Row("f", f"line {n}", {"n": float(n)}) for n in range(600)]
    batches = _batches(rows)
    assert [len(batch) for batch in batches] == [256, 256, 88]
    documents = [decode_stored_document(text) for batch in batches for text, _ in batch]
    assert [document["n"] for document in documents] == [float(n) for n in range(600)]
    times = [document["_creationTime"] for document in documents]
    assert times == sorted(set(times))
    assert len({document["_id"] for document in documents}) == 600
    assert {decode_id(document["_id"]).table_number for document in documents} == {10_001}


def test_large_rows_make_small_batches() -> None:
    rows = [Row("f", "line 1", {"x": "y" * 200_000}) for _ in range(5)]
    assert [len(batch) for batch in _batches(rows)] == [2, 2, 1]
