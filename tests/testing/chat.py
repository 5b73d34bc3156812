"""A small application for the tests of `rewake.testing`: it is called, watched, and made to fail."""

from __future__ import annotations

from rewake import (
    ActionCtx,
    ApplicationError,
    BlockingActionCtx,
    Document,
    Id,
    Index,
    MutationCtx,
    QueryCtx,
    action,
    internal_action,
    internal_mutation,
    internal_query,
    mutation,
    query,
)


class Channel(Document, table="channels"):
    name: str
    by_name = Index("name")


class Message(Document, table="messages"):
    channel: Id[Channel]
    body: str
    author: str | None = None
    at: float = 0.0
    by_channel = Index("channel")


@mutation
def open_channel(ctx: MutationCtx, name: str) -> Id[Channel]:
    return ctx.db.insert(Channel(name=name))


@mutation
def send(ctx: MutationCtx, channel: Id[Channel], body: str) -> Id[Message]:
    if not body:
        raise ApplicationError({"code": "empty"})
    identity = ctx.auth.get_user_identity()
    author = identity.subject if identity is not None else None
    print("sending", body)
    return ctx.db.insert(Message(channel=channel, body=body, author=author, at=ctx.now))


@mutation
def stumble(ctx: MutationCtx, channel: Id[Channel]) -> None:
    ctx.db.insert(Message(channel=channel, body="never kept"))
    raise ZeroDivisionError("stumbled")


@query
def list_recent(ctx: QueryCtx, channel: Id[Channel], limit: int = 10) -> list[Message]:
    found = ctx.db.query(Message).with_index(Message.by_channel, channel=channel).order("desc").take(limit)
    return found[::-1]


@query
def first_body(ctx: QueryCtx, channel: Id[Channel]) -> str:
    message = ctx.db.query(Message).with_index(Message.by_channel, channel=channel).first()
    if message is None:
        raise ApplicationError("nothing yet")
    return message.body


@query
def who_am_i(ctx: QueryCtx) -> dict[str, object] | None:
    identity = ctx.auth.get_user_identity()
    return dict(identity.attributes) if identity is not None else None


@query
def now(ctx: QueryCtx) -> float:
    return ctx.now


@query
def dice(ctx: QueryCtx) -> list[int]:
    return [ctx.random.randrange(1000) for _ in range(5)]


@internal_query
def count(ctx: QueryCtx) -> int:
    return len(ctx.db.query(Message).collect())


@internal_mutation
def clear(ctx: MutationCtx) -> int:
    messages = ctx.db.query(Message).collect()
    for message in messages:
        ctx.db.delete(message.id)
    return len(messages)


@action
async def echo(ctx: ActionCtx, channel: Id[Channel], body: str) -> list[Message]:
    print("echoing", body)
    await ctx.run_mutation(send, channel=channel, body=body)
    return await ctx.run_query(list_recent, channel=channel)


@internal_action
def echo_blocking(ctx: BlockingActionCtx, channel: Id[Channel], body: str) -> Id[Message]:
    ctx.run_mutation(send, channel=channel, body=body)
    raise ZeroDivisionError("after the mutation")
