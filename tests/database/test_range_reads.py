from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import (
    IndexNotReady,
    ReadTransaction,
    Snapshot,
    SystemTableRefused,
    WriteTransaction,
    apply_schema,
    range_reads,
)
from rewake.errors import RewakeError
from rewake.limits import Limits
from rewake.schema import RangeBound, define_schema, define_table, v
from tests.database.world import World, documents, query, read

SCHEMA = define_schema(
    {"t": define_table(v.any()).index("by_n", ["n"]).index("later", ["z"], staged=True)},
    schema_validation=False,
)


@pytest.fixture
def indexed(world: World) -> World:
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    return world


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 47, 48, 49, 600])
@pytest.mark.parametrize("hint", [None, 1, 3, 10_000])
def test_pages_meet_without_gap_or_overlap(world: World, count: int, hint: int | None) -> None:
    if count:
        world.insert("t", *({"n": number} for number in range(count)))
    for order in ("asc", "desc"):
        expected = [float(number) for number in range(count)]
        found = [d["n"] for d in documents(read(world).scan(query("t", order=order), limit_hint=hint))]
        assert found == (expected if order == "asc" else expected[::-1])


def test_a_scan_counts_what_was_consumed_not_what_was_fetched(world: World) -> None:
    world.insert("t", *({"n": number} for number in range(30)))
    transaction = read(world)
    rows = transaction.scan(query("t"))
    for _ in range(3):
        next(rows)
    assert transaction.usage.documents_read == 3
    assert transaction.usage.bytes_read > 0


def test_read_sets_of_an_ascending_scan_reach_to_the_last_document_given(indexed: World) -> None:
    indexed.insert("t", *({"n": number} for number in range(3)))
    table = indexed.reader.begin().catalog.tables["t"]
    index_id = table.indexes["by_n"].id
    transaction = read(indexed)
    rows = transaction.scan(query("t", "by_n", RangeBound("n", "gte", 1.0)))
    prefix = [table.indexes["by_n"].prefix_of({"n": float(n)}) for n in range(4)]
    assert index_id not in transaction.read_set.intervals
    next(rows)
    (interval,) = transaction.read_set.intervals[index_id]
    assert interval[0] == prefix[1]
    assert interval[1] is not None
    assert prefix[1] < interval[1] < prefix[2]
    assert len(list(rows)) == 1
    (interval,) = transaction.read_set.intervals[index_id]
    assert interval == (prefix[1], None)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(0, 40),
    count=st.none() | st.integers(0, 42),
    order=st.sampled_from(["asc", "desc"]),
    bound=st.booleans(),
    documents_max=st.sampled_from([0, 5, 16, 17, 100]),
    bytes_max=st.sampled_from([500, 3_000, 100_000]),
    intervals_max=st.sampled_from([2, 3, 100]),
)
def test_pages_of_a_scan_are_the_scan(
    *,
    rows: int,
    count: int | None,
    order: Any,
    bound: bool,
    documents_max: int,
    bytes_max: int,
    intervals_max: int,
) -> None:
    world = World()
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    if rows:
        world.insert("t", *({"n": n % 2, "s": "é" * n} for n in range(rows)))
    bounds = (RangeBound("n", "eq", 0.0),) if bound else ()
    spec = query("t", "by_n", *bounds, order=order)
    limits = Limits(
        documents_read_max=documents_max, bytes_read_max=bytes_max, intervals_read_max=intervals_max
    )

    def one_by_one(tx: ReadTransaction) -> list[str]:
        return list(islice(tx.scan(spec, limit_hint=count), count))

    def in_pages(tx: ReadTransaction) -> list[str]:
        return [text for page in tx.scan_pages(spec, count) for text in page]

    def told(reading: Any, snapshot: Snapshot) -> Any:
        tx = ReadTransaction(snapshot.reads, snapshot.catalog, ts=snapshot.ts, now_ms=0.0, limits=limits)
        try:
            found: Any = reading(tx)
        except RewakeError as error:
            found = str(error)
        return found, tx.read_set, tx.usage.documents_read, tx.usage.bytes_read

    with world.reader.begin() as snapshot:
        assert told(in_pages, snapshot) == told(one_by_one, snapshot)
    world.close()


def test_pages_are_for_tables_of_the_application(indexed: World) -> None:
    tx = read(indexed)
    with pytest.raises(SystemTableRefused):
        tx.scan_pages(query("_tables"), None)
    with pytest.raises(IndexNotReady):
        tx.scan_pages(query("t", "later"), None)
    assert list(tx.scan_pages(query("nothing"), None)) == []


def test_ids_of_what_was_read_in_pages_are_known(indexed: World) -> None:
    ids = indexed.insert("t", {"n": "\x10"}, {"n": 2}, {"n": b"\x10"})
    tx = read(indexed)
    assert not tx.read_ids
    for index in (None, "by_id", "by_n"):
        tx.read_ids.clear()
        assert len(list(tx.scan_pages(query("t", index), 3))) == 1
        assert tx.read_ids == {"t": set(ids)}
    assert tx.table_name(10_001) == "t"


def test_ids_of_what_was_read_one_by_one_are_known(indexed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_reads, "_IDS_KEPT_MAX", 2)
    first, second, third, gone = indexed.insert("t", *({"n": n} for n in range(4)))
    indexed.mutate(lambda tx: tx.delete(gone))
    tx = read(indexed)
    assert tx.get(gone) is None
    assert not tx.read_ids
    for id in (first, second, second, third):
        assert tx.get(id) is not None
    assert tx.read_ids == {"t": {first, second}}


def test_an_id_that_may_claim_to_be_another_is_not_kept(indexed: World) -> None:
    class Claims(str):
        __hash__ = str.__hash__

    (id,) = indexed.insert("t", {"n": 1})
    tx = read(indexed)
    assert tx.get(Claims(id)) is not None
    assert not tx.read_ids


def test_so_many_ids_are_known_and_no_more(indexed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_reads, "_IDS_KEPT_MAX", 20)
    indexed.insert("t", *({"n": n} for n in range(100)))
    tx = read(indexed)
    assert sum(map(len, tx.scan_pages(query("t"), None))) == 100
    assert len(tx.read_ids["t"]) == 16 + 32


def test_ids_of_a_table_that_is_taken_back_are_not_known(world: World) -> None:
    def body(tx: WriteTransaction) -> None:
        with suppress(ValueError), tx.savepoint():
            tx.insert("made", {"n": 1})
            assert sum(map(len, tx.scan_pages(query("made"), None))) == 1
            assert set(tx.read_ids) == {"made"}
            raise ValueError
        assert not tx.read_ids

    world.mutate(body)
