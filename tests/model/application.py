"""The application that the engine runs: functions that do what they are told, step by step.

The same steps go to `reference.py`. What a step comes to is its answer; an error of the database is caught
and answered by its code, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rewake import UNSET, ApplicationError, MutationCtx, QueryCtx, gt, gte, lt, lte, mutation, query
from rewake.errors import RewakeError
from tests.model.reference import passes

_OPERATORS = {"gt": gt, "gte": gte, "lt": lt, "lte": lte}


@mutation
def perform(ctx: MutationCtx, steps: list[Any], slots: list[Any]) -> list[Any]:
    """Do the steps in order. A step `fail` undoes everything; the error carries the answers."""
    known: list[str] = list(slots)
    answers: list[Any] = []
    for step in steps:
        if step[0] == "fail":
            raise ApplicationError(answers)
        if step[0] == "nest":
            answer = nest(ctx, step[1], known)
        else:
            try:
                answer = do(ctx, step, known)
            except RewakeError as error:
                answer = ["error", error.code]
        answers.append(answer)
        known.extend(made_in([answer]))
    return answers


def nest(ctx: MutationCtx, steps: list[Any], known: list[str]) -> list[Any]:
    try:
        return ["kept", ctx.run_mutation(perform, steps=steps, slots=list(known))]
    except ApplicationError as error:
        return ["undone", error.data]


def made_in(answers: list[Any]) -> Iterator[str]:
    """The ids that were given out, in order, undone ones too."""
    for answer in answers:
        if answer[0] == "made":
            yield answer[1]
        elif answer[0] in ("kept", "undone"):
            yield from made_in(answer[1])


def do(ctx: MutationCtx, step: Any, known: list[str]) -> list[Any]:
    verb = step[0]
    if verb == "insert":
        id = ctx.db.insert(step[1], step[2])
        document = ctx.db.get(step[1], id)
        assert document is not None
        return ["made", id, document["_creationTime"]]
    if verb == "scan":
        return look_at(ctx, step[1])
    if not known:
        return ["nobody"]
    id = known[int(step[1]) % len(known)]
    if verb == "get":
        return ["value", ctx.db.get(id)]  # type: ignore[call-overload]
    if verb == "delete":
        ctx.db.delete(id)
    elif verb == "replace":
        ctx.db.replace(id, step[2])
    else:
        assert verb == "patch"
        ctx.db.patch(id, {name: given[1] if given[0] == "set" else UNSET for name, given in step[2].items()})
    return ["done"]


@query
def look(ctx: QueryCtx, asked: Any) -> list[Any]:
    """One query."""
    try:
        return look_at(ctx, asked)
    except RewakeError as error:
        return ["error", error.code]


def look_at(ctx: QueryCtx, asked: Any) -> list[Any]:
    if "slot" in asked:
        return ["value", ctx.db.get(asked["table"], asked["slot"])]
    found = ctx.db.query(asked["table"])
    if asked["index"] is not None:
        found = found.with_index(asked["index"], bounds_of(asked["bounds"]))
    if asked["order"] is not None:
        found = found.order(asked["order"])
    if asked["filter"] is not None:
        found = found.filter(lambda document: passes(asked["filter"], document))
    if asked["end"] == "first":
        return ["value", found.first()]
    if asked["end"] == "unique":
        return ["value", found.unique()]
    if asked["end"] == "take":
        return ["value", found.take(int(asked["count"]))]
    return ["value", found.collect()]


def bounds_of(bounds: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, operator, given in bounds:
        value = given[1] if given[0] == "set" else UNSET
        bound = value if operator == "eq" else _OPERATORS[operator](value)
        made[name] = made[name] & bound if name in made else bound
    return made
