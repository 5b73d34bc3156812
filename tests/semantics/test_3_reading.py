"""Semantics 3: reading by id, queries, ranges, filters, the order of all values, pages, system tables."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rewake import (
    UNSET,
    ApplicationError,
    Document,
    Id,
    Index,
    Int64,
    MutationCtx,
    PaginationOptions,
    PaginationResult,
    Query,
    QueryCtx,
    define_schema,
    define_table,
    gt,
    gte,
    lt,
    lte,
    query,
    v,
)
from rewake.limits import Limits
from rewake.schema import Comparison
from rewake.testing import Backend
from rewake.values import compare, encode_id
from tests.semantics.telling import failure, told

HERE = "semantics/test_3_reading"


class Note(Document, table="notes"):
    room: str
    n: int
    by_room = Index("room", "n")


class Person(Document, table="people"):
    name: str


@query
def unread(ctx: QueryCtx) -> Any:
    return ctx.db.query(Note)


@query
def page(ctx: QueryCtx, pagination_opts: PaginationOptions, room: str = "a") -> PaginationResult[Note]:
    return ctx.db.query(Note).with_index(Note.by_room, room=room).paginate(pagination_opts)


@query
def even_page(ctx: QueryCtx, pagination_opts: PaginationOptions) -> PaginationResult[int]:
    found = ctx.db.query(Note).filter(lambda note: note.n % 2 == 0).paginate(pagination_opts)
    return found.with_page([note.n for note in found.page])


@query
def two_pages(ctx: QueryCtx, pagination_opts: PaginationOptions) -> None:
    ctx.db.query(Note).paginate(pagination_opts)
    ctx.db.query(Note).paginate(pagination_opts)


@query
def page_of_a_nested_query(ctx: QueryCtx, pagination_opts: PaginationOptions) -> list[int]:
    first = ctx.run_query(even_page, pagination_opts=pagination_opts).page
    second = ctx.run_query(even_page, pagination_opts=pagination_opts).page
    return [*first, *second]


@pytest.fixture
def backend() -> Iterator[Backend]:
    functions = (unread, page, even_page, two_pages, page_of_a_nested_query)
    with Backend.from_functions(*functions, documents=[Note, Person]) as made:
        yield made


def fill(backend: Backend, *rows: tuple[str, int]) -> list[Id[Note]]:
    return backend.run(lambda ctx: [ctx.db.insert(Note(room=room, n=n)) for room, n in rows])


def ns(notes: Any) -> list[int]:
    return [note.n for note in notes]


# 3.1


def test_3_1_get_gives_the_document_or_none(backend: Backend) -> None:
    [id] = fill(backend, ("a", 1))
    missing = fill(backend, ("a", 2))[0]
    backend.run(lambda ctx: ctx.db.delete(missing))
    unknown = encode_id(99_999, bytes(16))

    def look(ctx: QueryCtx) -> None:
        by_id = ctx.db.get(id)
        assert by_id is not None
        assert by_id.n == 1
        by_table = ctx.db.get("notes", id)
        assert by_table is not None
        assert by_table["n"] == 1.0
        assert ctx.db.get(Note, id) == by_id == ctx.db.table(Note).get(id)
        assert ctx.db.get(missing) is ctx.db.get("notes", missing) is None
        assert ctx.db.get("notes", unknown) is None
        assert ctx.db.get("nowhere", unknown) is None

    backend.query(look)


def test_3_1_get_refuses_what_is_no_id_in_these_words(backend: Backend) -> None:
    [id] = fill(backend, ("a", 1))
    cases: list[tuple[Callable[[QueryCtx], Any], str]] = [
        (
            lambda ctx: ctx.db.get("notes", "short"),
            "Invalid argument `id` for `db.get`: Unable to decode ID: Invalid ID length 5",
        ),
        (
            lambda ctx: ctx.db.get("people", id),
            'Invalid argument `id` for `db.get`: expected to be an Id<"people">, got Id<"notes"> instead.',
        ),
        (
            lambda ctx: ctx.db.get("nowhere", id),
            'Invalid argument `id` for `db.get`: expected to be an Id<"nowhere">, got Id<"notes"> instead.',
        ),
        (
            lambda ctx: ctx.db.get("notes", 5),  # type: ignore[call-overload]
            "Invalid argument `id` for `db.get`, expected string but got 'int': 5",
        ),
        (lambda ctx: ctx.db.get(), "Must provide arg 1 `id` to `get`"),  # type: ignore[call-overload]
        (lambda ctx: ctx.db.get(None), "Must provide arg 1 `id` to `get`"),  # type: ignore[call-overload]
    ]
    for call, text in cases:
        with told(text):
            backend.query(call)


def test_3_1_system_tables_and_others_have_doors_of_their_own(backend: Backend) -> None:
    [id] = fill(backend, ("a", 1))
    [system] = backend.query(lambda ctx: [row["_id"] for row in ctx.db.system.query("_tables").take(1)])
    with told("System tables can only be accessed with db.system."):
        backend.query(lambda ctx: ctx.db.get("_tables", system))
    with told("System tables can only be accessed from db.system.query()."):
        backend.query(lambda ctx: ctx.db.query("_tables").collect())
    with told("User tables cannot be accessed with db.system."):
        backend.query(lambda ctx: ctx.db.system.get(id))
    with told("User tables cannot be accessed with db.system."):
        backend.query(lambda ctx: ctx.db.system.query("notes").collect())
    assert backend.query(lambda ctx: ctx.db.system.get(system)) is not None


def test_3_1_get_many_keeps_order_gaps_and_duplicates(backend: Backend) -> None:
    one, two, gone = fill(backend, ("a", 1), ("a", 2), ("a", 3))
    backend.run(lambda ctx: ctx.db.delete(gone))

    def look(ctx: QueryCtx) -> list[Any]:
        return [note and note.n for note in ctx.db.get_many([two, gone, one, two])]

    assert backend.query(look) == [2, None, 1, 2]
    assert backend.query(lambda ctx: ctx.db.get_many([])) == []
    with told('Invalid argument `id` for `db.get`: expected to be an Id<"people">, got Id<"notes"> instead.'):
        backend.query(lambda ctx: ctx.db.get_many("people", [one]))
    with told("`db.get_many` takes ids, such as a list of them; got 'x'."):
        backend.query(lambda ctx: ctx.db.get_many("x"))  # type: ignore[call-overload]


def test_3_1_reads_see_the_snapshot_and_the_transactions_own_writes(backend: Backend) -> None:
    def write(ctx: MutationCtx) -> list[int]:
        id = ctx.db.insert(Note(room="a", n=1))
        ctx.db.patch(id, n=2)
        return ns(ctx.db.query(Note).with_index(Note.by_room, room="a", n=2))

    assert backend.run(write) == [2]


# 3.2


def test_3_2_a_table_is_read_in_order_of_creation_either_way(backend: Backend) -> None:
    fill(backend, ("b", 3), ("a", 1), ("b", 2))
    assert backend.query(lambda ctx: ns(ctx.db.query(Note).collect())) == [3, 1, 2]
    assert backend.query(lambda ctx: ns(ctx.db.query(Note).order("desc").collect())) == [2, 1, 3]
    assert backend.query(lambda ctx: ns(ctx.db.query(Note).order("asc").take(2))) == [3, 1]


def test_3_2_an_index_without_a_range_is_read_whole_in_its_order(backend: Backend) -> None:
    fill(backend, ("b", 3), ("a", 1), ("b", 2), ("b", 2))
    found = backend.query(lambda ctx: ctx.db.query(Note).with_index(Note.by_room).collect())
    assert [(note.room, note.n) for note in found] == [("a", 1), ("b", 2), ("b", 2), ("b", 3)]
    assert found[1].creation_time < found[2].creation_time
    back = backend.query(lambda ctx: ctx.db.query(Note).with_index(Note.by_room).order("desc").collect())
    assert back == found[::-1]


def test_3_2_first_take_and_unique(backend: Backend) -> None:
    one, two = fill(backend, ("a", 1), ("a", 2))
    assert backend.query(lambda ctx: ctx.db.query(Person).first()) is None
    assert backend.query(lambda ctx: ctx.db.query(Person).unique()) is None
    assert backend.query(lambda ctx: ns([ctx.db.query(Note).first()])) == [1]
    assert backend.query(lambda ctx: ns([ctx.db.query(Note).filter(n=2).unique()])) == [2]
    assert backend.query(lambda ctx: (ctx.db.query(Note).take(0), len(ctx.db.query(Note).take(9)))) == ([], 2)
    fill(backend, ("a", 3))
    with told(f"unique() query returned more than one result from table notes:\n [{one}, {two}, ...]"):
        backend.query(lambda ctx: ctx.db.query(Note).unique())


def twice(query: Query[Note]) -> Any:
    query.collect()
    return query.collect()


def chained_twice(query: Query[Note]) -> Any:
    query.order("asc")
    return query.filter(n=1)


def chained_after_it_began(query: Query[Note]) -> Any:
    query.first()
    return query.order("asc")


def read_after_it_was_chained(query: Query[Note]) -> Any:
    query.order("asc")
    return query.collect()


def read_again_in_the_middle(query: Query[Note]) -> Any:
    next(iter(query))
    return query.first()


def of_many_operators(query: Query[Note]) -> Any:
    for _ in range(257):
        query = query.filter(n=1)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda query: query.take(-1), "Arg 1 `n` to `take` must be a non-negative integer"),
        (lambda query: query.take(1.5), "Arg 1 `n` to `take` must be a non-negative integer"),
        (lambda query: query.take(True), "Arg 1 `n` to `take` must be a non-negative integer"),
        (lambda query: query.order("asc").order("asc"), "Queries may only specify order at most once"),
        (chained_twice, "A query can only be chained once and can't be chained after iteration begins."),
        (
            chained_after_it_began,
            "A query can only be chained once and can't be chained after iteration begins.",
        ),
        (
            read_after_it_was_chained,
            "This query has been chained with another operator and can't be reused.",
        ),
        (read_again_in_the_middle, "Iteration can only begin on a query once."),
        (twice, "This query is closed and can't emit any more values."),
        (of_many_operators, "Can't construct query with more than 256 operators"),
    ],
)
def test_3_2_a_query_used_wrongly_is_refused_in_these_words(
    backend: Backend, use: Callable[[Query[Note]], Any], text: str
) -> None:
    fill(backend, ("a", 1), ("a", 2))
    with told(text):
        backend.query(lambda ctx: use(ctx.db.query(Note)))


def test_3_2_a_query_object_is_no_result(backend: Backend) -> None:
    assert failure(backend, f"{HERE}:unread") == (
        "Return value is a Query. Results must be retrieved with `.collect()`, `.take(n), `.unique()`, or "
        "`.first()`."
    )


def test_3_2_a_table_that_does_not_exist_is_empty_and_has_no_declared_index(backend: Backend) -> None:
    def look(ctx: QueryCtx) -> None:
        assert ctx.db.query("nowhere").collect() == []
        for index in ("by_id", "by_creation_time"):
            assert ctx.db.query("nowhere").with_index(index).collect() == []

    backend.query(look)
    for table in ("nowhere", "notes"):
        with told(f"Index {table}.by_x not found."):
            backend.query(lambda ctx, table=table: ctx.db.query(table).with_index("by_x").collect())


def test_3_2_counts_come_after_filters_and_reads_before_them(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(10)])

    def look(ctx: QueryCtx) -> tuple[list[int], int]:
        found = (
            ctx.db.query(Note).filter(lambda note: note.n % 2 == 1).filter(lambda note: note.n > 2).take(2)
        )
        return ns(found), ctx.meta.get_transaction_metrics().documents_read.used

    assert backend.query(look) == ([3, 5], 6)


def test_3_2_iteration_reads_bounded_pages_and_counts_what_was_consumed(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(600)])

    def look(ctx: QueryCtx) -> int:
        for note in ctx.db.query(Note):
            if note.n == 299:
                break
        return ctx.meta.get_transaction_metrics().documents_read.used

    assert backend.query(look) == 300
    assert backend.query(lambda ctx: ns(ctx.db.query(Note))) == list(range(600))
    assert backend.query(lambda ctx: ns(ctx.db.query(Note).order("desc"))) == list(range(600))[::-1]


# 3.3


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 2, 3, 1, 2, 3]),
        ({"room": "a"}, [1, 2, 3]),
        ({"room": "a", "n": 2}, [2]),
        ({"n": 2, "room": "a"}, [2]),
        ({"room": "a", "n": gt(1)}, [2, 3]),
        ({"room": "a", "n": gte(2)}, [2, 3]),
        ({"room": "a", "n": lt(3)}, [1, 2]),
        ({"room": "a", "n": lte(2)}, [1, 2]),
        ({"room": "a", "n": gt(1) & lt(3)}, [2]),
        ({"room": "a", "n": gt(2) & lt(2)}, []),
        ({"room": "a", "n": gte(3) & lt(1)}, []),
        ({"room": gt("a")}, [1, 2, 3]),
        ({"room": "x"}, []),
    ],
    ids=str,
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_3_3_equalities_on_a_prefix_then_one_range(
    backend: Backend, order: Any, fields: dict[str, Any], expected: list[int]
) -> None:
    fill(backend, *[(room, n) for n in (3, 1, 2) for room in "ab"])
    found = backend.query(
        lambda ctx: ns(ctx.db.query(Note).with_index(Note.by_room, **fields).order(order).collect())
    )
    assert found == (expected if order == "asc" else expected[::-1])


def test_3_3_creation_time_and_id_follow_the_declared_fields(backend: Backend) -> None:
    ids = fill(backend, ("a", 1), ("a", 1), ("a", 1))
    second = backend.query(lambda ctx: ctx.db.get(ids[1]))
    assert second is not None

    def found(**fields: Any) -> list[str]:
        return backend.query(
            lambda ctx: [
                note.id for note in ctx.db.query(Note).with_index(Note.by_room, room="a", n=1, **fields)
            ]
        )

    assert found(creation_time=gt(second.creation_time)) == ids[2:]
    assert found(creation_time=second.creation_time) == [ids[1]]
    assert found(creation_time=second.creation_time, id=gte(ids[1])) == [ids[1]]
    assert found(creation_time=second.creation_time, id=gt(ids[1])) == []


def test_3_3_by_id_and_by_creation_time_have_ranges(backend: Backend) -> None:
    ids = fill(backend, ("a", 1), ("a", 2), ("a", 3))
    second = backend.query(lambda ctx: ctx.db.get(ids[1]))
    assert second is not None
    after = lte(second.creation_time)
    assert backend.query(
        lambda ctx: ns(ctx.db.query(Note).with_index("by_creation_time", creation_time=after))
    ) == [1, 2]
    assert backend.query(lambda ctx: ns(ctx.db.query(Note).with_index("by_id", id=ids[1]))) == [2]
    assert (
        backend.query(
            lambda ctx: [
                row["_id"] for row in ctx.db.query("notes").with_index("by_id", {"_id": gt(min(ids))})
            ]
        )
        == sorted(ids)[1:]
    )


def mixed(backend: Backend) -> dict[str, Any]:
    """One row for each kind of value, and one without the field."""
    rows: dict[str, Any] = {
        "null": None,
        "int64": Int64(9),
        "less": 4.0,
        "five": 5.0,
        "more": 6.0,
        "boolean": False,
        "string": "5",
        "bytes": b"5",
        "array": [5.0],
        "object": {"a": 5.0},
    }
    backend.run(lambda ctx: ctx.db.insert("mixed", {"name": "missing"}))
    for name, value in rows.items():
        backend.run(lambda ctx, name=name, value=value: ctx.db.insert("mixed", {"name": name, "a": value}))
    return rows


@pytest.fixture
def of_all_kinds() -> Iterator[Backend]:
    schema = define_schema(
        {"mixed": define_table(v.any()).index("by_a", ["a"]).index("by_inner", ["inner.a", "inner.b"])}
    )
    with Backend.from_modules(schema=schema) as made:
        yield made


BELOW = ["missing", "null", "int64", "less"]
ABOVE = ["more", "boolean", "string", "bytes", "array", "object"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (gt(5), ABOVE),
        (gte(5), ["five", *ABOVE]),
        (lt(5), BELOW),
        (lte(5), [*BELOW, "five"]),
        (UNSET, ["missing"]),
        (None, ["null"]),
        (gt(UNSET), ["null", "int64", "less", "five", *ABOVE]),
        (5, ["five"]),
        (Int64(9), ["int64"]),
        ({"a": 5}, ["object"]),
    ],
    ids=str,
)
def test_3_3_comparisons_go_across_all_types(of_all_kinds: Backend, asked: Any, expected: list[str]) -> None:
    mixed(of_all_kinds)

    def by_index(ctx: QueryCtx) -> list[str]:
        return [row["name"] for row in ctx.db.query("mixed").with_index("by_a", a=asked)]

    assert of_all_kinds.query(by_index) == expected


def test_3_3_paths_reach_into_objects_and_hold_documents_without_them(of_all_kinds: Backend) -> None:
    rows: list[dict[str, Any]] = [
        {"inner": {"a": 1, "b": 2}},
        {"inner": {"a": 1}},
        {"inner": [{"a": 1}]},
        {"inner": "text"},
        {},
    ]
    for row in rows:
        of_all_kinds.run(lambda ctx, row=row: ctx.db.insert("mixed", row))

    def found(fields: dict[str, Any]) -> list[Any]:
        return of_all_kinds.query(
            lambda ctx: [row.get("inner") for row in ctx.db.query("mixed").with_index("by_inner", fields)]
        )

    assert found({"inner.a": 1}) == [{"a": 1}, {"a": 1, "b": 2}]
    assert found({"inner.a": 1, "inner.b": 2}) == [{"a": 1, "b": 2}]
    assert found({"inner.a": UNSET}) == [[{"a": 1}], "text", None]


INDEX_FIELDS = '["room", "n", "_creationTime", "_id"]'


@pytest.mark.parametrize(
    ("paths", "fields", "text"),
    [
        (
            {"room": "a"},
            {"room": "b"},
            'Already defined equality bound in index range. Can\'t add eq("room", "b").',
        ),
        (
            {"room": "a"},
            {"room": gt("b")},
            'Already defined equality bound in index range. Can\'t add gt("room", "b").',
        ),
        (
            {},
            {"room": gt("a") & gte("b")},
            'Already defined lower bound in index range. Can\'t add gte("room", "b").',
        ),
        (
            {},
            {"room": lt("a") & lte("b")},
            'Already defined upper bound in index range. Can\'t add lte("room", "b").',
        ),
        (
            {"room": lt("a")},
            {"room": "b"},
            'Already defined inequality bound in index range. Can\'t add eq("room", "b").',
        ),
        (
            {},
            {"room": gt("a"), "n": lt(1)},
            "Upper and lower bounds in `range` can only be applied to a single index field. This query "
            "against "
            'index notes.by_room attempted to set a range bound on both "room" and "n". Consider using '
            "`filter` "
            "instead. See https://docs.convex.dev/using/indexes for more info.",
        ),
        (
            {},
            {"n": 1},
            "Tried to query index notes.by_room but the query didn't use the index fields in order.\n"
            'Index fields: ["room", "n", "_creationTime", "_id"]\nQuery fields: ["n"]\n'
            'First incorrect field: "n"\n'
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
        (
            {},
            {"room": "a", "creation_time": gt(1)},
            "Tried to query index notes.by_room but the query didn't use the index fields in order.\n"
            f"Index fields: {INDEX_FIELDS}\n"
            'Query fields: ["room", "_creationTime"]\nFirst incorrect field: "_creationTime"\n'
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
        (
            {"other": 1},
            {},
            'The index range included a comparison with "other", but notes.by_room with fields '
            '["room", "n", "_creationTime", "_id"] doesn\'t index this field. '
            "For more information see https://docs.convex.dev/using/indexes.",
        ),
    ],
)
@pytest.mark.parametrize("index", [Note.by_room, "by_room"], ids=["attribute", "name"])
def test_3_3_a_range_that_an_index_cannot_give_is_refused_in_these_words(
    backend: Backend, index: Any, paths: dict[str, Any], fields: dict[str, Any], text: str
) -> None:
    with told(text):
        backend.query(lambda ctx: ctx.db.query(Note).with_index(index, paths, **fields).collect())


def test_3_3_an_empty_range_is_a_dependency(backend: Backend) -> None:
    with backend.watch(page, pagination_opts=PaginationOptions(num_items=5, cursor=None)) as live:
        assert live.value.page == []
        fill(backend, ("b", 1))
        assert live.wakes == 0
        fill(backend, ("a", 1))
        assert (live.wakes, ns(live.value.page)) == (1, [1])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((5,), "`with_index` takes an index of the document class, or its name; got 5."),
        (
            ("by_room", "a"),
            "`with_index` takes bounds as keywords, or a mapping of dotted paths; got 'a'.",
        ),
    ],
)
def test_3_3_what_is_no_index_and_no_range_is_refused(
    backend: Backend, arguments: tuple[Any, ...], text: str
) -> None:
    with told(text):
        backend.query(lambda ctx: ctx.db.query(Note).with_index(*arguments))


def test_3_3_a_value_of_another_type_than_the_field_finds_nothing(backend: Backend) -> None:
    fill(backend, ("a", 1))

    def found(**fields: Any) -> list[int]:
        return backend.query(lambda ctx: ns(ctx.db.query(Note).with_index(Note.by_room, **fields)))

    assert found(room=5) == found(room=None) == found(room="a", n=Int64(1)) == []
    assert found(room=gt(5)) == [1]


# 3.4


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (gt(5), ABOVE),
        (gte(5), ["five", *ABOVE]),
        (lt(5), BELOW),
        (lte(5), [*BELOW, "five"]),
        (gte(5) & lt(6), ["five"]),
        (UNSET, ["missing"]),
        (None, ["null"]),
        (Int64(5), []),
        (True, []),
        (False, ["boolean"]),
        ([5], ["array"]),
    ],
    ids=str,
)
def test_3_4_a_filter_on_fields_compares_as_an_index_does(
    of_all_kinds: Backend, asked: Any, expected: list[str]
) -> None:
    mixed(of_all_kinds)
    assert of_all_kinds.query(
        lambda ctx: [row["name"] for row in ctx.db.query("mixed").filter(a=asked)]
    ) == sorted(expected, key=["missing", "null", "int64", "less", "five", *ABOVE].index)


def test_3_4_a_filter_tells_minus_zero_from_zero_and_int64_from_float(of_all_kinds: Backend) -> None:
    for value in (0.0, -0.0, Int64(0)):
        of_all_kinds.run(lambda ctx, value=value: ctx.db.insert("mixed", {"a": value}))

    def found(asked: Any) -> list[str]:
        return of_all_kinds.query(
            lambda ctx: [repr(row["a"]) for row in ctx.db.query("mixed").filter(a=asked)]
        )

    assert found(0) == ["0.0"]
    assert found(-0.0) == ["-0.0"]
    assert found(Int64(0)) == ["Int64(0)"]
    assert found(lt(0)) == ["-0.0", "Int64(0)"]


def test_3_4_a_filter_takes_functions_fields_and_paths(backend: Backend) -> None:
    fill(backend, ("a", 1), ("b", 2), ("a", 3))
    first = backend.query(lambda ctx: ctx.db.query(Note).first())
    assert first is not None

    def found(*conditions: Any, **fields: Any) -> list[int]:
        return backend.query(lambda ctx: ns(ctx.db.query(Note).filter(*conditions, **fields)))

    assert found(lambda note: note.n > 1) == [2, 3]
    assert found(room="a", n=gt(1)) == [3]
    assert found({"room": "a"}, n=gt(1)) == [3]
    assert found(lambda note: note.n < 3, room="a") == [1]
    assert found(creation_time=gt(first.creation_time)) == [2, 3]
    assert found(id=first.id) == [1]
    with told("`filter` takes a function of a document, or fields; got 5."):
        found(5)
    with told('`filter` was given "rooom", and Note has no such field.'):
        found(rooom="a")


def test_3_4_a_table_without_a_class_is_filtered_by_any_path(of_all_kinds: Backend) -> None:
    of_all_kinds.run(lambda ctx: ctx.db.insert("mixed", {"a": {"b": 1}}))
    assert of_all_kinds.query(lambda ctx: len(ctx.db.query("mixed").filter({"a.b": 1}).collect())) == 1
    assert of_all_kinds.query(lambda ctx: len(ctx.db.query("mixed").filter({"x.y": UNSET}).collect())) == 1


def test_3_4_an_error_in_a_filter_can_be_caught(backend: Backend) -> None:
    fill(backend, ("a", 1))

    def look(ctx: QueryCtx) -> list[int]:
        try:
            return ns(ctx.db.query(Note).filter(lambda note: 1 / 0 > 1).collect())
        except ZeroDivisionError:
            return ns(ctx.db.query(Note).collect())

    assert backend.query(look) == [1]


# 3.5


def double(bits: int) -> float:
    number: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return number


IN_ORDER: list[Any] = [
    UNSET,
    None,
    Int64(-(2**63)),
    Int64(-1),
    Int64(0),
    Int64(1),
    Int64(2**63 - 1),
    double(0xFFF8_0000_0000_0001),  # A NaN with the sign.
    -math.inf,
    -1.5,
    -5e-324,
    -0.0,
    0.0,
    5e-324,
    1.0,
    2.0**60,
    math.inf,
    double(0x7FF8_0000_0000_0000),
    double(0x7FF8_0000_0000_0001),
    False,
    True,
    "",
    "\0",
    "a",
    "a\0",
    "aa",
    "b",
    "\uffff",
    "\U00010000",  # Before \uffff in UTF-16, after it in UTF-8.
    b"",
    b"\0",
    b"a",
    b"a\0",
    b"\xff",
    [],
    [None],
    [None, None],
    [1.0],
    [[]],
    {},
    {"a": None},
    {"a": None, "b": None},
    {"a": 1.0},
    {"b": None},
]


def test_3_5_all_values_have_one_order() -> None:
    for (i, a), (j, b) in itertools.product(enumerate(IN_ORDER), repeat=2):
        assert compare(a, b) == (i > j) - (i < j), (a, b)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_3_5_an_index_follows_it(of_all_kinds: Backend, order: Any) -> None:
    def insert(ctx: MutationCtx) -> None:
        for place, value in reversed(list(enumerate(IN_ORDER))):
            ctx.db.insert("mixed", {"place": place, "a": value})

    of_all_kinds.run(insert)
    found = of_all_kinds.query(
        lambda ctx: [row["place"] for row in ctx.db.query("mixed").with_index("by_a").order(order)]
    )
    assert found == sorted(range(len(IN_ORDER)), reverse=order == "desc")


def test_3_5_a_point_and_both_sides_of_it_are_the_whole(of_all_kinds: Backend) -> None:
    of_all_kinds.run(lambda ctx: [ctx.db.insert("mixed", {"a": value}) for value in IN_ORDER])

    def count(ctx: QueryCtx, asked: Any) -> int:
        return len(ctx.db.query("mixed").with_index("by_a", a=asked).collect())

    for place, value in enumerate(IN_ORDER):
        asked: list[Comparison | Any] = [lt(value), value, gt(value), lte(value), gte(value)]
        counts = [of_all_kinds.query(lambda ctx, one=one: count(ctx, one)) for one in asked]
        above = len(IN_ORDER) - place - 1
        assert counts == [place, 1, above, place + 1, above + 1], value


def test_3_5_keys_longer_than_2500_bytes_are_told_apart(of_all_kinds: Backend) -> None:
    texts = [f"{'x' * 3000}{end}" for end in ("", "a", "ab", "b")] + ["x" * 2499, "x" * 2500]
    of_all_kinds.run(lambda ctx: [ctx.db.insert("mixed", {"a": text}) for text in texts])

    def found(ctx: QueryCtx, asked: Any) -> list[str]:
        return [row["a"] for row in ctx.db.query("mixed").with_index("by_a", a=asked)]

    for text in texts:
        assert of_all_kinds.query(lambda ctx, text=text: found(ctx, text)) == [text]
        assert of_all_kinds.query(lambda ctx, text=text: found(ctx, gt(text))) == sorted(
            other for other in texts if other > text
        )


# 3.6


def options(num_items: float = 2, cursor: str | None = None, **more: Any) -> Any:
    return {"numItems": num_items, "cursor": cursor, **more}


def ask(backend: Backend, name: str = "page", **opts: Any) -> Any:
    """A page as a client gets it."""
    arguments: dict[str, Any] = {"paginationOpts": options(**opts)}
    return backend.query(f"{HERE}:{name}", **arguments)


def test_3_6_pages_follow_each_other_to_the_end(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(5)])
    seen, cursor, pages = [], None, 0
    while True:
        found = ask(backend, cursor=cursor)
        seen += ns(found.page)
        cursor, pages = found.continue_cursor, pages + 1
        if found.is_done:
            break
    assert (seen, pages) == ([0, 1, 2, 3, 4], 3)
    after = ask(backend, cursor=cursor)
    assert (after.page, after.is_done, after.continue_cursor) == ([], True, cursor)


def test_3_6_a_page_has_its_official_names(backend: Backend) -> None:
    fill(backend, ("a", 1))
    call = {"paginationOpts": options()}
    seen: Any = backend.query(lambda ctx: ctx.run_query(f"{HERE}:page", **call))
    assert isinstance(seen, PaginationResult)
    assert set(PaginationResult.__struct_encode_fields__) == {
        "page",
        "isDone",
        "continueCursor",
        "splitCursor",
        "pageStatus",
    }


def test_3_6_num_items_counts_after_the_filter(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(10)])
    assert ask(backend, "even_page", num_items=3).page == [0, 2, 4]


def test_3_6_a_page_keeps_its_order_and_its_filters(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(7)])

    def page(ctx: QueryCtx, cursor: str | None) -> PaginationResult[Note]:
        return ctx.db.query(Note).order("desc").filter(n=gte(2)).paginate(options(cursor=cursor))

    seen, cursor, is_done = [], None, False
    while not is_done:
        found = backend.query(lambda ctx, cursor=cursor: page(ctx, cursor))
        seen.append(ns(found.page))
        cursor, is_done = found.continue_cursor, found.is_done
    assert seen == [[6, 5], [4, 3], [2]]


def test_3_6_an_end_stays_where_it_is_while_rows_come_and_go(backend: Backend) -> None:
    fill(backend, ("a", 10), ("a", 20), ("a", 30), ("a", 40))
    with backend.watch(f"{HERE}:page", paginationOpts=options()) as first:
        middle = first.value.continue_cursor
        with backend.watch(f"{HERE}:page", paginationOpts=options(cursor=middle)) as second:
            assert (ns(first.value.page), ns(second.value.page)) == ([10, 20], [30, 40])
            fill(backend, ("a", 5), ("a", 15), ("a", 25))
            assert (ns(first.value.page), ns(second.value.page)) == ([5, 10, 15, 20], [25, 30, 40])
            gone = [note.id for note in first.value.page]
            backend.run(lambda ctx: [ctx.db.delete(id) for id in gone])
            assert (ns(first.value.page), ns(second.value.page)) == ([], [25, 30, 40])
            assert first.value.continue_cursor == middle


def test_3_6_a_pinned_last_page_has_no_end(backend: Backend) -> None:
    fill(backend, ("a", 1))
    with backend.watch(f"{HERE}:page", paginationOpts=options(num_items=2)) as live:
        assert live.value.is_done
        fill(backend, ("a", 2), ("a", 3), ("a", 4))
        assert (ns(live.value.page), live.value.is_done) == ([1, 2, 3, 4], True)


def test_3_6_an_end_cursor_wins_over_every_bound(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(6)])
    end = ask(backend, num_items=4).continue_cursor
    found = ask(backend, num_items=1, endCursor=end, maximumRowsRead=1, maximumBytesRead=1)
    assert (ns(found.page), found.continue_cursor, found.is_done) == ([0, 1, 2, 3], end, False)


def test_3_6_a_page_can_be_split_in_two(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(6)])
    whole = ask(backend, num_items=6)
    assert whole.split_cursor is not None
    left = ask(backend, endCursor=whole.split_cursor)
    right = ask(backend, cursor=whole.split_cursor, endCursor=whole.continue_cursor)
    assert ns(left.page) + ns(right.page) == ns(whole.page)
    assert (ns(left.page), ns(right.page)) == ([0, 1, 2], [3, 4, 5])
    assert ask(backend, num_items=2).split_cursor is None
    assert ask(backend, num_items=3).split_cursor is not None


def test_3_6_bounds_on_reading_count_before_the_filter_and_demand_a_split(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(10)])
    found = ask(backend, "even_page", num_items=5, maximumRowsRead=4)
    assert (found.page, found.page_status, found.is_done) == ([0, 2], "SplitRequired", False)
    found = ask(backend, "even_page", num_items=5, maximumBytesRead=1)
    assert (found.page, found.page_status) == ([0], "SplitRequired")
    assert found.split_cursor is not None


def test_3_6_a_page_that_comes_near_a_bound_should_be_split(backend: Backend) -> None:
    fill(backend, *[("a", n) for n in range(10)])
    statuses = [ask(backend, num_items=n, maximumRowsRead=8).page_status for n in (6, 7)]
    assert statuses == [None, "SplitRecommended"]


def test_3_6_a_transactions_own_limit_cuts_a_page_too() -> None:
    with Backend.from_functions(page, documents=[Note], limits=Limits(documents_read_max=20)) as backend:
        fill(backend, *[("a", n) for n in range(40)])
        found = ask(backend, num_items=40)
        assert found.page_status == "SplitRequired"
        assert 0 < len(found.page) < 20
        rest = ask(backend, num_items=40, cursor=found.continue_cursor)
        assert ns(rest.page)[0] == len(found.page)


def test_3_6_a_cursor_of_another_query_is_refused_so_that_hooks_begin_again(backend: Backend) -> None:
    fill(backend, ("a", 1), ("a", 2), ("a", 3), ("b", 1))
    foreign = ask(backend).continue_cursor
    for name, more in (("even_page", {}), ("page", {"room": "b"})):
        with pytest.raises(ApplicationError) as caught:
            backend.query(f"{HERE}:{name}", paginationOpts=options(cursor=foreign), **more)
        assert caught.value.data == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
    with told(
        "InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor is from a "
        "different query."
    ):
        backend.query(lambda ctx: ctx.db.query(Note).paginate(options(cursor=foreign)))
    with pytest.raises(ApplicationError):
        ask(backend, cursor="made up")


def test_3_6_cursors_say_nothing_and_stay_good_while_the_table_changes(backend: Backend) -> None:
    fill(backend, ("a", 1), ("a", 2), ("a", 3))
    cursor = ask(backend).continue_cursor
    assert "a" * 3 not in cursor
    assert ask(backend).continue_cursor == cursor
    fill(backend, ("a", 4))
    assert ns(ask(backend, cursor=cursor).page) == [3, 4]


@pytest.mark.parametrize(
    ("opts", "text"),
    [
        ({"num_items": 0}, "Must request at least 1 document while paginating"),
        ({"num_items": -1}, "`options.numItems` must be a positive number. Received `-1`."),
        ({"num_items": 32_001}, "Requested too many items: 32001"),
        ({"maximumRowsRead": 0}, "maximumRowsRead and maximumBytesRead must be greater than 0"),
        ({"maximumBytesRead": 0}, "maximumRowsRead and maximumBytesRead must be greater than 0"),
    ],
    ids=str,
)
def test_3_6_options_that_cannot_be_are_refused_in_these_words(
    backend: Backend, opts: dict[str, Any], text: str
) -> None:
    with told(text):
        backend.query(lambda ctx: ctx.db.query(Note).paginate(options(**opts)))


def test_3_6_one_function_reads_one_page(backend: Backend) -> None:
    assert failure(backend, f"{HERE}:two_pages", paginationOpts=options()) == (
        "This query or mutation function ran multiple paginated queries. "
        "Convex only supports a single paginated query in each function."
    )


def test_3_6_a_nested_call_is_a_function_of_its_own(backend: Backend) -> None:
    fill(backend, ("a", 2), ("a", 4))
    assert backend.query(f"{HERE}:page_of_a_nested_query", paginationOpts=options()) == [2, 4, 2, 4]


def test_3_6_the_id_of_a_list_changes_nothing(backend: Backend) -> None:
    fill(backend, ("a", 1), ("a", 2), ("a", 3))
    one, other = ask(backend, id=1), ask(backend, id=2)
    assert (one.page, one.continue_cursor) == (other.page, other.continue_cursor)


# 3.7


def test_3_7_system_tables_are_read_only(backend: Backend) -> None:
    [system] = backend.query(lambda ctx: [row["_id"] for row in ctx.db.system.query("_tables").take(1)])
    writes: list[Callable[[MutationCtx], Any]] = [
        lambda ctx: ctx.db.insert("_storage", {}),
        lambda ctx: ctx.db.patch(system, {"name": "x"}),
        lambda ctx: ctx.db.replace(system, {"name": "x"}),
        lambda ctx: ctx.db.delete(system),
    ]
    for write in writes:
        with told("System tables (prefixed with `_`) are read-only."):
            backend.run(write)


def test_3_7_they_have_the_two_implicit_indexes(backend: Backend) -> None:
    def look(ctx: QueryCtx, table: str) -> None:
        for index in ("by_id", "by_creation_time"):
            assert ctx.db.system.query(table).with_index(index).order("desc").collect() == []

    for table in ("_storage", "_scheduled_functions"):
        backend.query(lambda ctx, table=table: look(ctx, table))


def test_3_7_their_ids_have_validators() -> None:
    schema = define_schema(
        {"files": define_table({"file": v.id("_storage"), "job": v.id("_scheduled_functions")})}
    )
    assert str(schema.table("files").validator) == (
        'v.object({file: v.id("_storage"), job: v.id("_scheduled_functions")})'
    )
