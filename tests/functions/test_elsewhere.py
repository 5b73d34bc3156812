"""What a context does not have says where it is to be had."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.functions import (
    ActionCtx,
    BlockingActionCtx,
    DatabaseReader,
    DatabaseWriter,
    MutationCtx,
    QueryCtx,
)

HOST: Any = object()


@pytest.mark.parametrize(
    ("thing", "name", "advice"),
    [
        *[
            (DatabaseReader(HOST), name, "Write in a mutation")
            for name in ("insert", "patch", "replace", "delete", "vars")
        ],
        (QueryCtx(HOST), "run_mutation", "a mutation or an action"),
        (QueryCtx(HOST), "run_action", "Call actions from an action"),
        (QueryCtx(HOST), "scheduler", "a mutation or an action"),
        (MutationCtx(HOST), "run_action", "ctx.scheduler.run_after"),
        (ActionCtx(HOST), "db", "ctx.run_mutation"),
        (BlockingActionCtx(HOST), "db", "ctx.run_mutation"),
    ],
)
def test_what_another_kind_of_function_does_is_no_attribute_and_says_so(thing, name, advice):
    assert not hasattr(thing, name)
    assert not hasattr(type(thing), name)
    with pytest.raises(
        AttributeError, match=f"'{type(thing).__name__}' object has no attribute '{name}'"
    ) as seen:
        getattr(thing, name)
    assert advice in str(seen.value)


def test_other_names_are_missed_as_everywhere():
    with pytest.raises(AttributeError) as seen:
        QueryCtx(HOST).nonsense  # noqa: B018
    assert str(seen.value) == "'QueryCtx' object has no attribute 'nonsense'"


def test_whoever_has_it_has_it():
    assert callable(DatabaseWriter(HOST).insert)
    assert callable(MutationCtx(HOST).run_mutation)
    assert callable(ActionCtx(HOST).run_action)
