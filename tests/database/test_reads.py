from __future__ import annotations

from typing import Any

import pytest

from rewake.database import (
    IndexNotFound,
    IndexNotReady,
    InvalidArgument,
    SystemTableRefused,
    apply_schema,
)
from rewake.schema import InvalidIndexRange, RangeBound, define_schema, define_table, v
from rewake.values import UNSET, Int64, decode_stored, encode_id
from tests.database.world import World, documents, query, read

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
