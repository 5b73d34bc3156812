from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import (
    IndexNotFound,
    IndexNotReady,
    InvalidArgument,
    ReadTransaction,
    Snapshot,
    SystemTableRefused,
    apply_schema,
)
from rewake.database import reads as reads_module
from rewake.errors import RewakeError
from rewake.limits import Limits
from rewake.schema import InvalidIndexRange, RangeBound, define_schema, define_table, v
from rewake.values import UNSET, Int64, decode_stored, encode_id, key_of_id
from tests.database.world import World, documents, query

SCHEMA = define_schema(
    {
        "t": define_table(v.any())
        .index("by_n", ["n"])
        .index("by_m_n", ["m", "n"])
        .index("by_deep", ["a.b"])
        .index("later", ["z"], staged=True)
    },
    schema_validation=False,
)


@pytest.fixture
def indexed(world: World) -> World:
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    return world


def read(world: World) -> ReadTransaction:
    """A transaction at a snapshot that ends with the world."""
    world.reader._store.end()
    return world.reader.begin().transaction()


def numbers(world: World, *bounds: RangeBound, index: str = "by_n", order: str = "asc") -> list[Any]:
    texts = read(world).scan(query("t", index, *bounds, order=order))
    return [document.get("n", "missing") for document in documents(texts)]


def eq(field: str, value: Any) -> RangeBound:
    return RangeBound(field, "eq", value)


def test_get_answers_none_for_what_is_not_there(world: World) -> None:
    (id,) = world.insert("t", {"n": 1})
    world.mutate(lambda tx: tx.delete(id))
    assert read(world).get(id) is None
    assert read(world).get(encode_id(30_000, bytes(16))) is None
    assert read(world).get(encode_id(30_000, bytes(16)), table="t") is None


def test_get_refuses_what_is_no_id_of_the_table(world: World) -> None:
    (id,) = world.insert("t", {"n": 1})
    with pytest.raises(InvalidArgument) as caught:
        read(world).get(id, table="u")
    assert (
        str(caught.value)
        == 'Invalid argument `id` for `db.get`: expected to be an Id<"u">, got Id<"t"> instead.'
    )
    with pytest.raises(InvalidArgument, match=r"^Invalid argument `id` for `db\.get`: Unable to decode ID: "):
        read(world).get("")
    with pytest.raises(InvalidArgument) as caught:
        read(world).get(5)  # type: ignore[arg-type]
    assert str(caught.value) == "Invalid argument `id` for `db.get`, expected string but got 'int': 5"


def test_normalize_id_knows_the_ids_of_a_table(world: World) -> None:
    (id,), (other,) = world.insert("t", {"n": 1}), world.insert("u", {})
    transaction = read(world)
    assert transaction.normalize_id("t", id) == id
    assert transaction.normalize_id("t", other) is None
    assert transaction.normalize_id("t", "no id") is None
    assert transaction.normalize_id("unborn", id) is None


def test_system_tables_have_a_door_of_their_own(world: World) -> None:
    (id,) = world.insert("t", {"n": 1})
    transaction = read(world)
    (row,) = transaction.system.scan(query("_tables"))
    table = decode_stored(row)
    assert isinstance(table, dict)
    assert (table["name"], table["number"]) == ("t", 10_001.0)
    table_id = str(table["_id"])
    assert transaction.system.get(table_id) == row
    assert transaction.system.get(table_id, table="_tables") == row
    assert transaction.system.get(encode_id(30_000, bytes(16))) is None
    assert transaction.system.normalize_id("_tables", table_id) == table_id
    with pytest.raises(SystemTableRefused, match=r"^System tables can only be accessed with db\.system\.$"):
        transaction.get(table_id)
    with pytest.raises(SystemTableRefused, match=r"from db\.system\.query\(\)\.$"):
        transaction.scan(query("_tables"))
    with pytest.raises(SystemTableRefused, match=r"from db\.system\.normalizeId\(\)\.$"):
        transaction.normalize_id("_tables", table_id)
    with pytest.raises(SystemTableRefused, match=r"^User tables cannot be accessed with db\.system\.$"):
        transaction.system.get(id)
    with pytest.raises(SystemTableRefused, match=r"^User tables cannot be accessed with db\.system\.$"):
        transaction.system.scan(query("t"))
    with pytest.raises(SystemTableRefused, match=r"from db\.normalizeId\(\)\.$"):
        transaction.system.normalize_id("t", id)


def test_a_range_follows_the_order_of_all_types(indexed: World) -> None:
    order = ["missing", None, Int64(5), 1.0, True, "x", b"y", [1.0], {}]
    indexed.insert("t", *({} if value == "missing" else {"n": value} for value in reversed(order)))
    assert numbers(indexed) == order
    assert numbers(indexed, order="desc") == order[::-1]
    assert numbers(indexed, RangeBound("n", "gt", 1.0)) == order[4:]
    assert numbers(indexed, RangeBound("n", "lt", 1.0)) == order[:3]
    assert numbers(indexed, RangeBound("n", "lte", 1.0)) == order[:4]
    assert numbers(indexed, RangeBound("n", "gte", None), RangeBound("n", "lt", True)) == order[1:4]
    assert numbers(indexed, eq("n", UNSET)) == ["missing"]
    assert numbers(indexed, eq("n", 1.0)) == [1.0]
    assert numbers(indexed, RangeBound("n", "gt", "x"), RangeBound("n", "lt", "a")) == []


def test_equalities_then_a_range(indexed: World) -> None:
    indexed.insert("t", *({"m": m, "n": n} for m in "ab" for n in range(3)))
    above = RangeBound("n", "gt", 0.0)
    assert numbers(indexed, eq("m", "a"), index="by_m_n") == [0.0, 1.0, 2.0]
    assert numbers(indexed, eq("m", "a"), above, index="by_m_n", order="desc") == [2.0, 1.0]
    assert numbers(indexed, eq("n", 1.0), eq("m", "b"), index="by_m_n") == [1.0]


def test_creation_time_and_id_follow_the_declared_fields(indexed: World) -> None:
    ids = indexed.insert("t", {"n": 1, "k": 1}, {"n": 1, "k": 2}, {"n": 1, "k": 3})
    times: list[Any] = [decode_stored(text)["_creationTime"] for text in read(indexed).scan(query("t"))]  # type: ignore[index,call-overload]

    def found(index: str, *bounds: RangeBound) -> list[float]:
        return [document["k"] for document in documents(read(indexed).scan(query("t", index, *bounds)))]

    assert found("by_n", eq("n", 1.0), RangeBound("_creationTime", "gt", times[0])) == [2.0, 3.0]
    assert found("by_creation_time", RangeBound("_creationTime", "lt", times[2])) == [1.0, 2.0]
    assert found("by_id", eq("_id", ids[1])) == [2.0]
    assert len(found("by_id")) == 3


def test_dotted_fields_are_indexed_through_objects(indexed: World) -> None:
    indexed.insert("t", {"a": {"b": 2}, "n": 2}, {"a": {"b": 1}, "n": 1}, {"a": [1], "n": 0})
    assert numbers(indexed, index="by_deep") == [0.0, 1.0, 2.0]
    assert numbers(indexed, eq("a.b", 2.0), index="by_deep") == [2.0]


def test_indexes_that_cannot_be_queried_say_why_at_once(indexed: World) -> None:
    transaction = read(indexed)
    with pytest.raises(IndexNotFound, match=r"^Index t\.nope not found\.$"):
        transaction.scan(query("t", "nope"))
    with pytest.raises(IndexNotReady, match=r"^Index t\.later is currently staged and not available"):
        transaction.scan(query("t", "later"))
    with pytest.raises(InvalidIndexRange):
        transaction.scan(query("t", "by_n", eq("x", 1.0)))
    with pytest.raises(IndexNotFound, match=r"^Index unborn\.by_n not found\.$"):
        transaction.scan(query("unborn", "by_n"))
    with pytest.raises(InvalidIndexRange):
        transaction.scan(query("unborn", None, eq("x", 1.0)))
    assert list(transaction.scan(query("unborn", "by_id"))) == []
    assert list(transaction.scan(query("unborn", "by_creation_time"))) == []


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


def test_every_name_and_number_used_is_recorded_once(indexed: World) -> None:
    (id,) = indexed.insert("t", {"n": 1})
    transaction = read(indexed)
    for _ in range(3):
        transaction.get(id)
        list(transaction.scan(query("t", "by_n")))
        transaction.normalize_id("unborn", id)
    read_set = transaction.read_set
    assert len(read_set.intervals[12]) == 2
    assert len(read_set.intervals[13]) == 1
    assert len(read_set.intervals[22]) == 1


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
        assert tx.read_ids == {"t": {key_of_id(id) for id in ids}}
    assert tx.table_name(10_001) == "t"


def test_ids_of_what_was_read_one_by_one_are_known(indexed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads_module, "_IDS_KEPT_MAX", 2)
    first, second, third, gone = indexed.insert("t", *({"n": n} for n in range(4)))
    indexed.mutate(lambda tx: tx.delete(gone))
    tx = read(indexed)
    assert tx.get(gone) is None
    assert not tx.read_ids
    for id in (first, second, second, third):
        assert tx.get(id) is not None
    assert tx.read_ids == {"t": {key_of_id(first), key_of_id(second)}}


def test_so_many_ids_are_known_and_no_more(indexed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads_module, "_IDS_KEPT_MAX", 20)
    indexed.insert("t", *({"n": n} for n in range(100)))
    tx = read(indexed)
    assert sum(map(len, tx.scan_pages(query("t"), None))) == 100
    assert len(tx.read_ids["t"]) == 16 + 32
