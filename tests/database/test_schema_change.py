from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from rewake.database import (
    IndexNotReady,
    SchemaChange,
    SchemaEnforcementError,
    SchemaMismatch,
    apply_schema,
    stored_form,
)
from rewake.schema import Schema, TableBuilder, codec_for, define_schema, define_table, v
from tests.database.world import World, documents, query


def push(world: World, schema: Schema) -> SchemaChange:
    changes: list[SchemaChange] = []
    world.mutate(lambda tx: changes.append(apply_schema(tx, schema)))
    return changes[0]


def index_names(world: World) -> dict[str, list[str]]:
    with world.reader.begin() as snapshot:
        return {table.name: sorted(table.indexes) for table in snapshot.catalog.user_tables()}


def notes() -> TableBuilder:
    """A table that a test may add indexes to."""
    return define_table({"n": v.number(), "s": v.optional(v.string())})


def test_a_first_schema_makes_its_tables_and_indexes(world: World) -> None:
    tables = {"notes": notes().index("by_n", ["n"]), "tags": define_table(v.any())}
    change = push(world, define_schema(tables))
    assert change.tables_added == ["notes", "tags"]
    assert change.indexes_added == ["notes.by_n"]
    assert change.is_schema_changed
    assert index_names(world) == {"notes": ["by_n"], "tags": []}


def test_the_same_schema_again_writes_nothing(world: World) -> None:
    def schema() -> Schema:
        return define_schema({"notes": define_table({"n": v.number()}).index("by_n", ["n"])})

    push(world, schema())
    last_ts = world.database.last_ts()
    assert not push(world, schema())
    assert world.database.last_ts() == last_ts


def test_documents_that_do_not_fit_keep_everything_as_it_was(world: World) -> None:
    push(world, define_schema({"notes": define_table(v.any()).index("by_n", ["n"])}))
    good, bad = world.insert("notes", {"n": 1}, {"n": {"deep": "x"}})
    number_or_object = v.union(v.number(), v.object({"deep": v.number()}))
    strict = define_schema({"new": define_table(v.any()), "notes": define_table({"n": number_or_object})})
    with pytest.raises(SchemaMismatch) as caught:
        push(world, strict)
    beginning = f'Document with ID "{bad}" in table "notes" does not match the schema: Value does not match'
    assert str(caught.value).startswith(beginning)
    assert caught.value.fields["table"] == "notes"
    assert caught.value.fields["id"] == bad
    assert caught.value.fields["path"] == ".n"
    assert index_names(world) == {"notes": ["by_n"]}
    world.insert("notes", {"n": "still anything"})
    with world.reader.begin() as snapshot:
        assert len(list(snapshot.transaction().scan(query("notes", "by_n")))) == 3
    world.mutate(lambda tx: [tx.delete(id) for id in (bad, good)])


def test_tables_whose_validator_is_the_same_are_not_checked_again(world: World) -> None:
    first = push(world, define_schema({"notes": notes(), "tags": define_table({})}))
    assert first.tables_checked == ["notes", "tags"]
    tags = define_table({"t": v.string()})
    assert push(world, define_schema({"notes": notes(), "tags": tags})).tables_checked == ["tags"]


def test_tables_whose_new_validator_takes_all_that_the_old_took_are_not_checked(world: World) -> None:
    push(world, define_schema({"notes": notes()}))
    looser = {"n": v.union(v.number(), v.null()), "s": v.optional(v.string()), "more": v.optional(v.any())}
    assert push(world, define_schema({"notes": define_table(looser)})).tables_checked == []
    off = define_schema({"notes": define_table(looser)}, schema_validation=False)
    assert push(world, off).tables_checked == []
    assert push(world, define_schema({"notes": define_table(looser)})).tables_checked == ["notes"]


def test_constraints_of_annotations_count_as_the_validators(world: World) -> None:
    def schema(annotation: Any) -> Schema:
        return define_schema({"t": define_table(v.object({"n": codec_for(annotation).validator}))})

    push(world, schema(float))
    (id,) = world.insert("t", {"n": 1.5})
    assert schema(int).to_json() == schema(float).to_json()
    with pytest.raises(SchemaMismatch) as caught:
        push(world, schema(int))
    assert caught.value.fields["id"] == id
    world.mutate(lambda tx: tx.patch(id, {"n": 2}))
    assert push(world, schema(int)).is_schema_changed
    with pytest.raises(SchemaEnforcementError, match="Constraint: "):
        world.insert("t", {"n": 1.5})
    assert push(world, schema(Annotated[int, msgspec.Meta(ge=0)])).tables_checked == ["t"]


def test_a_process_without_the_code_enforces_the_stored_schema(world: World) -> None:
    everything = v.object(
        {
            "a": v.array(v.union(v.string(), v.null())),
            "b": v.record(v.string(), v.bytes()),
            "c": v.literal("x"),
            "d": v.optional(v.id("notes")),
            "e": v.int64(),
            "f": v.boolean(),
            "g": v.any(),
        }
    )
    push(world, define_schema({"notes": define_table(everything)}))
    world.database.schemas._known.clear()
    with pytest.raises(SchemaEnforcementError, match="missing the required field `a`"):
        world.insert("notes", {})
    with pytest.raises(SchemaEnforcementError):
        world.insert("notes", {"a": [1], "b": {}, "c": "x", "e": 1, "f": True, "g": None})


def test_validation_can_be_off(world: World) -> None:
    schema = define_schema({"notes": notes().index("by_n", ["n"])}, schema_validation=False)
    world.insert("notes", {"n": "text"})
    assert push(world, schema).tables_checked == []
    world.insert("notes", {"x": 1})
    world.database.schemas._known.clear()
    world.insert("notes", {"x": 2})
    assert stored_form(schema).marks == {}


def test_tables_dropped_from_the_schema_keep_documents_and_lose_indexes(world: World) -> None:
    push(world, define_schema({"notes": notes().index("by_n", ["n"])}))
    world.insert("notes", {"n": 1})
    change = push(world, define_schema({}))
    assert change.indexes_removed == ["notes.by_n"]
    assert index_names(world) == {"notes": []}
    world.insert("notes", {"anything": True})
    with world.reader.begin() as snapshot:
        assert len(list(snapshot.transaction().scan(query("notes")))) == 2


def test_staged_indexes_are_kept_up_and_enabled_without_rebuilding(world: World) -> None:
    push(world, define_schema({"notes": notes().index("by_n", ["n"], staged=True)}))
    world.insert("notes", {"n": 2}, {"n": 1})
    with world.reader.begin() as snapshot, pytest.raises(IndexNotReady):
        snapshot.transaction().scan(query("notes", "by_n"))
    change = push(world, define_schema({"notes": notes().index("by_n", ["n"])}))
    assert (change.indexes_added, change.indexes_removed) == ([], [])
    with world.reader.begin() as snapshot:
        assert documents(snapshot.transaction().scan(query("notes", "by_n"))) == [{"n": 1.0}, {"n": 2.0}]
    assert push(world, define_schema({"notes": notes().index("by_n", ["n"], staged=True)}))


def test_indexes_are_built_over_more_documents_than_a_page(world: World) -> None:
    world.insert("notes", *({"n": number % 7} for number in range(250)))
    push(world, define_schema({"notes": notes().index("by_n", ["n"])}))
    with world.reader.begin() as snapshot:
        found = [d["n"] for d in documents(snapshot.transaction().scan(query("notes", "by_n")))]
    assert found == sorted(float(number % 7) for number in range(250))


def test_dropping_an_index_leaves_no_entries_behind(world: World) -> None:
    push(world, define_schema({"notes": notes().index("by_n", ["n"])}))
    world.insert("notes", {"n": 1})
    count = "SELECT count(*) FROM _index_entries WHERE index_id = ?"
    connection = world.database.engine.connect()
    assert connection.execute(count, (1003,)).fetchall() == [(1,)]
    push(world, define_schema({"notes": notes()}))
    assert connection.execute(count, (1003,)).fetchall() == [(0,)]
    connection.close()


def test_every_table_has_a_view_that_sql_tools_can_read(world: World) -> None:
    (loose,) = world.insert("loose", {"n": 1})
    push(world, define_schema({"notes": notes()}))
    (id,) = world.insert("notes", {"n": 1, "s": "it's"})
    connection = world.database.engine.connect()
    assert connection.execute("SELECT _id, n, s FROM notes").fetchall() == [(id, 1.0, "it's")]
    rows = connection.execute("SELECT _id, json_extract(_document, '$.n') FROM loose").fetchall()
    assert rows == [(loose, 1.0)]
    connection.close()


def test_tables_that_sqlite_cannot_name_apart_go_without_a_view(world: World) -> None:
    for name in ("sqlite_things", "Case", "case"):
        world.insert(name, {"n": 1})
    push(world, define_schema({"Case": notes(), "case": notes(), "sqlite_things": notes()}))
    connection = world.database.engine.connect()
    views = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall()
    assert views == [("Case",)]
    connection.close()


def test_new_code_sees_ids_of_tables_it_makes(world: World) -> None:
    schema = define_schema({"a": define_table({"b": v.id("b")}), "b": define_table({})})
    push(world, schema)
    (b,) = world.insert("b", {})
    (a,) = world.insert("a", {"b": b})
    with pytest.raises(SchemaEnforcementError, match="from table `a`"):
        world.insert("a", {"b": a})
