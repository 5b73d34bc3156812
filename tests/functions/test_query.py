"""Queries: how they are put together, what they read, and how they are refused."""

from __future__ import annotations

import pytest

from rewake import UNSET, gt, gte, lt, lte
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


def test_words_may_be_of_a_subclass_of_str(tmp_path):
    class Word(str):
        pass

    def body(ctx, schema):
        fill(ctx, schema)
        query = ctx.db.query(Word("notes")).with_index(Word("by_room"), {Word("room"): Word("a")})
        page = query.order(Word("desc")).paginate({"numItems": 2, "cursor": None})
        assert [row["n"] for row in page.page] == [3.0, 2.0]

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
                f"unique() query returned more than one result from table people:\n [{one}, {two}, ...]"
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


def read_after_chaining(query):
    query.order("asc")
    query.collect()


def many_filters(query):
    for _ in range(257):
        query = query.filter(bool)


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
        (twice, "This query is closed and can't emit any more values."),
        (lambda query: (iter(query), iter(query)), ITERATED),
        (lambda query: (query.take(0), query.first()), ITERATED),
        (
            read_after_chaining,
            "This query has been chained with another operator and can't be reused.",
        ),
        (many_filters, "Can't construct query with more than 256 operators"),
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


NESTED = """
    from dataclasses import dataclass
    from rewake import UNSET, Document, Index, Unset

    @dataclass
    class Place:
        city: str
        zip: str | Unset = UNSET

    class Note(Document, table="notes"):
        n: int
        place: Place | Unset = UNSET
        by_city = Index("place.city")
        by_zip = Index("place.zip", "n")
"""


def test_an_index_reaches_into_objects_and_holds_documents_that_miss_the_field(tmp_path):
    def body(ctx, schema):
        Note, Place = schema.Note, schema.Place
        ctx.db.insert(Note(n=1, place=Place(city="Bern", zip="3000")))
        ctx.db.insert(Note(n=2, place=Place(city="Basel")))
        ctx.db.insert(Note(n=3))

        def numbers(*args, **bounds):
            return [note.n for note in ctx.db.query(Note).with_index(*args, **bounds)]

        assert numbers(Note.by_city, {"place.city": "Bern"}) == [1]
        assert numbers(Note.by_city) == [3, 2, 1]
        assert numbers(Note.by_city, {"place.city": UNSET}) == [3]
        assert numbers(Note.by_zip, {"place.zip": UNSET, "n": 2}) == [2]
        # A bound below also holds what misses the field, which comes before everything.
        assert numbers(Note.by_city, {"place.city": lt("Bern")}) == [3, 2]
        assert numbers("by_city", {"place.city": gt("Basel")}) == [1]

    act(tmp_path, body, schema=NESTED)


def test_the_implicit_indexes_have_ranges(tmp_path):
    def body(ctx, schema):
        notes = [ctx.db.get(ctx.db.insert(schema.Note(room="a", n=n))) for n in range(4)]
        for table in (schema.Note, "notes"):
            by_time = ctx.db.query(table).with_index(
                "by_creation_time", creation_time=gt(notes[1].creation_time)
            )
            assert [decoded_n(note) for note in by_time] == [2, 3]
            by_id = ctx.db.query(table).with_index("by_id", id=notes[2].id).unique()
            assert decoded_n(by_id) == 2
            everything = {decoded_n(note) for note in ctx.db.query(table).with_index("by_id")}
            assert everything == {0, 1, 2, 3}
        stored = ctx.db.query("notes").with_index(
            "by_creation_time", {"_creationTime": notes[0].creation_time}
        )
        assert stored.unique()["n"] == 0

    act(tmp_path, body)


def decoded_n(note):
    return note["n"] if isinstance(note, dict) else note.n


def test_a_table_that_does_not_exist_is_empty_and_has_no_declared_index(tmp_path):
    def body(ctx, schema):
        assert ctx.db.query("later").collect() == []
        assert ctx.db.query("later").with_index("by_creation_time").first() is None
        assert ctx.db.query("later").with_index("by_id").order("desc").take(3) == []
        with pytest.raises(RewakeError, match=r"^Index later\.by_n not found\.$"):
            ctx.db.query("later").with_index("by_n").collect()

    act(tmp_path, body)


def test_every_index_range_error_is_told_in_full(tmp_path):
    def told(bounds) -> str:
        with pytest.raises(RewakeError) as caught:
            act(tmp_path, lambda ctx, schema: ctx.db.query("notes").with_index("by_room", bounds).collect())
        return caught.value.message

    more = "For more information see https://docs.convex.dev/using/indexes."
    assert told({"n": 1}) == (
        "Tried to query index notes.by_room but the query didn't use the index fields in order.\n"
        'Index fields: ["room", "n", "_creationTime", "_id"]\n'
        'Query fields: ["n"]\n'
        f'First incorrect field: "n"\n{more}'
    )
    assert told({"x": 1}) == (
        'The index range included a comparison with "x", but notes.by_room with fields '
        f'["room", "n", "_creationTime", "_id"] doesn\'t index this field. {more}'
    )
    assert told({"room": gt("a"), "n": lt(1)}) == (
        "Upper and lower bounds in `range` can only be applied to a single index field. This query against "
        'index notes.by_room attempted to set a range bound on both "room" and "n". Consider using `filter` '
        "instead. See https://docs.convex.dev/using/indexes for more info."
    )
    assert told({"room": gt("a") & gt("b")}) == (
        'Already defined lower bound in index range. Can\'t add gt("room", "b").'
    )
    assert told({"room": lt("a") & lt("b")}) == (
        'Already defined upper bound in index range. Can\'t add lt("room", "b").'
    )
