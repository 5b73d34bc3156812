from __future__ import annotations

import math
from contextlib import suppress
from functools import cmp_to_key, partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import (
    InvalidArgument,
    InvalidCreationTimeField,
    InvalidIdField,
    NonexistentDocument,
    SchemaEnforcementError,
    SystemTableRefused,
    TableNotFound,
    TooManyTables,
    WriteTransaction,
    apply_schema,
)
from rewake.database import writes as writes_module
from rewake.schema import RangeBound, define_schema, define_table, v
from rewake.values import (
    COMMIT_TS,
    UNSET,
    Int64,
    InvalidName,
    InvalidValue,
    ValueTooLarge,
    compare,
    decode_id,
    decode_stored,
    encode,
    encode_id,
    encode_key,
    get_path,
    value_size,
)
from rewake.values.types import INT64_MAX
from tests.database.world import START_NS, World, documents, query
from tests.values.strategies import at_commit, pending_values


def refused(world: World, kind: type[Exception], action: Any) -> str:
    """What `action` says when it raises `kind` inside a mutation."""
    with pytest.raises(kind) as caught:
        world.mutate(action)
    return str(caught.value)


def stored(world: World, id: str) -> dict[str, Any]:
    with world.reader.begin() as snapshot:
        text = snapshot.transaction().get(id)
    assert text is not None
    document = decode_stored(text)
    assert isinstance(document, dict)
    return document


def test_insert_sets_id_and_creation_time(world: World) -> None:
    first, second = world.insert("notes", {"n": 1, "big": Int64(2**40)}, {"n": 2})
    assert decode_id(first).table_number == 10_001
    document = stored(world, first)
    assert document == {
        "_id": first,
        "_creationTime": START_NS / 1e6,
        "n": 1.0,
        "big": Int64(2**40),
    }
    assert stored(world, second)["_creationTime"] == math.nextafter(START_NS / 1e6, math.inf)


def test_creation_time_never_lies_before_the_snapshot(world: World) -> None:
    world.insert("notes", {"n": 1})
    world.environment.clock.advance(-3600)  # type: ignore[attr-defined]
    (id,) = world.insert("notes", {"n": 2})
    assert stored(world, id)["_creationTime"] >= START_NS / 1e6


def test_ids_carry_the_day_of_their_creation(world: World) -> None:
    (id,) = world.insert("notes", {})
    assert int.from_bytes(decode_id(id).internal[-2:], "big") == START_NS // (86_400 * 10**9)


def test_tables_are_numbered_as_they_come(world: World) -> None:
    (a,), (b,), (c,) = world.insert("x", {}), world.insert("y", {}), world.insert("x", {})
    assert [decode_id(id).table_number for id in (a, b, c)] == [10_001, 10_002, 10_001]


def test_values_that_are_no_documents_are_refused(world: World) -> None:
    for value in ([], "text", None, 5):
        text = refused(world, InvalidArgument, lambda tx, value=value: tx.insert("notes", value))
        assert text == "Invalid argument `value` for `db.insert`: Value must be an Object"
    (id,) = world.insert("notes", {})
    assert (
        refused(world, InvalidArgument, lambda tx: tx.patch(id, 1))
        == "Invalid argument `value` for `db.patch`: Value must be an Object"
    )
    assert (
        refused(world, InvalidArgument, lambda tx: tx.replace(id, [1]))
        == "Invalid argument `value` for `db.replace`: Value must be an Object"
    )


def test_system_fields_are_the_systems(world: World) -> None:
    (id,) = world.insert("notes", {"n": 1})
    time = stored(world, id)["_creationTime"]
    refused(world, InvalidIdField, lambda tx: tx.insert("notes", {"_id": id}))
    refused(world, InvalidCreationTimeField, lambda tx: tx.insert("notes", {"_creationTime": 1}))
    refused(world, InvalidIdField, lambda tx: tx.patch(id, {"_id": "x"}))
    refused(world, InvalidIdField, lambda tx: tx.patch(id, {"_id": UNSET}))
    refused(world, InvalidCreationTimeField, lambda tx: tx.patch(id, {"_creationTime": UNSET}))
    refused(world, InvalidCreationTimeField, lambda tx: tx.replace(id, {"_creationTime": 1}))
    # To Python these two are equal; what a plain int means is a Float64.
    refused(world, InvalidCreationTimeField, lambda tx: tx.patch(id, {"_creationTime": Int64(int(time))}))
    assert world.mutate(lambda tx: tx.patch(id, {"_creationTime": int(time)})).rows == []
    world.mutate(lambda tx: tx.patch(id, {"_id": id, "_creationTime": time, "n": 2}))
    world.mutate(lambda tx: tx.replace(id, {"_id": id, "_creationTime": time, "m": 3}))
    assert stored(world, id) == {"_id": id, "_creationTime": time, "m": 3.0}


def test_other_underscored_fields_are_refused_at_the_top_only(world: World) -> None:
    text = refused(world, InvalidValue, lambda tx: tx.insert("notes", {"_x": 1}))
    assert text.startswith("Field '_x' starts with an underscore")
    (id,) = world.insert("notes", {"o": {"_x": 1}})
    refused(world, InvalidValue, lambda tx: tx.patch(id, {"_y": 1}))


def test_documents_too_large_or_too_deep_are_refused(world: World) -> None:
    assert "maximum size 1 MiB" in refused(
        world, InvalidValue, lambda tx: tx.insert("notes", {"s": "x" * 2**20})
    )
    deep: Any = 1.0
    for _ in range(16):
        deep = [deep]
    assert "Document is too nested (nested 17 levels deep > maximum nesting 16)" in refused(
        world, InvalidValue, lambda tx: tx.insert("notes", {"d": deep})
    )
    world.insert("notes", {"d": deep[0]}, {"s": "x" * (2**20 - 200)}, {"braces": "{" * 40})


EVENTS = define_schema(
    {
        "events": define_table({"at": v.commit_ts(), "n": v.optional(v.number())}).index("by_at", ["at"]),
        "notes": define_table(v.any()).index("by_at", ["at.in"]).index("by_n_at", ["n", "at"]),
    }
)


def in_order_of(world: World, table: str, index: str, *bounds: RangeBound) -> list[dict[str, Any]]:
    with world.reader.begin() as snapshot:
        return documents(snapshot.transaction().scan(query(table, index, *bounds)))


def test_a_commit_timestamp_is_known_when_the_mutation_commits(world: World) -> None:
    looks_alike = {"n": 1.0, "text": '{"$commitTs":null}'}
    (id,) = world.insert("notes", looks_alike)
    for action, expected in (
        (lambda tx: tx.insert("notes", {"at": COMMIT_TS}), lambda ts: {"at": ts}),
        (
            lambda tx: tx.patch(id, {"at": [{"in": COMMIT_TS}]}),
            lambda ts: {**looks_alike, "at": [{"in": ts}]},
        ),
        (lambda tx: tx.replace(id, {"a": COMMIT_TS, "b": COMMIT_TS}), lambda ts: {"a": ts, "b": ts}),
    ):
        row = world.mutate(action).rows[0]
        write = row.writes[-1]
        assert write.new is not None
        assert documents([write.new]) == [expected(Int64(row.ts))]
        assert write.new == world_text(world, write.id)


def test_each_mutation_of_a_group_has_its_own_commit_timestamp(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, EVENTS))
    seen: list[list[Any]] = []

    def body(tx: WriteTransaction) -> None:
        seen.append([event["at"] for event in documents(tx.scan(query("events", "by_at", order="desc")))])
        tx.insert("events", {"at": COMMIT_TS})

    world.group.begin()
    told = [world.perform(body).ts for _ in range(3)]
    rows = world.group.commit().rows
    assert told == [row.ts for row in rows] == sorted(set(told))
    assert in_order_of(world, "events", "by_at") == [{"at": Int64(ts)} for ts in told]
    # The second of a group reads what the first wrote as if that were committed already.
    assert seen == [[], [Int64(told[0])], [Int64(told[1]), Int64(told[0])]]


def test_in_its_mutation_the_placeholder_is_found_as_the_largest_int64(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, EVENTS))
    world.insert(
        "events", {"at": Int64(5), "n": 1}, {"at": Int64(INT64_MAX), "n": 2}, {"at": Int64(-1), "n": 3}
    )

    def body(tx: WriteTransaction) -> None:
        id = tx.insert("events", {"at": COMMIT_TS, "n": 4})
        assert decode_stored(tx.get(id) or "")["at"] is COMMIT_TS  # type: ignore[index, call-overload]
        for bounds, expected in (
            ((), [3, 1, 2, 4]),
            ((RangeBound("at", "eq", COMMIT_TS),), [2, 4]),
            ((RangeBound("at", "eq", Int64(INT64_MAX)),), [2, 4]),
            ((RangeBound("at", "lt", COMMIT_TS),), [3, 1]),
            ((RangeBound("at", "gt", Int64(5)),), [2, 4]),
            ((RangeBound("at", "gt", COMMIT_TS),), []),
        ):
            found = documents(tx.scan(query("events", "by_at", *bounds)))
            assert [event["n"] for event in found] == expected
        assert [event["n"] for event in documents(tx.scan(query("events", "by_at", order="desc")))] == [
            4,
            2,
            1,
            3,
        ]

    row = world.mutate(body).rows[0]
    assert [event["n"] for event in in_order_of(world, "events", "by_at")] == [3, 1, 4, 2]
    assert [
        event["n"] for event in in_order_of(world, "events", "by_at", RangeBound("at", "eq", Int64(row.ts)))
    ] == [4]
    at_the_end = RangeBound("at", "eq", Int64(INT64_MAX))
    assert [event["n"] for event in in_order_of(world, "events", "by_at", at_the_end)] == [2]


def test_the_log_row_has_the_resolved_document_and_its_keys(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, EVENTS))
    (id,) = world.insert("notes", {"at": {"in": Int64(1)}, "n": 1})
    before = world_text(world, id)
    for action in (
        lambda tx: tx.patch(id, {"at": {"in": COMMIT_TS}}),
        lambda tx: tx.patch(id, {"at": {"in": COMMIT_TS}, "n": COMMIT_TS}),
        lambda tx: tx.patch(id, {"n": UNSET}),
    ):
        ((write,),) = (row.writes for row in world.mutate(action).rows)
        after = world_text(world, id)
        assert (write.old, write.new) == (before, after)
        with world.reader.begin() as snapshot:
            table = snapshot.catalog.tables["notes"]
            for text, position in ((before, 1), (after, 2)):
                keys = table.keys_of(decode_stored(text))  # type: ignore[arg-type]
                assert [(key[0], key[position]) for key in write.keys] == list(keys)
        before = after


def test_writing_the_placeholder_again_changes_nothing_in_its_mutation_and_something_later(
    world: World,
) -> None:
    def twice(tx: WriteTransaction) -> None:
        id = tx.insert("notes", {"at": COMMIT_TS})
        written = tx.usage.documents_written
        tx.patch(id, {"at": COMMIT_TS})
        tx.replace(id, {"at": COMMIT_TS})
        assert tx.usage.documents_written == written
        ids.append(id)

    ids: list[str] = []
    first = world.mutate(twice).rows[0]
    second = world.mutate(lambda tx: tx.patch(ids[0], {"at": COMMIT_TS})).rows[0]
    assert first.ts < second.ts
    assert stored(world, ids[0])["at"] == Int64(second.ts)


def test_a_document_that_is_gone_again_waits_for_nothing(world: World) -> None:
    (kept,) = world.insert("notes", {"at": Int64(1)})

    def body(tx: WriteTransaction) -> None:
        tx.delete(tx.insert("notes", {"at": COMMIT_TS}))
        tx.patch(kept, {"at": COMMIT_TS})
        tx.patch(kept, {"at": Int64(1)})

    assert world.mutate(body).rows == []
    assert stored(world, kept)["at"] == Int64(1)


def test_what_a_dropped_part_wrote_waits_for_nothing_and_the_rest_is_resolved(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, EVENTS))
    ids = world.insert("events", {"at": Int64(1)}, {"at": Int64(2)})

    def body(tx: WriteTransaction) -> None:
        tx.patch(ids[0], {"at": COMMIT_TS})
        with suppress(ZeroDivisionError), tx.savepoint():
            tx.patch(ids[0], {"n": 1})
            tx.patch(ids[1], {"at": COMMIT_TS})
            tx.insert("events", {"at": COMMIT_TS})
            raise ZeroDivisionError
        with tx.savepoint():
            tx.insert("events", {"at": COMMIT_TS, "n": 2})

    ts = Int64(world.mutate(body).rows[0].ts)
    assert in_order_of(world, "events", "by_at") == [{"at": Int64(2)}, {"at": ts}, {"at": ts, "n": 2.0}]


def test_the_placeholder_has_nine_bytes_in_a_document(world: World) -> None:
    room = 2**20 - value_size({"_id": "x" * 31, "_creationTime": 1.0, "at": COMMIT_TS, "text": ""})
    for text in ("x" * (room - 20), "x" * (room + 20)):
        try:
            world.insert("notes", {"at": COMMIT_TS, "text": text})
        except ValueTooLarge:
            assert len(text) > room
        else:
            assert len(text) < room


def test_the_schema_takes_the_placeholder_where_a_commit_timestamp_belongs(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, EVENTS))
    world.insert("events", {"at": COMMIT_TS})
    text = refused(
        world, SchemaEnforcementError, lambda tx: tx.insert("events", {"at": Int64(1), "n": COMMIT_TS})
    )
    assert text.endswith("Path: .n\nValue: [unresolved commit timestamp]\nValidator: v.float64()")


LIKELY = st.sampled_from([COMMIT_TS, Int64(INT64_MAX), Int64(0), UNSET]) | pending_values(max_leaves=3)
FIELDS = st.fixed_dictionaries({"at": st.fixed_dictionaries({"in": LIKELY}) | LIKELY, "n": LIKELY}).map(
    lambda fields: {name: value for name, value in fields.items() if value is not UNSET}
)


@given(mutations=st.lists(st.lists(st.tuples(st.integers(0, 4), FIELDS), max_size=5), max_size=4))
@settings(max_examples=25, deadline=None)
def test_whatever_waits_for_its_timestamp_gets_it_and_stands_where_it_belongs(
    mutations: list[list[tuple[int, dict[str, Any]]]],
) -> None:
    world = World()
    world.mutate(lambda tx: apply_schema(tx, EVENTS))
    expected: dict[str, dict[str, Any]] = {}

    def body(tx: WriteTransaction, writes: list[tuple[int, dict[str, Any]]]) -> None:
        for place, fields in writes:
            if place < len(expected):
                id = list(expected)[place]
                tx.replace(id, fields)
            else:
                id = tx.insert("notes", fields)
            expected[id] = fields
        # In the mutation itself the placeholder has its own place, and is what is found by it.
        for order, sign in (("asc", 1), ("desc", -1)):
            found = [
                get_path(fields, ["at", "in"])
                for fields in documents(tx.scan(query("notes", "by_at", order=order)))
            ]
            assert found == sorted(found, key=cmp_to_key(lambda one, other: sign * compare(one, other)))  # noqa: B023
        at = [get_path(fields, ["at", "in"]) for fields in expected.values()]
        most = [value for value in at if value is COMMIT_TS or (type(value) is Int64 and value == INT64_MAX)]
        assert len(list(tx.scan(query("notes", "by_at", RangeBound("at.in", "eq", COMMIT_TS))))) == len(most)

    for writes in mutations:
        rows = world.mutate(partial(body, writes=writes)).rows
        for id, fields in expected.items():
            expected[id] = at_commit(fields, rows[-1].ts if rows else 0)
    for index, path in (("by_at", "at.in"), ("by_n_at", "n")):
        found = in_order_of(world, "notes", index)
        assert sorted(map(encode, found)) == sorted(map(encode, expected.values()))
        keys = [encode_key([get_path(document, path.split("."))]) for document in found]
        assert keys == sorted(keys)
    world.close()


def test_unset_fields_are_dropped_and_in_patches_removed(world: World) -> None:
    (id,) = world.insert("notes", {"a": UNSET, "b": 1, "c": {"d": UNSET}})
    assert documents([world_text(world, id)]) == [{"b": 1.0, "c": {}}]
    world.mutate(lambda tx: tx.patch(id, {"b": UNSET, "gone": UNSET, "c": {"e": UNSET}, "f": "x"}))
    assert documents([world_text(world, id)]) == [{"c": {}, "f": "x"}]


def world_text(world: World, id: str) -> str:
    with world.reader.begin() as snapshot:
        return snapshot.transaction().get(id) or ""


def test_ids_of_other_tables_and_no_ids_are_refused(world: World) -> None:
    (note,), (task,) = world.insert("notes", {}), world.insert("tasks", {})
    unknown = encode_id(20_000, bytes(16))
    for name, action in {
        "patch": lambda tx, id, table: tx.patch(id, {}, table=table),
        "replace": lambda tx, id, table: tx.replace(id, {}, table=table),
        "delete": lambda tx, id, table: tx.delete(id, table=table),
    }.items():
        text = refused(world, InvalidArgument, lambda tx, action=action: action(tx, task, "notes"))
        assert (
            text == f"Invalid argument `id` for `db.{name}`: "
            'expected to be an Id<"notes">, got Id<"tasks"> instead.'
        )
        text = refused(world, InvalidArgument, lambda tx, action=action: action(tx, "no id", None))
        assert text.startswith(f"Invalid argument `id` for `db.{name}`: Unable to decode ID: ")
        text = refused(world, InvalidArgument, lambda tx, action=action: action(tx, 5, None))
        assert text == f"Invalid argument `id` for `db.{name}`, expected string but got 'int': 5"
        text = refused(world, TableNotFound, lambda tx, action=action: action(tx, unknown, None))
        assert text == f'Table for ID "{unknown}" not found'
    world.mutate(lambda tx: tx.delete(note, table="notes"))


def test_missing_documents_are_named(world: World) -> None:
    (id,) = world.insert("notes", {})
    world.mutate(lambda tx: tx.delete(id))
    assert (
        refused(world, NonexistentDocument, lambda tx: tx.patch(id, {}))
        == f"Update on nonexistent document ID {id}"
    )
    assert (
        refused(world, NonexistentDocument, lambda tx: tx.replace(id, {}))
        == f"Replace on nonexistent document ID {id}"
    )
    assert (
        refused(world, NonexistentDocument, lambda tx: tx.delete(id))
        == f"Delete on nonexistent document ID {id}"
    )


def test_system_tables_are_read_only(world: World) -> None:
    world.insert("notes", {})
    text = "System tables (prefixed with `_`) are read-only."
    assert refused(world, SystemTableRefused, lambda tx: tx.insert("_tables", {})) == text
    with world.reader.begin() as snapshot:
        rows = list(snapshot.transaction().system.scan(query("_tables")))
    id = str(decode_stored(rows[0])["_id"])  # type: ignore[index,call-overload]
    assert refused(world, SystemTableRefused, lambda tx: tx.patch(id, {"name": "x"})) == text
    assert refused(world, SystemTableRefused, lambda tx: tx.replace(id, {})) == text
    assert refused(world, SystemTableRefused, lambda tx: tx.delete(id)) == text


def test_bad_table_names_are_refused(world: World) -> None:
    refused(world, InvalidName, lambda tx: tx.insert("a b", {}))
    refused(world, InvalidName, lambda tx: tx.insert("", {}))


def test_tables_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes_module, "TABLES_MAX", 2)
    world.insert("a", {})
    world.insert("b", {})
    world.insert("a", {})
    assert refused(world, TooManyTables, lambda tx: tx.insert("c", {})) == "Number of tables cannot exceed 2."


SCHEMA = define_schema({"notes": define_table({"n": v.number(), "s": v.optional(v.string())})})


def test_the_schema_is_enforced_with_the_whole_sentence(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    text = refused(world, SchemaEnforcementError, lambda tx: tx.insert("notes", {"n": "x"}))
    assert text == (
        'Failed to insert or update a document in table "notes" because it does not match the schema: '
        'Value does not match validator.\nPath: .n\nValue: "x"\nValidator: v.float64()'
    )
    (id,) = world.insert("notes", {"n": 1})
    refused(world, SchemaEnforcementError, lambda tx: tx.patch(id, {"m": 1}))
    refused(world, SchemaEnforcementError, lambda tx: tx.patch(id, {"n": UNSET}))
    refused(world, SchemaEnforcementError, lambda tx: tx.replace(id, {}))
    world.insert("others", {"anything": "goes"})


def test_a_refused_write_can_be_caught_and_leaves_nothing(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    ids: list[str] = []

    def body(tx: WriteTransaction) -> None:
        ids.append(tx.insert("notes", {"n": 1}))
        for action in (
            lambda: tx.insert("notes", {"n": "x"}),
            lambda: tx.patch(ids[0], {"n": "x"}),
        ):
            with pytest.raises(SchemaEnforcementError):
                action()
        assert documents(tx.scan(query("notes"))) == [{"n": 1.0}]

    assert len(world.mutate(body).rows[0].writes) == 1


def test_a_write_that_changes_nothing_skips_the_schema(world: World) -> None:
    (id,) = world.insert("notes", {"n": "not a number", "s": "x"})
    unchecked = define_schema(
        {"notes": define_table({"n": v.number(), "s": v.string()})}, schema_validation=False
    )
    world.mutate(lambda tx: apply_schema(tx, unchecked))
    assert world.mutate(lambda tx: tx.patch(id, {"s": "x"})).rows == []
    assert world.mutate(lambda tx: tx.replace(id, {"s": "x", "n": "not a number"})).rows == []


def test_true_and_one_are_not_equal(world: World) -> None:
    (id,) = world.insert("notes", {"n": 1.0})
    assert len(world.mutate(lambda tx: tx.patch(id, {"n": True})).rows) == 1
    assert len(world.mutate(lambda tx: tx.patch(id, {"n": Int64(1)})).rows) == 1
    assert len(world.mutate(lambda tx: tx.patch(id, {"n": -0.0})).rows) == 1
    assert len(world.mutate(lambda tx: tx.patch(id, {"n": 0.0})).rows) == 1
    assert len(world.mutate(lambda tx: tx.patch(id, {"n": 0})).rows) == 0


def test_the_log_row_has_the_net_effect_with_keys_of_every_index(world: World) -> None:
    world.mutate(
        lambda tx: apply_schema(tx, define_schema({"notes": define_table(v.any()).index("by_n", ["n"])}))
    )
    (id,) = world.insert("notes", {"n": 1})
    before = world_text(world, id)

    def body(tx: WriteTransaction) -> None:
        tx.patch(id, {"n": 2})
        tx.patch(id, {"n": 3})

    (row,) = world.mutate(body).rows
    (write,) = row.writes
    assert (write.id, write.old, write.new) == (id, before, world_text(world, id))
    by_id, by_creation, by_n = write.keys
    assert by_id[1] == by_id[2]
    assert by_creation[1] == by_creation[2]
    assert by_n[1] is not None and by_n[2] is not None and by_n[1] < by_n[2]  # noqa: PT018
    (row,) = world.mutate(lambda tx: tx.delete(id)).rows
    assert [new for _, _, new in row.writes[0].keys] == [None] * 3


def test_a_loop_may_patch_the_field_that_it_walks_by(world: World) -> None:
    world.mutate(
        lambda tx: apply_schema(tx, define_schema({"t": define_table(v.any()).index("by_n", ["n"])}))
    )
    world.insert("t", *({"n": number} for number in range(40)))

    def halve(tx: WriteTransaction) -> None:
        for text in tx.scan(query("t", "by_n")):
            document = decode_stored(text)
            tx.patch(document["_id"], {"n": document["n"] - 100})  # type: ignore[index,call-overload,operator]

    world.mutate(halve)
    with world.reader.begin() as snapshot:
        found = documents(snapshot.transaction().scan(query("t", "by_n")))
    assert found == [{"n": float(number - 100)} for number in range(40)]


def test_a_loop_sees_what_is_written_ahead_of_it_and_not_what_is_deleted(world: World) -> None:
    ids = world.insert("t", *({"n": number} for number in range(5)))
    seen: list[float] = []

    def walk(tx: WriteTransaction) -> None:
        for text in tx.scan(query("t")):
            n = decode_stored(text)["n"]  # type: ignore[index,call-overload]
            seen.append(n)  # type: ignore[arg-type]
            if n == 1.0:
                tx.delete(ids[2])
                tx.patch(ids[3], {"n": 33})
            if n == 4.0:
                tx.insert("t", {"n": 5})
                tx.insert("t", {"n": 6})

    world.mutate(walk)
    assert seen == [0.0, 1.0, 33.0, 4.0, 5.0, 6.0]


def test_a_descending_loop_sees_writes_too(world: World) -> None:
    ids = world.insert("t", *({"n": number} for number in range(5)))
    seen: list[float] = []

    def walk(tx: WriteTransaction) -> None:
        for text in tx.scan(query("t", order="desc")):
            n = decode_stored(text)["n"]  # type: ignore[index,call-overload]
            seen.append(n)  # type: ignore[arg-type]
            if n == 3.0:
                tx.delete(ids[2])
                tx.insert("t", {"n": 9})

    world.mutate(walk)
    assert seen == [4.0, 3.0, 1.0, 0.0]


def test_an_exception_that_no_author_catches_still_closes_its_part(world: World) -> None:
    class Stop(BaseException):
        """As raised by a time limit."""

    def body(tx: WriteTransaction) -> None:
        tx.insert("t", {"n": 1})
        with tx.savepoint():
            tx.insert("t", {"n": 2})
            raise Stop

    world.group.begin()
    with pytest.raises(Stop):
        world.perform(body)
    assert world.perform(lambda tx: tx.insert("u", {})).error is None
    assert len(world.group.commit().rows) == 1
    with world.reader.begin() as snapshot:
        assert [table.name for table in snapshot.catalog.user_tables()] == ["u"]


def test_what_a_dropped_part_read_stays_read(world: World) -> None:
    (id,) = world.insert("t", {"n": 1})

    def body(tx: WriteTransaction) -> None:
        try:
            with tx.savepoint():
                tx.get(id)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        assert tx.read_set.covers(1001, b"\x10" + id.encode() + b"\0")
        assert tx.usage.documents_read == 1

    world.mutate(body)


def test_reads_at_the_begin_see_no_own_write_and_leave_no_trace(world: World) -> None:
    kept, changed, gone = world.insert("t", {"n": 1}, {"n": 2}, {"n": 3})

    def body(tx: WriteTransaction) -> None:
        tx.patch(changed, {"n": 20})
        tx.delete(gone)
        tx.insert("t", {"n": 4})
        tx.insert("fresh", {"n": 5})
        with suppress(NonexistentDocument), tx.savepoint():
            tx.patch(kept, {"n": 10})
            tx.delete(gone)
        before, read = tx.read_set, tx.usage.documents_read
        past = tx.at_begin()
        assert [document["n"] for document in documents(past.scan(query("t")))] == [1, 2, 3]
        assert [document["n"] for document in documents(past.scan(query("t", order="desc")))] == [3, 2, 1]
        assert list(past.scan(query("fresh"))) == []
        assert past.get(gone) is not None
        assert tx.read_set == before
        assert tx.usage.documents_read == read + 7
        assert [document["n"] for document in documents(tx.scan(query("t")))] == [1, 20, 4]

    world.mutate(body)
