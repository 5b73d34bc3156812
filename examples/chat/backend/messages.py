"""Reading and writing messages."""

from rewake import ApplicationError, Id, MutationCtx, QueryCtx, mutation, query

from .schema import Channel, Message

BODY_LENGTH_MAX = 2000


@query
def list_recent(ctx: QueryCtx, channel: Id[Channel], limit: int = 50) -> list[Message]:
    """The latest messages of a channel, oldest first."""
    latest = ctx.db.query(Message).with_index(Message.by_channel, channel=channel).order("desc").take(limit)
    return latest[::-1]


@mutation
def send(ctx: MutationCtx, channel: Id[Channel], author: str, body: str) -> Id[Message]:
    """Write a message into a channel."""
    body = body.strip()
    if not body:
        raise ApplicationError({"code": "empty_message", "message": "Write something first."})
    if len(body) > BODY_LENGTH_MAX:
        raise ApplicationError({"code": "long_message", "message": f"At most {BODY_LENGTH_MAX} characters."})
    if ctx.db.get(channel) is None:
        raise ApplicationError({"code": "no_channel", "message": "This channel is gone."})
    return ctx.db.insert(Message(channel=channel, author=author, body=body))
