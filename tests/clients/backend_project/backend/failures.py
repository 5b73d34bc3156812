"""Every way to fail that a client can see."""

from typing import Any

from rewake import ApplicationError, MutationCtx, QueryCtx, internal_query, mutation, query

from .schema import Counter, Message


@query
def plain_query(ctx: QueryCtx) -> None:
    raise ValueError("boom")


@mutation
def plain_mutation(ctx: MutationCtx) -> None:
    """Fail after a write; the write must not be seen."""
    ctx.db.insert(Message(author="failure", body="never seen"))
    raise ValueError("boom")


@query
def application_query(ctx: QueryCtx, data: Any) -> None:
    raise ApplicationError(data)


@mutation
def application_mutation(ctx: MutationCtx, data: Any) -> None:
    raise ApplicationError(data)


@query
def wrong_return(ctx: QueryCtx) -> int:
    return "not a number"  # type: ignore[return-value]  # What this function is for.


@query
def while_positive(ctx: QueryCtx, name: str) -> str:
    """Fail as long as the counter `name` is above 0."""
    counter = ctx.db.query(Counter).with_index(Counter.by_name, name=name).unique()
    if counter is not None and counter.value > 0:
        raise ApplicationError({"value": counter.value})
    return "calm"


@internal_query
def hidden(ctx: QueryCtx) -> str:
    return "not for clients"


@query
def quotes(ctx: QueryCtx, text: str) -> None:
    """Fail with what was given, as code does that quotes a request."""
    raise ValueError(f"quoting {text}")


@mutation
def prints(ctx: MutationCtx, text: str) -> None:
    """Print what was given."""
    print("printing", text, {"headers": text})
