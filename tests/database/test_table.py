from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.database.catalog import TABLES
from rewake.database.table import HiddenTable, Table, TableIndex, TabletRole
from rewake.values import UNSET, encode_id, encode_key, key_of_id

BY_N = TableIndex(7, "by_n", ("n",))
BY_DEEP = TableIndex(8, "by_deep", ("a.b", "n"))
T = Table(name="t", number=10_001, tablet=60, by_id=5, by_creation_time=6, indexes={"by_n": BY_N})


def test_indexes_go_by_their_names_and_two_are_always_there() -> None:
    by_time, by_id = T.index_by_name(None), T.index_by_name("by_id")
    assert by_time is T.index_by_name("by_creation_time")
    assert by_time == TableIndex(6, "by_creation_time", ())
    assert by_time.all_fields == ("_creationTime", "_id")
    assert by_id == TableIndex(5, "by_id", ())
    assert by_id.all_fields == ("_id",)
    assert T.index_by_name("by_n") is BY_N
    assert T.index_by_name("by_m") is None


def test_an_index_that_is_built_beside_another_is_maintained_and_not_found_by_name() -> None:
    beside = replace(BY_N, id=9, is_beside=True)
    table = T.with_index(beside)
    assert table.declared == (BY_N, beside)
    assert table.index_by_name("by_n") is BY_N
    assert table.without_index(beside) == T
    assert table.without_index(BY_N).declared == (beside,)


def test_a_document_lies_in_every_index_that_is_maintained() -> None:
    table, id = T.with_index(BY_DEEP), encode_id(10_001, bytes(16))
    document = {"_id": id, "_creationTime": 3.0, "a": {"b": "x"}}
    end = encode_key([3.0, id])
    assert table.keys_of(document) == (
        (5, key_of_id(id)),
        (6, end),
        (7, encode_key([UNSET]) + end),
        (8, encode_key(["x", UNSET]) + end),
    )
    assert BY_DEEP.prefix_of(document) == encode_key(["x", UNSET])
    assert table.id_key_bytes == len(key_of_id(id))


@pytest.mark.parametrize("name", ["n", "a", "m"])
def test_keys_stay_where_indexed_fields_are_the_same_objects(name: str) -> None:
    table = T.with_index(BY_DEEP)
    document = {"_id": "i", "_creationTime": 3.0, "a": {"b": 1.0}, "n": 1.0, "m": 1.0}
    assert table.has_same_keys(document, {**document})
    assert table.has_same_keys(document, {**document, name: 2.0}) is (name == "m")


def test_tables_of_the_system_are_known_by_their_names() -> None:
    assert TABLES.is_system
    assert not T.is_system


def test_a_tablet_without_a_name_has_all_its_indexes() -> None:
    assert HiddenTable(T, TabletRole.RETIRED, "", "").index_ids == {5, 6, 7}
