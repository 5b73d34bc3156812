"""Messages, in the ways in which pages ask for them."""

from __future__ import annotations

from typing import Literal

from rewake import (
    ActionCtx,
    Id,
    MutationCtx,
    PaginationOptions,
    PaginationResult,
    QueryCtx,
    action,
    internal_mutation,
    internal_query,
    mutation,
    query,
)

from .schema import Message, User


@query
def list_recent(ctx: QueryCtx, author: Id[User] | None = None, limit: int = 50) -> list[Message]:
    """The latest messages, newest first.

    With `author` only those of one person. At most `limit`; a glob such as src/**/*.py ends no comment.
    """
    messages = ctx.db.query(Message)
    if author is None:
        return messages.order("desc").take(limit)
    return messages.with_index(Message.by_author, author=author).order("desc").take(limit)


@query
def list_page(
    ctx: QueryCtx, author: Id[User], pagination_opts: PaginationOptions
) -> PaginationResult[Message]:
    """Messages of one person, page by page."""
    return ctx.db.query(Message).with_index(Message.by_author, author=author).paginate(pagination_opts)


@query
def get(ctx: QueryCtx, message_id: Id[Message]) -> Message | None:
    return ctx.db.get(message_id)


@query
def count(ctx: QueryCtx) -> int:
    return len(ctx.db.query(Message).collect())


@mutation
def send(
    ctx: MutationCtx, author: Id[User], body: str, kind: Literal["text", "system"] = "text"
) -> Id[Message]:
    """Say something."""
    return ctx.db.insert(Message(author=author, body=body, kind=kind))


@mutation
def clear(ctx: MutationCtx) -> None:
    for message in ctx.db.query(Message).collect():
        ctx.db.delete(message.id)


@action
async def translate(ctx: ActionCtx, message_id: Id[Message], language: str) -> str | None:
    found = await ctx.run_query(raw, message_id=message_id)
    return None if found is None else f"{found.body} ({language})"


@internal_query
def raw(ctx: QueryCtx, message_id: Id[Message]) -> Message | None:
    return ctx.db.get(message_id)


@internal_mutation
def purge(ctx: MutationCtx, author: Id[User]) -> int:
    """Forget what somebody said."""
    found = ctx.db.query(Message).with_index(Message.by_author, author=author).collect()
    for message in found:
        ctx.db.delete(message.id)
    return len(found)
