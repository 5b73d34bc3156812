"""Section 4, writing: what insert, patch, replace and delete do, and each sentence with which they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from rewake import (
    UNSET,
    ApplicationError,
    CommitTs,
    Document,
    Id,
    Index,
    Int64,
    MutationCtx,
    QueryCtx,
    Unset,
    define_schema,
    define_table,
    field,
    gt,
    internal_mutation,
    internal_query,
    lt,
    lte,
    mutation,
    query,
    v,
)
from rewake.errors import RewakeError
from rewake.functions import PaginationOptions
from rewake.testing import Backend, FunctionFailed
from rewake.values import COMMIT_TS, encode_id
from rewake.values.types import INT64_MAX

SYSTEM_FIELDS = ("_id", "_creationTime")


class Note(Document, table="notes"):
    text: str
    place: dict[str, float] = field(default_factory=dict[str, float])
    pinned: bool | Unset = UNSET
    by_text = Index("text")


class Event(Document, table="events"):
    kind: str
    at: CommitTs
    by_at = Index("at")
    by_kind_at = Index("kind", "at")


@mutation
def add(ctx: MutationCtx, text: str) -> Id[Note]:
    return ctx.db.insert(Note(text=text))


@mutation
def rename(ctx: MutationCtx, id: str, text: str) -> None:
    ctx.db.patch(Note, id, text=text)


@mutation
def break_the_schema(ctx: MutationCtx) -> str:
    try:
        ctx.db.insert("notes", {"text": 1})
    except RewakeError as error:
        ctx.db.insert(Note(text="still here"))
        return error.code
    return "stored"


@mutation
def insert_loose(ctx: MutationCtx, value: Any) -> None:
    ctx.db.insert("loose", value)


@mutation
def write_and_fail(ctx: MutationCtx) -> None:
    ctx.db.insert(Note(text="never"))
    raise ApplicationError("no")


@query
def texts(ctx: QueryCtx) -> list[str]:
    return [note.text for note in ctx.db.query(Note).with_index(Note.by_text)]


@query
def write_in_a_query(ctx: QueryCtx) -> None:
    ctx.db.insert(Note(text="never"))  # type: ignore[attr-defined]


@mutation
def record(ctx: MutationCtx, kind: str) -> None:
    ctx.db.insert(Event(kind=kind, at=ctx.db.vars.commit_ts))


@mutation
def record_and_tell(ctx: MutationCtx, kind: str) -> Event:
    event = ctx.db.get(ctx.db.insert(Event(kind=kind, at=ctx.db.vars.commit_ts)))
    assert event is not None
    return event


@internal_mutation
def fail_after_recording(ctx: MutationCtx, kind: str) -> None:
    ctx.db.insert(Event(kind=kind, at=ctx.db.vars.commit_ts))
    raise ZeroDivisionError


@mutation
def tell_only(ctx: MutationCtx) -> CommitTs:
    return ctx.db.vars.commit_ts


@mutation
def tell_as_int64(ctx: MutationCtx) -> Int64:
    return ctx.db.vars.commit_ts


@mutation
def tell_anything(ctx: MutationCtx) -> Any:
    return {"at": [ctx.db.vars.commit_ts, "[unresolved commit timestamp]"]}


@mutation
def fail_with_it(ctx: MutationCtx) -> None:
    raise ApplicationError({"at": ctx.db.vars.commit_ts})


@internal_mutation
def record_at(ctx: MutationCtx, at: CommitTs, loose: Any) -> CommitTs:
    assert at is COMMIT_TS
    assert loose["at"] is COMMIT_TS
    ctx.db.insert(Event(kind="nested", at=at))
    return at


@internal_query
def events_at(ctx: QueryCtx, at: CommitTs) -> list[Event]:
    return ctx.db.query(Event).with_index(Event.by_at, at=at).collect()


@query
def events(ctx: QueryCtx) -> list[Event]:
    return ctx.db.query(Event).with_index(Event.by_at).collect()


@query
def leak(ctx: QueryCtx) -> Any:
    return {"at": COMMIT_TS}


@query
def take_one(ctx: QueryCtx, at: CommitTs) -> CommitTs:
    return at


FUNCTIONS = (
    add, rename, break_the_schema, insert_loose, write_and_fail, texts, write_in_a_query,
    record, record_and_tell, fail_after_recording, tell_only, tell_anything, fail_with_it,
    record_at, events_at, events, leak, take_one,
)  # fmt: skip


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions(*FUNCTIONS, documents=[Note, Event]) as made:
        yield made


def refusal(backend: Backend, work: Callable[[MutationCtx], Any]) -> str:
    """The sentence with which the database refuses `work`."""
    with pytest.raises(RewakeError) as caught:
        backend.run(work)
    return str(caught.value)


def code_of_refusal(backend: Backend, work: Callable[[MutationCtx], Any]) -> str:
    with pytest.raises(RewakeError) as caught:
        backend.run(work)
    return caught.value.code


def only(backend: Backend, table: str) -> dict[str, Any]:
    """The one document of a table, without its system fields."""
    [document] = backend.run(lambda ctx: ctx.db.query(table).collect())
    return {name: value for name, value in document.items() if name not in SYSTEM_FIELDS}


def written(work: Callable[[], Any], ctx: MutationCtx) -> int:
    """How many written documents a piece of work is charged."""
    before = ctx.meta.get_transaction_metrics().documents_written.used
    work()
    return ctx.meta.get_transaction_metrics().documents_written.used - before


# 4.1 insert


def test_4_1_insert_gives_the_id_and_the_system_sets_two_fields(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {"n": 1}))
    document = backend.run(lambda ctx: ctx.db.get("loose", id))
    assert document is not None
    assert document["_id"] == id
    assert document.keys() == {"_id", "_creationTime", "n"}


@pytest.mark.parametrize("value", [None, 1, "text", [1], [["n", 1]]])
def test_4_1_insert_takes_objects_only(backend: Backend, value: Any) -> None:
    assert refusal(backend, lambda ctx: ctx.db.insert("loose", value)) == (
        "Invalid argument `value` for `db.insert`: Value must be an Object"
    )


def test_4_1_insert_refuses_system_fields(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    for value in ({"_id": id}, {"_id": ""}, {"_id": None}):
        assert code_of_refusal(backend, lambda ctx, v=value: ctx.db.insert("loose", v)) == "InvalidIdError"
    for time in (0.0, None):
        code = code_of_refusal(backend, lambda ctx, t=time: ctx.db.insert("loose", {"_creationTime": t}))
        assert code == "InvalidCreationTimeError"
    backend.run(lambda ctx: ctx.db.insert("loose", {"_id": UNSET, "_creationTime": UNSET}))


def test_4_1_insert_creates_the_table(backend: Backend) -> None:
    assert backend.run(lambda ctx: ctx.db.normalize_id("brand_new", encode_id(10_001, bytes(16)))) is None
    id = backend.run(lambda ctx: ctx.db.insert("brand_new", {}))
    assert backend.run(lambda ctx: ctx.db.normalize_id("brand_new", id)) == id


def test_4_1_a_table_made_by_a_mutation_that_fails_is_not_there(backend: Backend) -> None:
    ids = []

    def work(ctx: MutationCtx) -> None:
        ids.append(ctx.db.insert("brand_new", {}))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backend.run(work)
    assert backend.run(lambda ctx: ctx.db.normalize_id("brand_new", ids[0])) is None


def test_4_1_insert_enforces_the_schema_at_the_call(backend: Backend) -> None:
    assert refusal(backend, lambda ctx: ctx.db.insert("notes", {"text": 1, "place": {}})) == (
        'Failed to insert or update a document in table "notes" because it does not match the schema: '
        "Value does not match validator.\nPath: .text\nValue: 1.0\nValidator: v.string()"
    )
    assert backend.mutation(break_the_schema) == "SchemaEnforcementError"
    assert backend.query(texts) == ["still here"]


# 4.2 patch


def test_4_2_patch_is_shallow(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {"a": {"b": 1, "c": 2}, "d": 3}))
    backend.run(lambda ctx: ctx.db.patch(id, {"a": {"b": 9}}))
    assert only(backend, "loose") == {"a": {"b": 9.0}, "d": 3.0}


def test_4_2_patch_removes_fields_that_are_unset_and_drops_nested_ones(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {"a": 1, "b": 2}))
    backend.run(lambda ctx: ctx.db.patch(id, {"a": UNSET, "missing": UNSET, "c": {"d": UNSET, "e": None}}))
    assert only(backend, "loose") == {"b": 2.0, "c": {"e": None}}


def test_4_2_patch_by_keywords_removes_an_optional_field(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert(Note(text="a", pinned=True)))
    backend.run(lambda ctx: ctx.db.patch(id, pinned=UNSET))
    assert only(backend, "notes") == {"text": "a", "place": {}}
    assert refusal(backend, lambda ctx: ctx.db.patch(id, text=UNSET)).startswith(
        'Failed to insert or update a document in table "notes" because it does not match the schema: '
        "Object is missing the required field `text`."
    )


def test_4_2_patch_takes_system_fields_only_if_they_are_equal(backend: Backend) -> None:
    id, other = (backend.run(lambda ctx: ctx.db.insert("loose", {"n": 1})) for _ in range(2))
    time = backend.run(lambda ctx: ctx.db.get("loose", id)["_creationTime"])  # type: ignore[index]
    backend.run(lambda ctx: ctx.db.patch(id, {"_id": id, "_creationTime": time, "n": 2}))
    assert backend.run(lambda ctx: ctx.db.get("loose", id)["n"]) == 2.0  # type: ignore[index]
    for wrong in (other, None, 1, UNSET):
        assert code_of_refusal(backend, lambda ctx, x=wrong: ctx.db.patch(id, {"_id": x})) == "InvalidIdError"
    for late in (time + 1, None, "x", Int64(int(time)), UNSET):
        code = code_of_refusal(backend, lambda ctx, x=late: ctx.db.patch(id, {"_creationTime": x}))
        assert code == "InvalidCreationTimeError"


@pytest.mark.parametrize("value", [1, "text", [1]])
def test_4_2_patch_takes_objects_only(backend: Backend, value: Any) -> None:
    id = backend.mutation(add, text="a")
    for work in (
        lambda ctx: ctx.db.patch(id, value),
        lambda ctx: ctx.db.patch("notes", id, value),
    ):
        assert refusal(backend, work) == "Invalid argument `value` for `db.patch`: Value must be an Object"


# 4.3 replace


def test_4_3_replace_removes_what_is_not_given_and_keeps_system_fields(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {"a": 1, "b": 2}))
    before = backend.run(lambda ctx: ctx.db.get("loose", id))
    backend.run(lambda ctx: ctx.db.replace(id, {"c": 3, "d": UNSET}))
    assert only(backend, "loose") == {"c": 3.0}
    after = backend.run(lambda ctx: ctx.db.get("loose", id))
    assert before is not None
    assert after is not None
    assert [after[name] for name in SYSTEM_FIELDS] == [before[name] for name in SYSTEM_FIELDS]
    backend.run(lambda ctx: ctx.db.replace(id, after | {"c": 4}))
    assert only(backend, "loose") == {"c": 4.0}


def test_4_3_replace_refuses_other_system_fields(backend: Backend) -> None:
    id, other = (backend.run(lambda ctx: ctx.db.insert("loose", {})) for _ in range(2))
    assert code_of_refusal(backend, lambda ctx: ctx.db.replace(id, {"_id": other})) == "InvalidIdError"
    code = code_of_refusal(backend, lambda ctx: ctx.db.replace(id, {"_creationTime": 1}))
    assert code == "InvalidCreationTimeError"


@pytest.mark.parametrize("value", [None, 1, "text", [1]])
def test_4_3_replace_takes_objects_only(backend: Backend, value: Any) -> None:
    id = backend.mutation(add, text="a")
    for work in (lambda ctx: ctx.db.replace(id, value), lambda ctx: ctx.db.replace("notes", id, value)):
        assert refusal(backend, work) == "Invalid argument `value` for `db.replace`: Value must be an Object"


def test_4_3_a_read_document_can_be_put_back_changed(backend: Backend) -> None:
    id = backend.mutation(add, text="a")

    def work(ctx: MutationCtx) -> None:
        note = ctx.db.get(id)
        assert note is not None
        note.text = "b"
        ctx.db.replace(id, note)

    backend.run(work)
    assert backend.query(texts) == ["b"]


# 4.4 delete


def test_4_4_delete_removes_the_document_alone(backend: Backend) -> None:
    target = backend.mutation(add, text="a")
    backend.run(lambda ctx: ctx.db.insert("loose", {"points_to": target}))
    backend.run(lambda ctx: ctx.db.delete(target))
    assert backend.run(lambda ctx: ctx.db.get(target)) is None
    assert only(backend, "loose") == {"points_to": target}
    assert backend.query(texts) == []


# 4.5 common rules


def test_4_5_all_but_insert_return_nothing(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    with backend.run() as ctx:
        results = [
            ctx.db.patch(id, text="b"),  # type: ignore[func-returns-value]
            ctx.db.replace(id, Note(text="c")),  # type: ignore[func-returns-value]
            ctx.db.delete(id),  # type: ignore[func-returns-value]
        ]
    assert results == [None, None, None]


WRITES: dict[str, Callable[..., Any]] = {
    "patch": lambda ctx, *target: ctx.db.patch(*target, {"text": "x"}),
    "replace": lambda ctx, *target: ctx.db.replace(*target, {"text": "x", "place": {}}),
    "delete": lambda ctx, *target: ctx.db.delete(*target),
}


@pytest.mark.parametrize(
    ("name", "verb"), [("patch", "Update"), ("replace", "Replace"), ("delete", "Delete")]
)
def test_4_5_a_target_that_does_not_exist_is_named(backend: Backend, name: str, verb: str) -> None:
    id = backend.mutation(add, text="a")
    backend.run(lambda ctx: ctx.db.delete(id))
    for target in ((id,), ("notes", id), (Note, id)):
        assert refusal(backend, lambda ctx, t=target: WRITES[name](ctx, *t)) == (
            f"{verb} on nonexistent document ID {id}"
        )
    assert code_of_refusal(backend, lambda ctx: WRITES[name](ctx, id)) == "NonexistentDocument"


def test_4_5_the_three_sentences_about_a_missing_target(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    backend.run(lambda ctx: ctx.db.delete(id))
    assert (
        refusal(backend, lambda ctx: ctx.db.patch(id, text="b")) == f"Update on nonexistent document ID {id}"
    )
    assert refusal(backend, lambda ctx: ctx.db.replace(id, Note(text="b"))) == (
        f"Replace on nonexistent document ID {id}"
    )
    assert refusal(backend, lambda ctx: ctx.db.delete(id)) == f"Delete on nonexistent document ID {id}"
    with pytest.raises(FunctionFailed) as caught:
        backend.mutation(rename, id=id, text="b")
    assert caught.value.message == f"Update on nonexistent document ID {id}"


@pytest.mark.parametrize("name", WRITES)
def test_4_5_an_id_of_no_table(backend: Backend, name: str) -> None:
    id = encode_id(20_000, bytes(16))
    for target in ((id,), ("notes", id)):
        assert (
            refusal(backend, lambda ctx, t=target: WRITES[name](ctx, *t)) == f'Table for ID "{id}" not found'
        )


@pytest.mark.parametrize("name", WRITES)
def test_4_5_an_id_of_another_table_than_the_explicit_one(backend: Backend, name: str) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {}))
    for table in ("notes", Note):
        assert refusal(backend, lambda ctx, t=table: WRITES[name](ctx, t, id)) == (
            f'Invalid argument `id` for `db.{name}`: expected to be an Id<"notes">, got Id<"loose"> instead.'
        )
    assert refusal(backend, lambda ctx: WRITES[name](ctx, "nowhere", id)) == (
        f'Invalid argument `id` for `db.{name}`: expected to be an Id<"nowhere">, got Id<"loose"> instead.'
    )


def test_4_5_the_three_sentences_about_another_table(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {}))
    assert refusal(backend, lambda ctx: ctx.db.patch("notes", id, {})) == (
        'Invalid argument `id` for `db.patch`: expected to be an Id<"notes">, got Id<"loose"> instead.'
    )
    assert refusal(backend, lambda ctx: ctx.db.replace("notes", id, {})) == (
        'Invalid argument `id` for `db.replace`: expected to be an Id<"notes">, got Id<"loose"> instead.'
    )
    assert refusal(backend, lambda ctx: ctx.db.delete("notes", id)) == (
        'Invalid argument `id` for `db.delete`: expected to be an Id<"notes">, got Id<"loose"> instead.'
    )


@pytest.mark.parametrize("name", WRITES)
def test_4_5_what_is_no_id_is_refused(backend: Backend, name: str) -> None:
    for target in (("x",), ("notes", "x")):
        assert refusal(backend, lambda ctx, t=target: WRITES[name](ctx, *t)) == (
            f"Invalid argument `id` for `db.{name}`: Unable to decode ID: Invalid ID length 1"
        )
    assert refusal(backend, lambda ctx: WRITES[name](ctx, 5)) == (
        f"Invalid argument `id` for `db.{name}`, expected string but got 'int': 5"
    )
    assert refusal(backend, lambda ctx: WRITES[name](ctx, None)) == f"Must provide arg 1 `id` to `{name}`"


def test_4_5_system_tables_are_read_only(backend: Backend) -> None:
    read_only = "System tables (prefixed with `_`) are read-only."
    id = encode_id(512 + 5, bytes(16))
    assert backend.run(lambda ctx: ctx.db.system.normalize_id("_storage", id)) == id
    for table in ("_storage", "_scheduled_functions", "_tables", "_not_there", "_"):
        assert refusal(backend, lambda ctx, t=table: ctx.db.insert(t, {})) == read_only
    for write in WRITES.values():
        for target in ((id,), ("_storage", id)):
            assert refusal(backend, lambda ctx, w=write, t=target: w(ctx, *t)) == read_only


def test_4_5_what_changes_nothing_is_not_written(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    live = backend.watch(texts)
    before = backend.deployment.last_ts
    for work in (
        lambda ctx: ctx.db.patch(id, text="a"),
        lambda ctx: ctx.db.patch(id, {}),
        lambda ctx: ctx.db.patch(id, pinned=UNSET),
        lambda ctx: ctx.db.replace(id, Note(text="a")),
        lambda ctx: ctx.db.replace(id, ctx.db.get(id)),
    ):
        with backend.run() as ctx:
            assert written(lambda w=work, c=ctx: w(c), ctx) == 0
    backend.mutation(rename, id=id, text="a")
    assert live.wakes == 0
    assert backend.deployment.last_ts == before
    backend.mutation(rename, id=id, text="b")
    assert live.wakes == 1
    assert live.value == ["b"]


def test_4_5_what_is_put_back_within_the_mutation_leaves_no_trace(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    live = backend.watch(texts)
    before = backend.deployment.last_ts
    with backend.run() as ctx:
        ctx.db.patch(id, text="b")
        ctx.db.patch(id, text="a")
        ctx.db.delete(ctx.db.insert(Note(text="c")))
    assert live.wakes == 0
    assert backend.deployment.last_ts == before


def test_4_5_what_changes_nothing_skips_the_schema() -> None:
    loose = define_schema({"notes": define_table(v.any())})
    strict = define_schema({"notes": define_table({"text": v.string()})}, schema_validation=False)
    with Backend.from_functions(insert_loose, schema=loose) as backend:
        id = backend.run(lambda ctx: ctx.db.insert("notes", {"text": 1}))
        backend.push_schema(strict)
        with backend.run() as ctx:
            assert written(lambda: ctx.db.patch(id, {"text": 1}), ctx) == 0
            assert written(lambda: ctx.db.replace(id, {"text": 1}), ctx) == 0


def test_4_5_equality_is_of_values_and_not_of_python(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("loose", {"n": 1}))
    for value in (True, Int64(1), 1.0, -0.0, 0.0):
        with backend.run() as ctx:
            assert written(lambda x=value: ctx.db.patch(id, {"n": x}), ctx) == 1
    with backend.run() as ctx:
        assert written(lambda: ctx.db.patch(id, {"n": 0}), ctx) == 0
    for nan in (float("nan"), float("nan")):
        backend.run(lambda ctx, x=nan: ctx.db.patch(id, {"n": x}))
    with backend.run() as ctx:
        assert written(lambda: ctx.db.patch(id, {"n": float("nan")}), ctx) == 0


def test_4_5_every_call_that_writes_is_charged_one_document(backend: Backend) -> None:
    with backend.run() as ctx:
        ids: list[Id[Note]] = []
        assert written(lambda: ids.append(ctx.db.insert(Note(text="a"))), ctx) == 1
        assert written(lambda: [ctx.db.patch(ids[0], text=text) for text in "bcd"], ctx) == 3
        assert written(lambda: ctx.db.delete(ids[0]), ctx) == 1


def test_4_5_every_write_reads_its_target_first(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    for name, write in WRITES.items():
        with suppress(ZeroDivisionError), backend.run() as ctx:
            before = ctx.meta.get_transaction_metrics()
            write(ctx, id)
            after = ctx.meta.get_transaction_metrics()
            assert after.documents_read.used == before.documents_read.used + 1, name
            assert after.database_queries.used > before.database_queries.used, name
            raise ZeroDivisionError


def test_4_5_unknown_fields_without_a_schema_are_stored(backend: Backend) -> None:
    backend.mutation(insert_loose, value={"any": ["thing", {"_nested": None}]})
    assert only(backend, "loose") == {"any": ["thing", {"_nested": None}]}


def test_4_5_unknown_fields_under_an_object_validator_are_refused(backend: Backend) -> None:
    id = backend.mutation(add, text="a")
    for work in (
        lambda ctx: ctx.db.insert("notes", {"text": "a", "place": {}, "more": 1}),
        lambda ctx: ctx.db.patch(id, {"more": 1}),
        lambda ctx: ctx.db.replace(id, {"text": "a", "place": {}, "more": 1}),
    ):
        sentence = refusal(backend, work).partition("\n")[0]
        assert sentence == (
            'Failed to insert or update a document in table "notes" because it does not match the schema: '
            "Object contains extra field `more` that is not in the validator."
        )


def test_4_5_other_fields_with_an_underscore_are_refused_at_the_top(backend: Backend) -> None:
    for work in (
        lambda ctx: ctx.db.insert("loose", {"_x": 1}),
        lambda ctx: ctx.db.patch(ctx.db.insert("loose", {}), {"_x": 1}),
        lambda ctx: ctx.db.replace(ctx.db.insert("loose", {}), {"_x": 1}),
    ):
        assert refusal(backend, work) == (
            "Field '_x' starts with an underscore, which is only allowed for system fields like '_id'"
        )


def test_4_5_own_writes_are_seen_at_once_by_every_kind_of_read(backend: Backend) -> None:
    kept, gone, moved = (backend.mutation(add, text=text) for text in ("b", "c", "d"))
    with backend.run() as ctx:
        ctx.db.delete(gone)
        ctx.db.patch(moved, text="a")
        ctx.db.insert(Note(text="e"))
        assert [note.text for note in ctx.db.query(Note).with_index(Note.by_text)] == ["a", "b", "e"]
        assert [note.text for note in ctx.db.query(Note).with_index(Note.by_text, text=gt("a"))] == ["b", "e"]
        assert [note.text for note in ctx.db.query(Note).with_index(Note.by_text).order("desc").take(2)] == [
            "e",
            "b",
        ]
        assert ctx.db.query(Note).with_index(Note.by_text, text="d").first() is None
        page = (
            ctx.db.query(Note).with_index(Note.by_text).paginate(PaginationOptions(num_items=2, cursor=None))
        )
        assert [note.text for note in page.page] == ["a", "b"]
        assert [note and note.text for note in ctx.db.get_many([kept, gone, moved])] == ["b", None, "a"]
        assert ctx.run_query(texts) == ["a", "b", "e"]
        assert backend.query(texts) == ["b", "c", "d"]  # Nobody else sees any of it before the commit.
    assert backend.query(texts) == ["a", "b", "e"]


def test_4_5_an_uncaught_error_undoes_everything(backend: Backend) -> None:
    with pytest.raises(ApplicationError):
        backend.mutation(write_and_fail)
    assert backend.query(texts) == []


def test_4_5_queries_cannot_write(backend: Backend) -> None:
    with pytest.raises(FunctionFailed) as caught:
        backend.query(write_in_a_query)
    assert "'DatabaseReader' object has no attribute 'insert'" in caught.value.message


# 4.6 the commit timestamp placeholder


def kinds(found: list[Event]) -> list[str]:
    return [event.kind for event in found]


def test_4_6_it_becomes_the_commit_timestamp_in_nanoseconds_rising_with_every_commit(
    backend: Backend,
) -> None:
    positions = []
    for kind in "abc":
        backend.mutation(record, kind=kind)
        positions.append(backend.deployment.last_ts)
    found = backend.query(events)
    assert kinds(found) == ["a", "b", "c"]
    assert [event.at for event in found] == positions == sorted(set(positions))
    assert {type(event.at) for event in found} == {Int64}
    assert abs(found[0].at / 1e6 - found[0].creation_time) < 1_000


def test_4_6_it_can_be_stored_untyped_and_anywhere_in_a_value(backend: Backend) -> None:
    with backend.run() as ctx:
        now = ctx.db.vars.commit_ts
        id = ctx.db.insert(
            "loose", {"at": now, "deep": {"list": [now, "x", now]}, "text": '{"$commitTs":null}'}
        )
        assert ctx.db.get("loose", id)["at"] is COMMIT_TS  # type: ignore[index]
    ts = Int64(backend.deployment.last_ts)
    assert only(backend, "loose") == {"at": ts, "deep": {"list": [ts, "x", ts]}, "text": '{"$commitTs":null}'}


def test_4_6_a_field_of_another_type_refuses_it(backend: Backend) -> None:
    assert refusal(backend, lambda ctx: ctx.db.insert("events", {"kind": COMMIT_TS, "at": Int64(1)})) == (
        'Failed to insert or update a document in table "events" because it does not match the schema: '
        "Value does not match validator.\nPath: .kind\nValue: [unresolved commit timestamp]\n"
        "Validator: v.string()"
    )


def test_4_6_a_field_of_its_type_takes_an_int64_and_no_number(backend: Backend) -> None:
    backend.run(lambda ctx: ctx.db.insert(Event(kind="a", at=Int64(5))))
    assert refusal(backend, lambda ctx: ctx.db.insert("events", {"kind": "b", "at": 5.0})).endswith(
        "Path: .at\nValue: 5.0\nValidator: v.commitTs()"
    )


def test_4_6_it_is_checked_as_an_int64() -> None:
    schema = define_schema({"counts": define_table({"n": v.int64()})})
    with Backend.from_functions(tell_as_int64, schema=schema) as backend:
        backend.run(lambda ctx: ctx.db.insert("counts", {"n": ctx.db.vars.commit_ts}))
        ts = backend.deployment.last_ts
        assert only(backend, "counts") == {"n": Int64(ts)}
        assert backend.mutation(tell_as_int64) == ts


def test_4_6_in_its_mutation_it_is_the_largest_int64(backend: Backend) -> None:
    backend.mutation(record, kind="before")
    backend.run(lambda ctx: ctx.db.insert(Event(kind="most", at=Int64(INT64_MAX))))
    with backend.run() as ctx:
        now = ctx.db.vars.commit_ts
        for kind in ("x", "y"):
            ctx.db.insert(Event(kind=kind, at=now))
        assert kinds(ctx.db.query(Event).with_index(Event.by_at).collect()) == ["before", "most", "x", "y"]
        assert kinds(ctx.db.query(Event).with_index(Event.by_at).order("desc").collect()) == [
            "y",
            "x",
            "most",
            "before",
        ]
        assert kinds(ctx.db.query(Event).with_index(Event.by_at, at=now).collect()) == ["most", "x", "y"]
        assert kinds(ctx.db.query(Event).with_index(Event.by_at, at=Int64(INT64_MAX)).collect()) == [
            "most",
            "x",
            "y",
        ]
        assert kinds(ctx.db.query(Event).with_index(Event.by_at, at=lt(now)).collect()) == ["before"]
        assert kinds(ctx.db.query(Event).with_index(Event.by_at, at=gt(now)).collect()) == []
        assert kinds(ctx.db.query(Event).with_index(Event.by_at, at=gt(Int64(5)) & lte(now)).collect()) == [
            "before",
            "most",
            "x",
            "y",
        ]
        assert kinds(ctx.db.query(Event).with_index(Event.by_kind_at, kind="x", at=now).collect()) == ["x"]
        cut = Int64(2**62)
        assert kinds(ctx.db.query(Event).filter(lambda event: event.at > cut).collect()) == ["most", "x", "y"]
        assert kinds(ctx.db.query(Event).filter(lambda event: event.at == now).collect()) == ["x", "y"]
    assert kinds(backend.query(events)) == ["before", "x", "y", "most"]


def test_4_6_pages_have_it_in_its_place(backend: Backend) -> None:
    backend.mutation(record, kind="a")
    seen = []
    for size in (1, 2, 3):
        with suppress(ZeroDivisionError), backend.run() as ctx:
            for kind in "bc":
                ctx.db.insert(Event(kind=kind, at=ctx.db.vars.commit_ts))
            query = ctx.db.query(Event).with_index(Event.by_at)
            page = query.paginate(PaginationOptions(num_items=size, cursor=None))
            seen.append((kinds(page.page), page.is_done))
            raise ZeroDivisionError
    assert seen == [(["a"], False), (["a", "b"], False), (["a", "b", "c"], False)]


def test_4_6_it_is_no_number_and_says_what_it_is(backend: Backend) -> None:
    with backend.run() as ctx:
        now = ctx.db.vars.commit_ts
        assert str(now) == f"{now}" == "[unresolved commit timestamp]"
        for work in (
            lambda: int(now), lambda: float(now), lambda: now + 1, lambda: 1 - now, lambda: now // 10**6,
        ):  # fmt: skip
            with pytest.raises(
                TypeError, match="A commit timestamp has no number before its mutation commits"
            ):
                work()


def test_4_6_it_goes_to_nested_functions_and_comes_back(backend: Backend) -> None:
    with backend.run() as ctx:
        now = ctx.db.vars.commit_ts
        assert ctx.run_mutation(record_at, at=now, loose={"at": now}) is COMMIT_TS
        [event] = ctx.run_query(events_at, at=now)
        assert (event.kind, event.at) == ("nested", COMMIT_TS)
    [event] = backend.query(events)
    assert event.at == backend.deployment.last_ts


def test_4_6_a_failed_part_takes_its_documents_back(backend: Backend) -> None:
    with backend.run() as ctx:
        ctx.db.insert(Event(kind="kept", at=ctx.db.vars.commit_ts))
        with suppress(ZeroDivisionError):
            ctx.run_mutation(fail_after_recording, kind="gone")
    assert kinds(backend.query(events)) == ["kept"]


def test_4_6_the_result_of_a_mutation_has_the_timestamp(backend: Backend) -> None:
    event = backend.mutation(record_and_tell, kind="a")
    assert (event.at, type(event.at)) == (backend.deployment.last_ts, Int64)
    assert backend.query(events) == [event]
    ts = backend.deployment.last_ts
    assert backend.mutation(tell_anything) == {"at": [Int64(ts), "[unresolved commit timestamp]"]}
    assert backend.mutation(tell_only) == ts


def test_4_6_live_queries_see_the_timestamp_only(backend: Backend) -> None:
    live = backend.watch(events)
    for kind in "ab":
        backend.mutation(record, kind=kind)
    assert [[type(event.at) for event in found] for found in live.history] == [[], [Int64], [Int64, Int64]]
    assert live.value[-1].at == backend.deployment.last_ts


def test_4_6_a_query_may_not_return_it(backend: Backend) -> None:
    with pytest.raises(FunctionFailed) as caught:
        backend.query(leak)
    assert caught.value.message == (
        "Function semantics/test_4_writing:leak return value invalid: "
        "queries cannot return an unresolved commit timestamp"
    )


def test_4_6_it_cannot_leave_in_an_error(backend: Backend) -> None:
    with pytest.raises(FunctionFailed) as caught:
        backend.mutation(fail_with_it)
    assert caught.value.message == (
        "ApplicationError data is not a value that clients can receive: "
        "An unresolved commit timestamp cannot leave its mutation."
    )


def test_4_6_callers_cannot_send_it(backend: Backend) -> None:
    for call in (
        lambda: backend.query(take_one, at=COMMIT_TS),  # type: ignore[arg-type]
        lambda: backend.mutation(insert_loose, value={"at": COMMIT_TS}),
    ):
        with pytest.raises(
            FunctionFailed, match=r"Field name \$commitTs starts with '\$', which is reserved\."
        ):
            call()
