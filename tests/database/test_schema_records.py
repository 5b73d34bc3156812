"""At most one schema is active, at most one waits, and of those that came to nothing the last is known."""

from __future__ import annotations

from typing import Any

from rewake.database import SchemaState, apply_schema, fail_schema, note_validated
from rewake.schema import define_schema, define_table, v
from rewake.values import decode_stored
from tests.database.background import declare
from tests.database.world import World, query


def schema(name: str) -> Any:
    return define_schema({name: define_table(v.any())})


def states(world: World) -> list[tuple[Any, ...]]:
    with world.reader.begin() as snapshot:
        found: list[Any] = [
            decode_stored(text) for text in snapshot.transaction().system.scan(query("_schemas"))
        ]
    return sorted((d["state"], d.get("error"), d.get("table")) for d in found)


def test_a_schema_waits_and_becomes_active(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, schema("a")))
    declared = declare(world, schema("b"))
    assert states(world) == [("active", None, None), ("pending", None, None)]
    assert declare(world, schema("b")).id == declared.id, "the same again is the same"
    world.mutate(lambda tx: note_validated(tx, declared.id))
    assert states(world) == [("active", None, None), ("validated", None, None)]
    with world.reader.begin() as snapshot:
        assert snapshot.catalog.schema is not None
        assert '"a"' in snapshot.catalog.schema.text, "what waits is not enforced"
    world.mutate(lambda tx: apply_schema(tx, schema("b")))
    assert states(world) == [("active", None, None)]
    with world.reader.begin() as snapshot:
        assert snapshot.catalog.schema is not None
        assert snapshot.catalog.schema.document == declared.id


def test_another_schema_overwrites_the_one_that_waits(world: World) -> None:
    first = declare(world, schema("a"))
    second = declare(world, schema("b"))
    assert states(world) == [("overwritten", None, None), ("pending", None, None)]
    world.mutate(lambda tx: fail_schema(tx, first.id, error="late", table="a"))
    world.mutate(lambda tx: note_validated(tx, first.id))
    assert states(world) == [("overwritten", None, None), ("pending", None, None)]
    world.mutate(lambda tx: fail_schema(tx, second.id, error="no", table="b"))
    assert states(world) == [("failed", "no", "b")]
    world.mutate(lambda tx: fail_schema(tx, second.id, error="again", table="b"))
    assert states(world) == [(SchemaState.FAILED, "no", "b")]


def test_a_switch_that_needed_no_background_ends_what_waits(world: World) -> None:
    declare(world, schema("a"))
    world.mutate(lambda tx: apply_schema(tx, schema("b")))
    assert states(world) == [("active", None, None), ("overwritten", None, None)]
