"""A document written in one pass is the one that the general way writes, and so is what is refused."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rewake.database import WriteTransaction, apply_schema
from rewake.database.active_schema import ActiveSchemas
from rewake.errors import RewakeError
from rewake.limits import Limits
from rewake.schema import Document, Index, Schema, define_schema, define_table, v
from rewake.storage import Keys
from rewake.values import COMMIT_TS, UNSET, Int64, Unset, decode_stored_document
from tests.database.world import World

SCHEMA = define_schema(
    {
        "notes": define_table(
            {
                "body": v.string(),
                "n": v.number(),
                "Place": v.optional(v.nullable(v.string())),
                "more": v.optional(v.array(v.any())),
            }
        )
        .index("by_n", ["n", "body"])
        .index("by_place", ["Place"]),
        "others": define_table(v.any()),
    }
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "body": st.sampled_from(["", "text", "é", "\ud800", 5, None, UNSET]),
    "n": st.sampled_from([0, 1, 2.5, -0.0, 2**53 + 1, float("nan"), "1", True, UNSET]),
    "Place": st.sampled_from(["here", None, UNSET, 1.0, COMMIT_TS]),
    "more": st.sampled_from([[], [1, {"a": "b"}], [COMMIT_TS], (1,), [UNSET], "text", [[[[]]]], {1, 2}]),
    "extra": st.just(1.0),
    "_id": st.sampled_from(["x", UNSET]),
    "_creationTime": st.sampled_from([1.0, UNSET]),
}
_GOOD = st.fixed_dictionaries(
    {"body": st.sampled_from(["a", "b"]), "n": st.sampled_from([1, 2.0])},
    optional={"Place": st.sampled_from(["here", None]), "more": st.just([1, [Int64(2)]])},
)
_CHANGES = st.one_of(
    _GOOD,
    st.fixed_dictionaries({}, optional=_FIELDS),
    st.fixed_dictionaries(
        {name: _FIELDS[name] for name in ("body", "n")}, optional={"Place": _FIELDS["Place"]}
    ),
)
_STEPS = st.lists(st.tuples(st.sampled_from(["insert", "patch", "replace"]), _CHANGES), max_size=5)


class Note(Document, table="notes"):
    """The same table, declared by a class."""

    body: str
    n: float
    Place: str | Unset | None = UNSET
    more: list[Any] | Unset = UNSET
    by_n = Index("n", "body")
    by_place = Index("Place")


DECLARED = Schema.from_documents([Note], define_schema({"others": define_table(v.any())}))
NOTES = DECLARED.tables["notes"]
_NOTES = st.builds(Note, **{name: part for name, part in _FIELDS.items() if name != "extra"})
_GOOD_NOTES = _GOOD.map(lambda fields: Note(**fields))
_INSTANCE_STEPS = st.lists(
    st.tuples(st.sampled_from(["insert", "replace", "read and replace"]), _GOOD_NOTES | _NOTES), max_size=5
)


def take(tx: WriteTransaction, verb: str, id: str, given: Any) -> str | None:
    """Do a step; gives the id of a new document."""
    if verb == "insert":
        return tx.insert_instance(NOTES, given) if isinstance(given, Note) else tx.insert("notes", given)
    if verb == "patch":
        tx.patch(id, given)
    elif isinstance(given, Note):
        if verb == "read and replace":
            was = NOTES.decode_document(tx.get(id) or "")
            given = replace(given, _id=was.id, _creationTime=was.creation_time)
        tx.replace_instance(id, NOTES, given)
    else:
        tx.replace(id, given)
    return None


def told(steps: list[tuple[str, Any]], schema: Schema = SCHEMA) -> list[Any]:
    """What each step comes to, and what the log says of all."""
    world, answers = World(), []
    try:
        world.mutate(lambda tx: apply_schema(tx, schema))

        def body(tx: WriteTransaction) -> None:
            gone = tx.insert("notes", {"body": "gone", "n": 0})
            tx.delete(gone)
            id = tx.insert("notes", {"body": "first", "n": 0})
            for verb, fields in steps:
                try:
                    answers.append(tx.get(take(tx, verb, id, fields) or id))
                except RewakeError as error:
                    answers.append((type(error), str(error).replace(id, "the id")))
            for table, other in (("others", id), (None, "nonsense"), (None, gone), (None, None)):
                for fields in ({"n": 3}, {"n": "\ud800"}):
                    with pytest.raises(RewakeError) as caught:
                        tx.patch(other, fields, table=table)  # type: ignore[arg-type]
                    answers.append((type(caught.value), str(caught.value).replace(str(other), "the id")))
            used = tx.usage
            answers.append((used.documents_written, used.bytes_written))
            answers.append((used.documents_read, used.bytes_read))

        for row in world.mutate(body).rows:
            answers += [(write.old, write.new, write.keys) for write in row.writes]
        return answers
    finally:
        world.close()


def plain(answers: list[Any]) -> str:
    """Without what chance gives: ids."""
    text, ids = repr(answers), {}
    for answer in answers:
        if isinstance(answer, str):
            id = answer.split('"_id":"')[1].split('"')[0]
            ids.setdefault(id, f"<{len(ids)}>")
        elif len(answer) == 3:
            id = answer[1].split('"_id":"')[1].split('"')[0]
            ids.setdefault(id, f"<{len(ids)}>")
    for id, name in ids.items():
        text = text.replace(id, name)
    return text


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_both_ways_come_to_the_same(steps: list[tuple[str, Any]]) -> None:
    quick = plain(told(steps))
    with mock.patch.object(ActiveSchemas, "writer", return_value=None):
        assert quick == plain(told(steps))


@settings(max_examples=60, deadline=None)
@given(_INSTANCE_STEPS)
def test_instances_come_to_the_same_both_ways(steps: list[tuple[str, Any]]) -> None:
    quick = plain(told(steps, DECLARED))
    with (
        mock.patch.object(ActiveSchemas, "writer", return_value=None),
        mock.patch.object(ActiveSchemas, "instance_writer", return_value=None),
    ):
        assert quick == plain(told(steps, DECLARED))


def test_an_instance_is_written_without_a_dict_in_between() -> None:
    world = World()
    world.mutate(lambda tx: apply_schema(tx, DECLARED))

    def body(tx: WriteTransaction) -> None:
        id = tx.insert_instance(NOTES, Note(body="a", n=1))
        was = NOTES.decode_document(tx.get(id) or "")
        with mock.patch.object(NOTES.codec, "to_value", side_effect=AssertionError):
            tx.replace_instance(id, NOTES, replace(was, n=2.0))
            tx.replace_instance(id, NOTES, Note(body="c", n=2.0))
        assert [write.new for write in tx.log_writes()] == [tx.get(id)]
        assert NOTES.decode_document(tx.get(id) or "") == replace(was, body="c", n=2.0)

    world.mutate(body)
    world.close()


def test_a_document_that_is_written_in_one_pass_is_charged() -> None:
    world = World(limits=Limits(documents_written_max=3))
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))

    def body(tx: WriteTransaction) -> None:
        id = tx.insert("notes", {"body": "a", "n": 1})
        tx.patch(id, {"n": 2})
        tx.patch(id, {"n": 2})
        assert tx.usage.documents_written == 2
        tx.insert("notes", {"body": "a", "n": 1})
        with pytest.raises(RewakeError, match="Too many writes"):
            tx.insert("notes", {"body": "a", "n": 1})

    world.mutate(body)
    world.close()


def test_an_object_that_writes_while_it_is_looked_at_takes_no_creation_time_twice() -> None:
    world = World()
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))

    def body(tx: WriteTransaction) -> None:
        class Writes(float):
            @property
            def __class__(self) -> type:  # type: ignore[override]
                tx.insert("notes", {"body": "inner", "n": 1})
                return float

        tx.insert("notes", {"body": "outer", "n": 1, "more": [Writes(1.0)]})

    (row,) = world.mutate(body).rows
    times = [decode_stored_document(write.new or "")["_creationTime"] for write in row.writes]
    assert len(times) == len(set(times)) > 1
    world.close()


def test_an_object_that_patches_the_document_while_it_is_looked_at_loses_nothing() -> None:
    world = World()
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    (id,) = world.insert("notes", {"body": "before", "n": 1})

    def body(tx: WriteTransaction) -> None:
        class Writes(float):
            @property
            def __class__(self) -> type:  # type: ignore[override]
                tx.patch(id, {"body": "inner"})
                return float

        tx.patch(id, {"n": 2, "more": [Writes(1.0)]})
        text = tx.get(id)
        assert text is not None
        document = decode_stored_document(text)
        assert (document["body"], document["n"], document["more"]) == ("inner", 2.0, [1.0])

    ((write,),) = (row.writes for row in world.mutate(body).rows)
    assert [(key[0], key[2]) for key in write.keys] == list(keys_now(world, write.new or ""))
    world.close()


def keys_now(world: World, text: str) -> Keys:
    """The keys that the stored document should have."""
    with world.reader.begin() as snapshot:
        return snapshot.catalog.tables["notes"].keys_of(decode_stored_document(text))


def test_a_document_that_comes_back_under_its_id_was_there_before() -> None:
    world = World()
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    (id,) = world.insert("notes", {"body": "before", "n": 1})

    def body(tx: WriteTransaction) -> None:
        document = decode_stored_document(tx.get(id) or "")
        tx.delete(id)
        tx.store_document(tx.catalog.tables["notes"], {**document, "n": 2.0})

    ((write,),) = (row.writes for row in world.mutate(body).rows)
    assert '"n":1.0' in (write.old or "")
    assert '"n":2.0' in (write.new or "")
    assert all(old is not None for _, old, _ in write.keys)
    world.close()
