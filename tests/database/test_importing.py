"""The switch of an import: what changed meanwhile refuses it, and refusing changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rewake.database.import_rows import ImportMetChange, copy_step, load_rows
from rewake.database.importing import (
    ImportNotEmpty,
    ImportRequest,
    TableRequest,
    declare_import,
    referenced,
    switch_import,
)
from rewake.database.schema_change import apply_schema
from rewake.database.schema_check import base_of
from rewake.schema import QuerySpec, Schema, define_schema, define_table, v
from rewake.values import encode
from tests.archive.official_zip import id_of
from tests.database.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def _request(mode: str = "replace", number: int | None = None, name: str = "notes") -> ImportRequest:
    return ImportRequest("i", mode, (TableRequest(name, number),))


def _declare(world: World, request: ImportRequest) -> str:
    found: list[str] = []
    world.mutate(lambda tx: found.extend(each.document for each in declare_import(tx, request)))
    again: list[str] = []
    world.mutate(lambda tx: again.extend(each.document for each in declare_import(tx, request)))
    assert again == found, "declared once"
    return found[0]


def _refused(world: World, request: ImportRequest, kind: type[Exception], match: str) -> None:
    def body(tx: object) -> None:
        switch_import(tx, request)  # type: ignore[arg-type]

    with world.reader.begin() as snapshot:
        before = snapshot.catalog.tables
    with pytest.raises(kind, match=match):
        world.mutate(body)
    with world.reader.begin() as snapshot:
        assert snapshot.catalog.tables == before


def test_tables_that_must_be_empty_are_named_at_the_beginning_and_at_the_end(world: World) -> None:
    request = _request("requireEmpty")
    _declare(world, request)
    world.insert("notes", {"n": 1.0})
    _refused(world, request, ImportNotEmpty, 'There are documents already in "notes"')
    with pytest.raises(ImportNotEmpty):
        world.mutate(lambda tx: declare_import(tx, ImportRequest("j", "requireEmpty", request.tables)))


def test_a_table_that_an_append_found_empty_must_stay_so(world: World) -> None:
    request = _request("append")
    _declare(world, request)
    world.insert("notes", {"n": 1.0})
    _refused(world, request, ImportMetChange, 'the table "notes" was changed')


def _schema(*indexes: str) -> Schema:
    table = define_table(v.object({"n": v.number(), "by": v.optional(v.id("users"))}))
    for index in indexes:
        table = table.index(index, ["n"])
    return define_schema({"notes": table, "users": define_table(v.object({}))})


def test_an_index_that_was_declared_meanwhile_refuses_the_switch(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, _schema()))
    request = _request()
    _declare(world, request)
    world.mutate(lambda tx: apply_schema(tx, _schema("by_n")))
    _refused(world, request, ImportMetChange, 'the index "notes.by_n" was declared')


def test_an_index_that_was_dropped_meanwhile_does_not(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, _schema("by_n")))
    request = _request()
    _declare(world, request)
    world.mutate(lambda tx: apply_schema(tx, _schema()))
    world.mutate(lambda tx: switch_import(tx, request))
    with world.reader.begin() as snapshot:
        assert snapshot.catalog.tables["notes"].indexes == {}


def test_indexes_of_the_new_tablet_serve_and_evidence_from_before_is_worth_nothing(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, _schema("by_n")))
    with world.reader.begin() as snapshot:
        before = base_of(snapshot.catalog)
    request = _request(number=10_050)
    document = _declare(world, request)
    text = encode({"_id": id_of(10_050, 1), "_creationTime": 1.0, "n": 5.0})
    world.mutate(lambda tx: load_rows(tx, document, position=0, texts=[text], is_time_up=lambda: False))
    world.mutate(lambda tx: switch_import(tx, request))
    with world.reader.begin() as snapshot:
        assert base_of(snapshot.catalog) != before
        assert len(list(snapshot.transaction().scan(QuerySpec("notes", index="by_n")))) == 1


def test_documents_that_stay_keep_good_ids(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, _schema()))
    world.insert("notes", {"n": 1.0})
    request = _request("replace", 10_099, "users")
    with pytest.raises(ImportMetChange, match='documents of "notes" hold ids of "users"'):
        world.mutate(lambda tx: declare_import(tx, request))
    _declare(world, ImportRequest("k", "replaceAll", request.tables))


def test_the_tables_that_a_validator_names_are_found_at_any_depth() -> None:
    exported = v.object({"a": v.array(v.union(v.id("x"), v.null())), "b": v.record(v.id("y"), v.any())})
    assert referenced(exported.to_json()) == {"x", "y"}
    assert referenced(v.any().to_json()) == set()


def test_a_table_that_was_deleted_meanwhile_is_told(world: World) -> None:
    world.insert("notes", {"n": 1.0})
    document = _declare(world, _request("append"))

    def body(tx: object) -> None:
        tx.catalog = tx.catalog.with_tables(  # type: ignore[attr-defined]
            {name: table for name, table in tx.catalog.tables.items() if name != "notes"}  # type: ignore[attr-defined]
        )
        copy_step(tx, document, is_time_up=lambda: False)  # type: ignore[arg-type]

    with pytest.raises(ImportMetChange, match='the table "notes" was deleted'):
        world.mutate(body)
