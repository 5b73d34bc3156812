"""Reading and writing messages, and taking them away.

A message may be sent with `disappear_after`: the mutation that writes it also schedules `disappear`, so
either both are there or neither.
"""

from rewake import (
    UNSET,
    ApplicationError,
    Id,
    MutationCtx,
    QueryCtx,
    Unset,
    internal_mutation,
    mutation,
    query,
)

from . import bot
from .schema import Channel, Message

BODY_LENGTH_MAX = 2000
SECONDS_MIN = 1
SECONDS_MAX = 86_400


@query
def list_recent(ctx: QueryCtx, channel: Id[Channel], limit: int = 50) -> list[Message]:
    """The latest messages of a channel, oldest first."""
    latest = ctx.db.query(Message).with_index(Message.by_channel, channel=channel).order("desc").take(limit)
    return latest[::-1]


@mutation
def send(
    ctx: MutationCtx, channel: Id[Channel], author: str, body: str, disappear_after: float | Unset = UNSET
) -> Id[Message]:
    """Write a message, for good or for `disappear_after` seconds. The bot answers those to "@bot"."""
    body = body.strip()
    if not body:
        raise ApplicationError({"code": "empty_message", "message": "Write something first."})
    if len(body) > BODY_LENGTH_MAX:
        raise ApplicationError({"code": "long_message", "message": f"At most {BODY_LENGTH_MAX} characters."})
    message = post(ctx, Message(channel=channel, author=author, body=body), disappear_after)
    if bot.is_asked(body):
        bot.begin(ctx, channel=channel, question=message)
    return message


@mutation
def remove(ctx: MutationCtx, message: Id[Message], author: str) -> None:
    """Take back a message of one's own. Nothing happens if it is gone already."""
    found = ctx.db.get(message)
    if found is None:
        return
    if found.author != author:
        raise ApplicationError({"code": "not_yours", "message": "Only who wrote a message can take it back."})
    if found.disappearing is not UNSET:
        ctx.scheduler.cancel(found.disappearing)
    take_away(ctx, found)


@internal_mutation
def disappear(ctx: MutationCtx, message: Id[Message]) -> None:
    """The time of a message is over."""
    found = ctx.db.get(message)
    if found is not None:
        take_away(ctx, found)


def post(ctx: MutationCtx, message: Message, disappear_after: float | Unset) -> Id[Message]:
    """Insert a message, and plan its end if it is to have one."""
    if disappear_after is not UNSET and not SECONDS_MIN <= disappear_after <= SECONDS_MAX:
        text = f"A message can disappear after {SECONDS_MIN} to {SECONDS_MAX} seconds."
        raise ApplicationError({"code": "bad_disappear_after", "message": text})
    if message.author.strip().casefold() == bot.NAME:
        text = f"The name {bot.NAME} is the bot's. Please take another."
        raise ApplicationError({"code": "name_taken", "message": text})
    if ctx.db.get(message.channel) is None:
        raise ApplicationError({"code": "no_channel", "message": "This channel is gone."})
    message_id = ctx.db.insert(message)
    if disappear_after is not UNSET:
        job = ctx.scheduler.run_after(disappear_after, disappear, message=message_id)
        ctx.db.patch(message_id, disappears_at=ctx.now + disappear_after * 1000, disappearing=Id(job))
    return message_id


def take_away(ctx: MutationCtx, message: Message) -> None:
    """Delete a message and what belongs to it: the file of a picture, the answer that it waits for."""
    if message.image is not UNSET and ctx.db.system.get(message.image) is not None:
        ctx.storage.delete(message.image)
    bot.forget(ctx, question=message.id)
    ctx.db.delete(message.id)
