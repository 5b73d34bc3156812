"""Documents are held against a staged validator in steps and at every write, and none is refused."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import (
    SchemaChange,
    SchemaMismatch,
    StagedState,
    StagedVerdict,
    apply_schema,
    staged_verdicts,
    take_staged_step,
)
from rewake.limits import SCHEMA_SWITCH_ROWS_MAX
from rewake.schema import Schema, define_schema, define_table, v
from tests.database.background import Background
from tests.database.world import World, documents, query

NOW = {"n": v.optional(v.any())}
NEXT = {"n": v.string()}


def schema(staged: Any = NEXT, *, enforced: Any = NOW) -> Schema:
    table = define_table(enforced)
    return define_schema({"t": table if staged is None else table.staged(staged)})


def push(world: World, wanted: Schema) -> SchemaChange:
    changes: list[SchemaChange] = []
    world.mutate(lambda tx: changes.append(apply_schema(tx, wanted)))
    return changes[0]


def known(world: World) -> StagedVerdict:
    with world.reader.begin() as snapshot:
        return staged_verdicts(snapshot.catalog)["t"]


def step(world: World, *, is_time_up: Any = lambda: False) -> bool:
    found: list[bool] = []
    world.mutate(lambda tx: found.append(take_staged_step(tx, is_time_up=is_time_up)))
    return found[0]


def finish(world: World) -> StagedVerdict:
    while step(world):
        pass
    return known(world)


def test_all_documents_fit_or_the_first_that_does_not_is_named(world: World) -> None:
    push(world, schema(None))
    good, bad, other = world.insert("t", {"n": "a"}, {"n": 1}, {})
    push(world, schema())
    assert known(world).state is StagedState.CHECKING
    verdict = finish(world)
    assert (verdict.state, verdict.document) == (StagedState.INVALID, bad)
    assert verdict.error == "Value does not match validator.\nPath: .n\nValue: 1.0\nValidator: v.string()"
    world.mutate(lambda tx: tx.patch(bad, {"n": "b"}))
    assert known(world).state is StagedState.CHECKING
    verdict = finish(world)
    assert verdict.document == other
    assert "missing the required field `n`" in verdict.error
    world.mutate(lambda tx: tx.delete(other))
    assert finish(world).state is StagedState.VALID
    assert good


def test_a_write_is_never_refused_and_counts_at_once(world: World) -> None:
    push(world, schema())
    assert finish(world).state is StagedState.VALID
    (bad,) = world.insert("t", {"n": 1})
    assert (known(world).state, known(world).document) == (StagedState.INVALID, bad)
    world.mutate(lambda tx: tx.delete(bad))
    assert finish(world).state is StagedState.VALID

    def fails(tx: Any) -> None:
        tx.insert("t", {"n": 1})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        world.mutate(fails)
    assert known(world).state is StagedState.VALID, "a mutation that fails has written nothing"


def test_what_a_mutation_puts_right_itself_never_counted(world: World) -> None:
    push(world, schema())
    finish(world)
    world.mutate(lambda tx: tx.patch(tx.insert("t", {"n": 1}), {"n": "b"}))
    assert known(world).state is StagedState.VALID


def test_a_step_ends_when_its_time_is_up_and_the_next_goes_on(world: World) -> None:
    push(world, schema(None))
    world.insert("t", *({"n": str(number)} for number in range(5)))
    push(world, schema())
    before = world.database.last_ts()
    steps = 0
    while step(world, is_time_up=lambda: True):
        steps += 1
    assert steps == 6, "five documents, and the end of the table"
    assert known(world).state is StagedState.VALID
    assert world.database.last_ts() > before


def test_turning_it_into_the_real_one_checks_no_document(world: World) -> None:
    push(world, schema(None))
    world.insert("t", *({"n": str(number)} for number in range(SCHEMA_SWITCH_ROWS_MAX + 1)))
    push(world, schema())
    assert finish(world).state is StagedState.VALID
    # In one transaction, although the table is larger than one may look through.
    change = push(world, schema(None, enforced=NEXT))
    assert change.tables_checked == []
    with world.reader.begin() as snapshot:
        assert staged_verdicts(snapshot.catalog) == {}


def test_one_that_takes_more_than_the_staged_one_is_not_checked_either(world: World) -> None:
    push(world, schema())
    finish(world)
    looser = {"n": v.union(v.string(), v.null())}
    assert push(world, schema(None, enforced=looser)).tables_checked == []


def test_it_is_checked_while_that_is_not_known(world: World) -> None:
    push(world, schema())
    assert push(world, schema(None, enforced=NEXT)).tables_checked == ["t"]
    push(world, schema())
    finish(world)
    (bad,) = world.insert("t", {"n": 1})
    with pytest.raises(SchemaMismatch) as caught:
        push(world, schema(None, enforced=NEXT))
    assert caught.value.fields["id"] == bad
    assert known(world).document == bad, "as it was"


def test_a_write_that_takes_the_proof_away_during_a_push_is_found(world: World) -> None:
    push(world, schema(None))
    world.insert("t", *({"n": str(number)} for number in range(SCHEMA_SWITCH_ROWS_MAX + 1)))
    push(world, schema())
    finish(world)
    # Another table has to be read first, so the push goes on in the background.
    world.insert("u", *({"n": number} for number in range(SCHEMA_SWITCH_ROWS_MAX + 1)))
    wanted = define_schema({"t": define_table(NEXT), "u": define_table({"n": v.number()})})
    rollout = Background(world, wanted)
    while "Check" not in rollout.done:
        rollout.do()
    (bad,) = world.insert("t", {"n": 1})
    with pytest.raises(SchemaMismatch) as caught:
        rollout.run()
    assert caught.value.fields["id"] == bad


def test_the_verdict_stays_where_the_validator_does(world: World) -> None:
    push(world, schema())
    finish(world)
    wider = {"n": v.optional(v.any()), "m": v.optional(v.string())}
    push(world, schema(v.object(NEXT), enforced=wider))
    assert known(world).state is StagedState.VALID
    push(world, schema({"n": v.number()}))
    assert known(world).state is StagedState.CHECKING
    assert finish(world).state is StagedState.VALID
    push(world, schema(None))
    assert not step(world)


def test_a_check_under_way_is_given_up_with_its_validator(world: World) -> None:
    push(world, schema(None))
    world.insert("t", {"n": "a"}, {"n": "b"})
    push(world, schema())
    assert step(world, is_time_up=lambda: True)
    push(world, schema(None))
    assert not step(world)


OPERATION = st.tuples(
    st.sampled_from(["insert", "patch", "delete", "step", "step"]), st.integers(0, 9), st.booleans()
)


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATION, max_size=40), st.lists(st.booleans(), max_size=6))
def test_whatever_is_written_between_steps_the_verdict_is_true(
    operations: list[tuple[str, int, bool]], first: list[bool]
) -> None:
    """Writes and steps in any order: a verdict that all fit is true, one that names a document too, and when
    the steps are over one of both is there.
    """

    def value(is_good: bool) -> dict[str, Any]:
        return {"n": "x" if is_good else 1}

    with closing(World()) as world:
        push(world, schema(None))
        ids = world.insert("t", *map(value, first))
        push(world, schema())
        for verb, place, is_good in [*operations, ("end", 0, True)]:
            if verb == "insert":
                ids += world.insert("t", value(is_good))
            elif verb == "step":
                step(world, is_time_up=lambda: True)
            elif verb == "end":
                finish(world)
            elif ids and verb == "patch":
                chosen = ids[place % len(ids)]
                world.mutate(lambda tx, chosen=chosen, is_good=is_good: tx.patch(chosen, value(is_good)))
            elif ids:
                chosen = ids.pop(place % len(ids))
                world.mutate(lambda tx, chosen=chosen: tx.delete(chosen))
            check(world)
        assert known(world).state is not StagedState.CHECKING


def check(world: World) -> None:
    verdict = known(world)
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        found = documents(transaction.scan(query("t")))
        named = transaction.get(verdict.document) if verdict.document else None
    is_all_good = all(document["n"] == "x" for document in found)
    if verdict.state is StagedState.VALID:
        assert is_all_good
    if verdict.state is StagedState.INVALID:
        assert named is not None
        assert '"n":1.0' in named


def test_a_large_value_that_does_not_fit_is_told_in_part(world: World) -> None:
    push(world, schema(None))
    world.insert("t", {"n": ["x" * 500_000]})
    push(world, schema())
    verdict = finish(world)
    assert verdict.state is StagedState.INVALID
    assert len(verdict.error) == 4_096


def test_the_author_pays_for_none_of_it(world: World) -> None:
    push(world, schema())
    finish(world)
    used: list[Any] = []
    world.mutate(lambda tx: used.append((tx, tx.insert("t", {"n": 1}))))
    assert known(world).state is StagedState.INVALID
    ((transaction, _),) = used
    assert (transaction.usage.documents_read, transaction.usage.documents_written) == (0, 1)
