"""The application that the engine runs: functions that do what they are told, step by step.

The same steps go to `reference.py`. What a step comes to is its answer; an error of the database is caught
and answered by its code, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rewake import UNSET, ApplicationError, MutationCtx, QueryCtx, gt, gte, lt, lte, mutation, query
from rewake.errors import RewakeError
from tests.model.order import KINDS, at_path

_OPERATORS = {"gt": gt, "gte": gte, "lt": lt, "lte": lte}

ODDITIES: dict[str, Any] = {
    "dollar": {"$a": None},
    "foreign letters": {"é": None},
    "underscore": {"_a": None},
    "deep": {"b": [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]},
    "as deep as can be": {"b": [[[[[[[[[[[[[[]]]]]]]]]]]]]]},
    "huge": {"b": "x" * 2**20},
    "with an id": {"_id": "x"},
    "with a time": {"_creationTime": 1.0},
    "no object": [1.0],
    "no value": {"a": {1, 2}},
}
"""What cannot be stored, or hardly; most of it could not even cross as an argument."""


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
            yield answer[1]["_id"]
        elif answer[0] in ("kept", "undone"):
            yield from made_in(answer[1])


def do(ctx: MutationCtx, step: Any, known: list[str]) -> list[Any]:
    verb = step[0]
    if verb in ("insert", "insert odd"):
        id = ctx.db.insert(step[1], step[2] if verb == "insert" else ODDITIES[step[2]])
        return ["made", ctx.db.get(step[1], id)]
    if verb == "look":
        return look_at(ctx, step[1])
    if verb == "ask":
        try:
            return ctx.run_query(look, asked=step[1])
        except ApplicationError as error:
            return list(error.data)  # type: ignore[call-overload, no-any-return]
    if verb == "sweep":
        return sweep(ctx, *step[1:])
    if not known:
        return ["nobody"]
    id = known[int(step[1]) % len(known)]
    before = [] if step[-1] is None else [step[-1]]
    if verb == "get":
        return ["value", ctx.db.get(*before, id)]
    if verb == "delete":
        ctx.db.delete(*before, id)
    elif verb == "replace":
        ctx.db.replace(*before, id, step[2])
    else:
        assert verb == "patch"
        ctx.db.patch(*before, id, patched(step[2]))
    return ["done"]


def patched(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: given[1] if given[0] == "set" else UNSET for name, given in fields.items()}


def sweep(ctx: MutationCtx, asked: Any, fields: Any, count: float) -> list[Any]:
    """Go through a query and change each document on the way, perhaps to a place further on."""
    met: list[Any] = []
    for document in begun(ctx, asked):
        if len(met) == count:
            break
        met.append(document)
        try:
            ctx.db.patch(document["_id"], patched(fields))
        except RewakeError as error:
            met.append(error.code)
            break
    return ["value", met]


@query
def look(ctx: QueryCtx, asked: Any, again: float = 0.0) -> list[Any]:
    """One query. `again` does nothing but ask for a run of its own, past every cache."""
    try:
        return look_at(ctx, asked)
    except RewakeError as error:
        raise ApplicationError(["error", error.code]) from None


def look_at(ctx: QueryCtx, asked: Any) -> list[Any]:
    kind = asked["kind"]
    if kind == "get":
        return ["value", ctx.db.get(asked["table"], asked["ids"][0])]
    if kind == "get many":
        return ["value", ctx.db.get_many(asked["ids"])]
    if kind == "several":
        return ["value", [nested(ctx, part) for part in asked["parts"]]]
    if kind == "follow":
        return ["value", [[document, followed(ctx, asked, document)] for document in begun(ctx, asked)]]
    found = begun(ctx, asked)
    if kind == "page":
        page = found.paginate(asked["options"])
        return ["value", page.page, page.is_done, page.continue_cursor, page.split_cursor, page.page_status]
    if kind == "first":
        return ["value", found.first()]
    if kind == "unique":
        return ["value", found.unique()]
    if kind == "take":
        return ["value", found.take(int(asked["count"]))]
    if kind == "stop early":
        return ["value", until(asked["until"], found)]
    return ["value", found.collect()]


def nested(ctx: QueryCtx, asked: Any) -> list[Any]:
    try:
        return ctx.run_query(look, asked=asked)
    except ApplicationError as error:
        return list(error.data)  # type: ignore[call-overload, no-any-return]


def followed(ctx: QueryCtx, asked: Any, document: dict[str, Any]) -> Any:
    """The document that a field points to, if it is an id of the table that it should be of."""
    link = at_path(document, asked["link"])
    id = ctx.db.normalize_id(asked["to"], link) if isinstance(link, str) else None
    return None if id is None else ctx.db.get(id)


def until(condition: Any, documents: Any) -> list[Any]:
    """The documents up to the first that passes, with it."""
    met = []
    for document in documents:
        met.append(document)
        if passes(condition, document):
            break
    return met


def begun(ctx: QueryCtx, asked: Any) -> Any:
    found = ctx.db.query(asked["table"])
    if asked["index"] is not None:
        found = found.with_index(asked["index"], bounds_of(asked["bounds"]))
    if asked["order"] is not None:
        found = found.order(asked["order"])
    for condition in asked["filters"]:
        found = found.filter(lambda document, condition=condition: passes(condition, document))  # type: ignore[misc]
    return found


def bounds_of(bounds: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, operator, given in bounds:
        value = given[1] if given[0] == "set" else UNSET
        bound = value if operator == "eq" else _OPERATORS[operator](value)
        made[name] = made[name] & bound if name in made else bound
    return made


def passes(condition: Any, document: dict[str, Any]) -> bool:
    """Whether a document passes a filter (field, kind of value)."""
    value = at_path(document, condition[0])
    return value is not UNSET and KINDS[condition[1]](value)
