"""Values that go in and must come out the same."""

from typing import Any

from rewake import Int64, MutationCtx, QueryCtx, mutation, query


@query
def echo(ctx: QueryCtx, value: Any) -> Any:
    return value


@mutation
def keep(ctx: MutationCtx, value: Any) -> str:
    """Store a value in a table that has no schema; the id to read it by."""
    return ctx.db.insert("kept", {"value": value})


@query
def kept(ctx: QueryCtx, key: str) -> Any:
    document = ctx.db.get("kept", key)
    return None if document is None else document["value"]


@query
def kinds(ctx: QueryCtx, number: int, exact: Int64, data: bytes, ratio: float) -> list[str]:
    """What each argument is in Python."""
    return [type(value).__name__ for value in (number, exact, data, ratio)]
