"""Documents are read in pages and the log is followed; what fits at the end fits wholly."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rewake.database import (
    DocumentCheck,
    Evidence,
    NewDocumentMismatch,
    SchemaMismatch,
    SchemaWorkLeft,
    apply_schema,
)
from rewake.limits import DEFAULT_LIMITS
from rewake.schema import Schema, define_schema, define_table, v
from tests.database.background import Background
from tests.database.world import World, documents, query

MANY = 2_500  # Two pages and a half.
LOOSE = define_schema({"t": define_table({"n": v.union(v.number(), v.string())})})
STRICT = define_schema({"t": define_table({"n": v.number()})})


def survey(world: World, schema: Schema) -> DocumentCheck:
    check = DocumentCheck(schema, world.database.schemas)
    with world.reader.begin() as snapshot:
        check.survey(snapshot)
    return check


def finish(world: World, check: DocumentCheck) -> Evidence:
    while True:
        with world.reader.begin() as snapshot:
            progress = check.step(snapshot)
        if progress.evidence is not None:
            return progress.evidence


@pytest.fixture
def full(world: World) -> World:
    world.mutate(lambda tx: apply_schema(tx, LOOSE))
    world.insert("t", *({"n": number} for number in range(MANY)))
    return world


def test_it_reads_every_document_once_in_pages(full: World) -> None:
    check = DocumentCheck(STRICT, full.database.schemas)
    with full.reader.begin() as snapshot:
        found = check.survey(snapshot)
    assert (found.documents, found.to_check) == ({"t": MANY}, ("t",))
    counts = []
    for _ in range(3):
        with full.reader.begin() as snapshot:
            progress = check.step(snapshot)
        counts.append((progress.checked, progress.total, progress.tables_checked, progress.tables))
    assert counts == [(1024, MANY, 0, 1), (2048, MANY, 0, 1), (MANY, MANY, 1, 1)]
    assert progress.evidence is not None


def test_a_document_that_exists_is_named(full: World) -> None:
    (bad,) = full.insert("t", {"n": "text"})
    with pytest.raises(SchemaMismatch) as caught:
        finish(full, survey(full, STRICT))
    message = (
        f'Document with ID "{bad}" in table "t" does not match the schema: Value does not match validator.'
    )
    assert str(caught.value).startswith(message)
    assert caught.value.fields["path"] == ".n"


def test_a_document_written_meanwhile_fails_the_check_and_is_kept(full: World) -> None:
    check = survey(full, STRICT)
    full.insert("t", {"n": "text"})
    with pytest.raises(NewDocumentMismatch) as caught:
        finish(full, check)
    message = 'New document in table "t" does not match the schema: Value does not match validator.'
    assert str(caught.value).startswith(message)
    with full.reader.begin() as snapshot:
        assert len(documents(snapshot.transaction().scan(query("t")))) == MANY + 1


def test_a_document_behind_the_check_is_found_in_the_log(full: World) -> None:
    check = survey(full, STRICT)
    with full.reader.begin() as snapshot:
        first = documents(snapshot.transaction().scan(query("t")))[0]
        ids = list(snapshot.transaction().scan(query("t")))[:1]
        check.step(snapshot)
    assert first == {"n": 0.0}
    id = ids[0].split('"_id":"')[1].split('"')[0]
    full.mutate(lambda tx: tx.patch(id, {"n": "behind the cursor"}))
    with pytest.raises(NewDocumentMismatch):
        finish(full, check)


def test_a_document_mended_before_it_is_read_is_no_obstacle(full: World) -> None:
    (bad,) = full.insert("t", {"n": "text"})
    check = survey(full, STRICT)
    full.mutate(lambda tx: tx.patch(bad, {"n": 1}))
    evidence = finish(full, check)
    full.mutate(lambda tx: apply_schema(tx, STRICT, evidence))


def test_the_switch_checks_what_was_written_since_the_evidence(full: World) -> None:
    evidence = finish(full, survey(full, STRICT))
    (bad,) = full.insert("t", {"n": "text"})
    with pytest.raises(NewDocumentMismatch):
        full.mutate(lambda tx: apply_schema(tx, STRICT, evidence))
    full.mutate(lambda tx: tx.delete(bad))
    with pytest.raises(NewDocumentMismatch):  # As it was written while the schema was pending.
        full.mutate(lambda tx: apply_schema(tx, STRICT, evidence))
    evidence = finish(full, survey(full, STRICT))
    full.mutate(lambda tx: apply_schema(tx, STRICT, evidence))


def test_evidence_of_another_time_is_not_taken(full: World) -> None:
    evidence = finish(full, survey(full, STRICT))
    other = define_schema({"t": define_table(v.any()), "u": define_table(v.any())})
    full.mutate(lambda tx: apply_schema(tx, other))
    with pytest.raises(SchemaWorkLeft, match="another schema has become active"):
        full.mutate(lambda tx: apply_schema(tx, STRICT, evidence))


def test_a_tail_that_is_too_long_asks_for_another_round(full: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewake.database.schema_change._TAIL_ROWS", 2)
    evidence = finish(full, survey(full, STRICT))
    for number in range(3):
        full.insert("t", {"n": number})
    with pytest.raises(SchemaWorkLeft, match="written meanwhile"):
        full.mutate(lambda tx: apply_schema(tx, STRICT, evidence))


def test_a_table_made_meanwhile_is_in_the_log(full: World) -> None:
    both = define_schema({**STRICT_TABLES, "late": define_table({"x": v.number()})})
    check = survey(full, both)
    full.insert("late", *({"x": number} for number in range(600)))
    evidence = finish(full, check)
    full.mutate(lambda tx: apply_schema(tx, both, evidence))
    bad = define_schema({**STRICT_TABLES, "later": define_table({"x": v.number()})})
    check = survey(full, bad)
    full.insert("later", {"x": "text"})
    with pytest.raises(NewDocumentMismatch, match='New document in table "later"'):
        finish(full, check)


STRICT_TABLES = {"t": define_table({"n": v.number()})}


def test_a_log_that_was_trimmed_too_early_begins_the_check_anew() -> None:
    world = World(limits=replace(DEFAULT_LIMITS, log_retention_seconds=10.0))
    world.mutate(lambda tx: apply_schema(tx, LOOSE))
    world.insert("t", *({"n": number} for number in range(MANY)))
    check = survey(world, STRICT)
    evidence = finish(world, check)
    (bad,) = world.insert("t", {"n": "text"})
    world.environment.clock.advance(1_000)  # type: ignore[attr-defined]
    world.insert("t", {"n": 1})
    world.group.begin()
    assert world.group.trim().log_rows > 0
    world.group.commit()
    with pytest.raises(SchemaWorkLeft, match="does not reach back"):
        world.mutate(lambda tx: apply_schema(tx, STRICT, evidence))
    with pytest.raises(SchemaMismatch, match=bad):
        finish(world, check)
    world.mutate(lambda tx: tx.patch(bad, {"n": 1}))
    Background(world, STRICT).run()
    world.close()
