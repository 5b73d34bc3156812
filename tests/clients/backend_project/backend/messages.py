"""A list that several clients write to."""

from rewake import Id, MutationCtx, QueryCtx, mutation, query

from .schema import Message


@query
def list_all(ctx: QueryCtx) -> list[Message]:
    return ctx.db.query(Message).collect()


@mutation
def send(ctx: MutationCtx, author: str, body: str) -> Id[Message]:
    return ctx.db.insert(Message(author=author, body=body))
