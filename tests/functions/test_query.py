"""Queries: how they are put together, what they read, and how they are refused."""

from __future__ import annotations

import pytest

from rewake import gt, gte, lt, lte
from rewake.errors import RewakeError
from tests.functions.stage import act


def fill(ctx, schema) -> None:
    for room in "ab":
        for n in (3, 1, 2):
            ctx.db.insert(schema.Note(room=room, n=n))


def ns(rows) -> list[int]:
    return [row.n for row in rows]


def test_a_table_is_read_in_order_of_creation(tmp_path):
    def body(ctx, schema):
        fill(ctx, schema)
        query = ctx.db.query
        assert ns(query(schema.Note)) == [3, 1, 2, 3, 1, 2]
        assert ns(query(schema.Note).order("desc").take(2)) == [2, 1]
        assert query(schema.Note).first().n == 3
        assert [row["n"] for row in query("notes").collect()] == [3.0, 1.0, 2.0, 3.0, 1.0, 2.0]
        assert query(schema.Person).first() is None
        assert query("nothing").collect() == []
        assert query(schema.Note).take(0) == []
        assert len(query(schema.Note).take(99)) == 6

    act(tmp_path, body)


def test_an_index_is_named_by_attribute_or_by_name(tmp_path):
    def body(ctx, schema):
        fill(ctx, schema)
        note, query = schema.Note, ctx.db.query
        for index in (note.by_room, "by_room"):
            assert ns(query(note).with_index(index, room="a")) == [1, 2, 3]
            assert ns(query(note).with_index(index, {"room": "a"}, n=gte(2))) == [2, 3]
            assert ns(query(note).with_index(index)) == [1, 2, 3, 1, 2, 3]
        assert ns(query(note).with_index(note.by_room, room="a", n=gt(1)).order("desc")) == [3, 2]
        assert ns(query(note).with_index(note.by_room, room="a", n=lt(3)).filter(lambda row: row.n > 1)) == [
            2
        ]
        assert ns(query(note).with_index(note.by_room, room=lte("a"))) == [1, 2, 3]
        first = query(note).first()
        assert ns(query(note).with_index("by_creation_time", creation_time=lte(first.creation_time))) == [3]
        assert ns(query(note).with_index("by_id", id=first.id)) == [3]
        assert [row["n"] for row in query("notes").with_index("by_room", room="a")] == [1.0, 2.0, 3.0]
        assert ns(query(note).with_index(note.by_author, author=None)) == [3, 1, 2, 3, 1, 2]
        assert query("loose").with_index("by_creation_time", creation_time=gt(0)).collect() == []

    act(tmp_path, body)


def test_filters_come_after_the_range_and_before_the_count(tmp_path):
    def body(ctx, schema):
        fill(ctx, schema)
        query = ctx.db.query(schema.Note).filter(lambda row: row.n > 1).filter(lambda row: row.room == "b")
        assert ns(query.take(5)) == [3, 2]
        assert ctx.db.query(schema.Note).filter(lambda row: row.n == 2).first().room == "a"

    act(tmp_path, body)


def test_unique_wants_one_or_none(tmp_path):
    def body(ctx, schema):
        query = ctx.db.query
        assert query(schema.Person).unique() is None
        one = ctx.db.insert(schema.Person(name="Anna"))
        assert query(schema.Person).unique().id == one
        two = ctx.db.insert(schema.Person(name="Bert"))
        for table in (schema.Person, "people"):
            with pytest.raises(RewakeError) as caught:
                query(table).unique()
            assert caught.value.message == (
                f"unique() query returned more than one result from table people:\n [{one}, {two}]"
            )

    act(tmp_path, body)


def test_a_query_that_is_being_read_sees_what_is_written_ahead(tmp_path):
    def body(ctx, schema):
        fill(ctx, schema)
        for note in ctx.db.query(schema.Note):
            ctx.db.delete(note.id)
        assert ctx.db.query(schema.Note).first() is None

    act(tmp_path, body)


def twice(query):
    query.collect()
    query.collect()


def chained_twice(query):
    query.order("asc")
    query.filter(bool)


def chained_after_reading(query):
    query.first()
    query.order("asc")


ITERATED = "Iteration can only begin on a query once."
CHAINED = "A query can only be chained once and can't be chained after iteration begins."


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (twice, ITERATED),
        (lambda query: (query.take(0), query.first()), ITERATED),
        (chained_twice, CHAINED),
        (chained_after_reading, CHAINED),
        (lambda query: query.order("asc").order("desc"), "Queries may only specify order at most once"),
        (lambda query: query.order("up"), 'The order of a query is "asc" or "desc"; got \'up\'.'),
        (lambda query: query.with_index("by_room").with_index("by_room"), "A query can use one index."),
        (lambda query: query.take(-1), "Arg 1 `n` to `take` must be a non-negative integer"),
        (lambda query: query.take(1.0), "Arg 1 `n` to `take` must be a non-negative integer"),
        (lambda query: query.take(True), "Arg 1 `n` to `take` must be a non-negative integer"),
        (lambda query: query.with_index("by_nothing").collect(), "Index notes.by_nothing not found."),
        (lambda query: query.with_index("by_room", n=1).collect(), "Tried to query index notes.by_room but"),
        (
            lambda query: query.with_index("by_room", x=1).collect(),
            "The index range included a comparison",
        ),
        (
            lambda query: query.with_index("by_room", room=gt("a"), n=gt(1)).collect(),
            "Upper and lower bounds in `range` can only be applied to a single index field.",
        ),
    ],
)
def test_wrong_queries_are_refused(tmp_path, use, expected):
    for table in (lambda schema: schema.Note, lambda schema: "notes"):
        with pytest.raises(RewakeError) as caught:
            act(tmp_path, lambda ctx, schema, table=table: use(ctx.db.query(table(schema))))
        assert caught.value.message.startswith(expected)


def test_an_index_of_another_table_is_refused(tmp_path):
    with pytest.raises(RewakeError, match=r'Index people.by_name does not belong to table "notes".'):
        act(tmp_path, lambda ctx, schema: ctx.db.query(schema.Note).with_index(schema.Person.by_name))
