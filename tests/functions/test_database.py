"""`ctx.db` as authors use it: documents in and out, and the words for every mistake."""

from __future__ import annotations

import pytest

from rewake import UNSET, Int64
from rewake.database.catalog import SCHEDULED_FUNCTIONS as JOBS
from rewake.database.catalog import STORAGE
from rewake.errors import RewakeError
from rewake.functions import DatabaseReader
from rewake.values import encode_id
from tests.functions.stage import act


def refused(tmp_path, body) -> str:
    with pytest.raises(RewakeError) as caught:
        act(tmp_path, body)
    return caught.value.message


def test_documents_come_back_as_their_class(tmp_path):
    def body(ctx, schema):
        id = ctx.db.insert(schema.Person(name="Anna", nickname="A"))
        person = ctx.db.get(id)
        assert type(person) is schema.Person
        assert (person.id, person.name, person.nickname, person.external) == (id, "Anna", "A", "x")
        assert person.creation_time > 0
        assert ctx.db.get(schema.Person, id) == person
        # By its table's name it is a dict under the stored names.
        assert ctx.db.get("people", id)["externalId"] == "x"
        ctx.db.delete(id)
        assert ctx.db.get(id) is None

    act(tmp_path, body)


def test_a_field_for_the_commit_timestamp_is_filled_at_commit(tmp_path):
    schema = """
        from rewake import UNSET, CommitTs, Document, Id, Index, Unset, field

        class Event(Document, table="events"):
            at: CommitTs
            last: CommitTs | None = None
            by_at = Index("at")
    """
    ids = []

    def write(ctx, schema):
        now = ctx.db.vars.commit_ts
        ids.append(ctx.db.insert(schema.Event(at=now)))
        ctx.db.patch(ids[0], last=now)
        event = ctx.db.get(ids[0])
        assert event.at is event.last is now
        assert ctx.db.query(schema.Event).with_index(schema.Event.by_at, at=now).unique() == event

    def read(ctx, schema):
        event = ctx.db.get(ids[0])
        assert type(event.at) is type(event.last) is Int64
        assert event.at == event.last == ctx.meta.get_snapshot_ts()
        assert ctx.db.query(schema.Event).with_index(schema.Event.by_at, at=event.at).unique() == event

    act(tmp_path, write, read, schema=schema)


def test_queries_know_no_commit_timestamp(tmp_path):
    assert not hasattr(DatabaseReader, "vars")


def test_tables_without_a_class_give_dicts(tmp_path):
    def body(ctx, schema):
        id = ctx.db.insert("loose", {"a": 1, "b": UNSET, "c": (1, 2)})
        assert {key: value for key, value in ctx.db.get(id).items() if key[0] != "_"} == {
            "a": 1.0,
            "c": [1.0, 2.0],
        }
        ctx.db.patch(id, {"a": UNSET}, d="x")
        assert sorted(ctx.db.get(id)) == ["_creationTime", "_id", "c", "d"]
        ctx.db.replace(id, {"e": None})
        assert ctx.db.get("loose", id)["e"] is None
        assert [row["_id"] for row in ctx.db.query("loose")] == [id]

    act(tmp_path, body)


def test_patch_takes_attributes_and_stored_names_and_removes_with_unset(tmp_path):
    def body(ctx, schema):
        id = ctx.db.insert(schema.Person(name="Anna", nickname="A"))
        ctx.db.patch(id, nickname=UNSET, external="y")
        person = ctx.db.get(id)
        assert (person.nickname, person.external) == (UNSET, "y")
        ctx.db.patch(id, {"externalId": "z"})
        assert ctx.db.get(id).external == "z"
        ctx.db.patch(id)
        assert ctx.db.get(id).external == "z"

    act(tmp_path, body)


def test_replace_takes_a_document_that_was_read(tmp_path):
    def body(ctx, schema):
        id = ctx.db.insert(schema.Person(name="Anna", nickname="A"))
        before = ctx.db.get(id)
        ctx.db.replace(id, schema.Person(name="Bert"))
        person = ctx.db.get(id)
        assert (person.name, person.nickname) == ("Bert", UNSET)
        assert (person.id, person.creation_time) == (id, before.creation_time)
        ctx.db.replace(id, before)
        assert ctx.db.get(id) == before

    act(tmp_path, body)


def test_normalize_id_never_raises(tmp_path):
    def body(ctx, schema):
        id = ctx.db.insert(schema.Person(name="Anna"))
        assert ctx.db.normalize_id(schema.Person, id) == ctx.db.normalize_id("people", id) == id
        for text in ("", "x", "not an id", id.upper()):
            assert ctx.db.normalize_id("people", text) is None
        assert ctx.db.normalize_id(schema.Note, id) is None
        assert ctx.db.normalize_id("nothing", id) is None

    act(tmp_path, body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda db, schema: db.get(), "Must provide arg 1 `id` to `get`"),
        (lambda db, schema: db.get(None), "Must provide arg 1 `id` to `get`"),
        (lambda db, schema: db.get("people", None), "Must provide arg 1 `id` to `get`"),
        (
            lambda db, schema: db.get(5),
            "Invalid argument `id` for `db.get`, expected string but got 'int'",
        ),
        (lambda db, schema: db.get("x!"), "Invalid argument `id` for `db.get`: Unable to decode ID: "),
        (lambda db, schema: db.patch(None), "Must provide arg 1 `id` to `patch`"),
        (
            lambda db, schema: db.replace(5, {}),
            "Invalid argument `id` for `db.replace`, expected string",
        ),
        (
            lambda db, schema: db.delete("x!"),
            "Invalid argument `id` for `db.delete`: Unable to decode ID: ",
        ),
        (lambda db, schema: db.get(int, "x"), "A table is named by its document class or its name"),
        (
            lambda db, schema: db.insert("loose", 5),
            "Invalid argument `value` for `db.insert`: ",
        ),
        (
            lambda db, schema: db.insert("loose"),
            "Invalid argument `value` for `db.insert`: ",
        ),
        (
            lambda db, schema: db.insert(5, {}),
            "`db.insert` takes a document or a table name first; got 5.",
        ),
        (
            lambda db, schema: db.insert(schema.Person(name="x"), {}),
            "`db.insert` takes a document, or a table",
        ),
        (lambda db, schema: db.insert("_x", {}), "System tables (prefixed with `_`) are read-only."),
        (
            lambda db, schema: db.insert("people", {"name": 1}),
            'Failed to insert or update a document in table "people"',
        ),
        (
            lambda db, schema: db.insert("loose", {"_id": "x"}),
            "The `_id` of a document in table `loose`",
        ),
        (lambda db, schema: db.insert("loose", {"x": object()}), ""),
        (
            lambda db, schema: db.query("_scheduled_functions").collect(),
            "System tables can only be accessed",
        ),
    ],
)
def test_mistakes_are_told_in_the_words_of_the_specification(tmp_path, body, expected):
    assert refused(tmp_path, lambda ctx, schema: body(ctx.db, schema)).startswith(expected)


def test_mistakes_with_existing_documents(tmp_path):
    def told(call) -> str:
        with pytest.raises(RewakeError) as caught:
            call()
        return caught.value.message

    def body(ctx, schema):
        db = ctx.db
        id = db.insert(schema.Person(name="Anna"))
        note = db.insert(schema.Note(room="a", n=1))
        wrong = 'expected to be an Id<"notes">, got Id<"people"> instead.'
        assert told(lambda: db.get("notes", id)) == f"Invalid argument `id` for `db.get`: {wrong}"
        assert told(lambda: db.get(schema.Note, id)) == f"Invalid argument `id` for `db.get`: {wrong}"
        assert (
            told(lambda: db.replace(id, schema.Note(room="a", n=1)))
            == f"Invalid argument `id` for `db.replace`: {wrong}"
        )
        for value in (5, "x", [1]):
            assert told(lambda value=value: db.patch(id, value)) == (
                "Invalid argument `value` for `db.patch`: Value must be an Object"
            )
            assert told(lambda value=value: db.replace(id, value)) == (
                "Invalid argument `value` for `db.replace`: Value must be an Object"
            )
        assert "extra field `unknown`" in told(lambda: db.patch(id, unknown=1))
        assert "does not match the schema" in told(lambda: db.patch(note, n="x"))
        assert "never changes" in told(lambda: db.patch(id, {"_creationTime": 5}))
        assert "never changes" in told(lambda: db.patch(id, creation_time=5.0))
        db.delete(note)
        assert told(lambda: db.patch(note, n=2)) == f"Update on nonexistent document ID {note}"
        assert told(lambda: db.replace(note, {})) == f"Replace on nonexistent document ID {note}"
        assert told(lambda: db.delete(note)) == f"Delete on nonexistent document ID {note}"
        foreign = encode_id(30_000, bytes(16))
        assert db.get(foreign) is None
        assert told(lambda: db.delete(foreign)) == f'Table for ID "{foreign}" not found'

    act(tmp_path, body)


def test_documents_of_an_older_load_are_stored_and_their_class_is_named_in_queries(tmp_path):
    from rewake.execution import load_project, read_settings
    from tests.deployment.stage import write_project
    from tests.functions.stage import BODY, SCHEMA

    write_project(tmp_path, schema=SCHEMA, m=BODY)
    load_project(read_settings(tmp_path))
    import sys

    old = sys.modules["backend.schema"]

    def body(ctx, schema):
        assert old.Person is not schema.Person
        id = ctx.db.insert(old.Person(name="Anna"))
        assert type(ctx.db.get(id)) is schema.Person
        with pytest.raises(RewakeError, match="The class Person is not the one that this project"):
            ctx.db.query(old.Person).collect()

    act(tmp_path, body)


def test_a_class_that_is_not_part_of_the_project_is_refused(tmp_path):
    from rewake import Document

    class Stranger(Document, table="strangers"):
        x: int

    message = refused(tmp_path, lambda ctx, schema: ctx.db.insert(Stranger(x=1)))
    assert (
        message
        == 'The class of table "strangers" is not part of this project\'s schema. Import it in schema.py.'
    )


def test_get_many_keeps_the_order_of_the_ids(tmp_path):
    def body(ctx, schema):
        a, b, c = (ctx.db.insert(schema.Note(room="a", n=n)) for n in range(3))
        ctx.db.delete(b)
        assert [note and note.n for note in ctx.db.get_many([c, b, a])] == [2, None, 0]
        assert [note.n for note in ctx.db.get_many(schema.Note, (a, c))] == [0, 2]
        assert [note["n"] for note in ctx.db.get_many("notes", [c])] == [2.0]
        assert ctx.db.get_many([]) == []
        with pytest.raises(RewakeError, match='expected to be an Id<"people">, got Id<"notes"> instead'):
            ctx.db.get_many(schema.Person, [a])

    act(tmp_path, body)


class Named(str):
    """A text of a class of the author's, which has ideas of its own about what equals it."""

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named)


def test_ids_and_names_of_tables_may_be_of_a_subclass_of_str(tmp_path):
    known = []

    def write(ctx, schema):
        db, notes, fresh = ctx.db, Named("notes"), Named("fresh")
        a = Named(db.insert(schema.Note(room="a", n=1)))
        b = Named(db.insert(notes, {"room": "b", "n": 2, "author": None}))
        assert [note.n for note in db.get_many([b, a])] == [2, 1]
        db.patch(a, n=3)
        assert db.get(a).n == 3
        db.patch(b, {"n": 4})
        db.replace(notes, b, {**db.get(notes, b), "room": "c"})
        assert [db.get(b).room, db.get(b).n] == ["c", 4]
        assert type(db.normalize_id(notes, a)) is str
        c = Named(db.insert(fresh, {"n": 1}))
        db.replace(c, {"n": 2})
        assert [row["n"] for row in db.query(fresh).collect()] == [2.0]
        known.extend([str.__str__(a), str.__str__(b), str.__str__(c)])

    def look(ctx, schema):
        db = ctx.db
        a, b, c = known
        assert [db.get(a).n, db.get(b).room, db.get("fresh", c)["n"]] == [3, "c", 2.0]
        db.delete(Named("fresh"), Named(c))
        db.delete(Named(b))

    def look_again(ctx, schema):
        assert [note.id for note in ctx.db.query(schema.Note).collect()] == known[:1]
        assert ctx.db.query("fresh").collect() == []

    act(tmp_path, write, look, look_again)


def test_every_method_takes_the_table_before_the_id(tmp_path):
    def body(ctx, schema):
        db = ctx.db
        for table in (schema.Note, "notes"):
            id = db.insert(schema.Note(room="a", n=1))
            db.patch(table, id, {"n": 2})
            assert db.get(id).n == 2
            db.patch(table, id, n=3)
            assert db.get(id).n == 3
            db.replace(table, id, {"room": "b", "n": 4, "author": None})
            assert db.get(id).room == "b"
            db.replace(table, id, schema.Note(room="c", n=5))
            assert db.get(id).room == "c"
            db.delete(table, id)
            assert db.get(table, id) is None

    act(tmp_path, body)


def test_an_id_of_another_table_than_the_one_named_is_refused(tmp_path):
    def told(call) -> str:
        with pytest.raises(RewakeError) as caught:
            call()
        return caught.value.message

    def body(ctx, schema):
        db = ctx.db
        id = db.insert(schema.Person(name="Anna"))
        for table in (schema.Note, "notes"):
            calls = {
                "patch": lambda table=table: db.patch(table, id, {"n": 1}),
                "replace": lambda table=table: db.replace(table, id, {}),
                "delete": lambda table=table: db.delete(table, id),
                "get": lambda table=table: db.get(table, id),
            }
            for method, call in calls.items():
                assert told(call) == (
                    f'Invalid argument `id` for `db.{method}`: expected to be an Id<"notes">, '
                    'got Id<"people"> instead.'
                )
        assert told(lambda: db.patch("notes", id, n=1)).startswith("Invalid argument `id` for `db.patch`: ")
        assert told(lambda: db.patch("people", 5, {})).startswith(
            "Invalid argument `id` for `db.patch`, expected string but got 'int'"
        )
        assert told(lambda: db.replace("notes", id, schema.Person(name="x"))) == (
            'A document of table "people" cannot replace one of "notes".'
        )
        for method in ("patch", "replace", "delete"):
            assert told(getattr(db, method)) == f"Must provide arg 1 `id` to `{method}`"

    act(tmp_path, body)


def test_tables_of_the_system_are_read_through_a_door_of_their_own(tmp_path):
    def told(call) -> str:
        with pytest.raises(RewakeError) as caught:
            call()
        return caught.value.message

    def body(ctx, schema):
        db, system = ctx.db, ctx.db.system
        note = db.insert(schema.Note(room="a", n=1))
        for table, number in (("_storage", STORAGE.number), ("_scheduled_functions", JOBS.number)):
            id = encode_id(number, bytes(16))
            assert system.query(table).collect() == []
            assert system.query(table).with_index("by_creation_time").order("desc").first() is None
            assert system.query(table).with_index("by_id", id=id).unique() is None
            assert system.get(id) is None
            assert system.get(table, id) is None
            assert system.normalize_id(table, id) == id
            assert system.normalize_id(table, note) is None
            assert told(lambda id=id: db.get(id)) == "System tables can only be accessed with db.system."
            assert told(lambda table=table: db.query(table)) == (
                "System tables can only be accessed from db.system.query()."
            )
            for write in (
                lambda id=id: db.patch(id, {}),
                lambda id=id: db.replace(id, {}),
                lambda id=id: db.delete(id),
                lambda table=table: db.insert(table, {}),
            ):
                assert told(write) == "System tables (prefixed with `_`) are read-only."
            with pytest.raises(RewakeError, match=rf"Index {table}\.by_name not found\."):
                system.query(table).with_index("by_name").collect()

        assert system.query("_storage").paginate({"numItems": 1, "cursor": None}).is_done
        assert told(lambda: system.get(note)) == "User tables cannot be accessed with db.system."
        assert told(lambda: system.query("notes")) == "User tables cannot be accessed with db.system."

    act(tmp_path, body)


def test_a_table_can_be_named_once_for_several_calls(tmp_path):
    def body(ctx, schema):
        person = ctx.db.insert(schema.Person(name="Anna"))
        for table, fields in (
            (schema.Note, schema.Note(room="a", n=1)),
            ("notes", {"room": "a", "n": 1, "author": None}),
        ):
            notes = ctx.db.table(table)
            id = notes.insert(fields)
            notes.patch(id, n=2)
            notes.patch(id, {"room": "b"})
            notes.patch(id)
            assert (ctx.db.get(id).n, ctx.db.get(id).room) == (2, "b")
            notes.replace(id, fields)
            assert notes.get_many([id, id]) == [notes.get(id)] * 2 == notes.query().collect() * 2
            assert notes.normalize_id(id) == id
            assert notes.normalize_id(person) is None
            for call in (notes.get, notes.delete, notes.patch):
                with pytest.raises(RewakeError, match='expected to be an Id<"notes">, got Id<"people">'):
                    call(person)
            notes.delete(id)
            assert notes.get(id) is None
        with pytest.raises(RewakeError, match='A document of table "people" is none of "notes"'):
            ctx.db.table("notes").insert(schema.Person(name="x"))
        with pytest.raises(RewakeError, match="A table is named by its document class or its name"):
            ctx.db.table(5)

    act(tmp_path, body)
