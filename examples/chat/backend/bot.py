"""The bot: it answers messages that begin with "@bot".

    messages.send -> begin     a `Typing` document, the action `answer` now, the mutation `give_up` later
    answer                     asks the channel what was said, then the service or its own wits
    reply                      the answer, and the end of the typing, in one transaction

An action may die half way, with its process or its machine, and is not tried again. So the typing ends with
`reply` or with `give_up`, whichever comes first; the other finds no document and says nothing.

It answers by itself (`bot_commands.py`) unless the environment variable BOT_URL names a service
(`bot_service.py`). Set variables with `rewake env set`: BOT_URL, BOT_KEY, BOT_MODEL.
"""

from datetime import UTC, datetime
from random import Random

from rewake import (
    UNSET,
    ActionCtx,
    Id,
    MutationCtx,
    QueryCtx,
    internal_action,
    internal_mutation,
    internal_query,
    lte,
    query,
)

from . import bot_commands, bot_service
from .schema import Channel, Message, Typing

NAME = "bot"
LINES_MAX = 50
REPLY_LENGTH_MAX = 4000
GIVE_UP_SECONDS = bot_service.SECONDS_MAX + 15
GAVE_UP = "Sorry, something went wrong and I have no answer. Please ask again."


def is_asked(body: str) -> bool:
    """Whether a message is for the bot."""
    return body.lower().split(maxsplit=1)[:1] in (["@bot"], ["@bot,"], ["@bot:"])


def begin(ctx: MutationCtx, *, channel: Id[Channel], question: Id[Message]) -> None:
    """Have the bot answer a message once this mutation has committed."""
    ctx.scheduler.run_after(0, answer, question=question)
    clean_up = ctx.scheduler.run_after(GIVE_UP_SECONDS, give_up, question=question)
    ctx.db.insert(Typing(channel=channel, question=question, clean_up=Id(clean_up)))


def forget(ctx: MutationCtx, *, question: Id[Message]) -> Typing | None:
    """Wait no longer for an answer, if anybody does; an answer that comes all the same is dropped."""
    typing = _stop_typing(ctx, question)
    if typing is not None:
        ctx.scheduler.cancel(typing.clean_up)
    return typing


@query
def is_typing(ctx: QueryCtx, channel: Id[Channel]) -> bool:
    """Whether somebody waits for the bot in this channel."""
    return ctx.db.query(Typing).with_index(Typing.by_channel, channel=channel).first() is not None


@internal_query
def lines_to_answer(ctx: QueryCtx, question: Id[Message]) -> list[Message]:
    """What was said up to the question, which is the last; nothing if nobody waits for an answer any more.

    Messages that disappear are not told: an answer could repeat them and stay.
    """
    asked = ctx.db.get(question)
    if asked is None or _typing(ctx, question) is None:
        return []
    said = ctx.db.query(Message).with_index(
        Message.by_channel, channel=asked.channel, creation_time=lte(asked.creation_time)
    )
    latest = said.order("desc").take(LINES_MAX)
    before = [each for each in latest if each.id != question and each.disappears_at is UNSET]
    return [*before[::-1], asked]


@internal_action
async def answer(ctx: ActionCtx, question: Id[Message]) -> None:
    """Find an answer and post it."""
    lines = await ctx.run_query(lines_to_answer, question=question)
    if not lines:
        return
    if url := ctx.env.get("BOT_URL"):
        service = bot_service.Service(url, key=ctx.env.get("BOT_KEY"), model=ctx.env.get("BOT_MODEL"))
        try:
            text = await bot_service.ask(service, lines, bot=NAME)
        except bot_service.ServiceFailed as failure:
            text = f"Sorry, I have no answer: {failure}"
    else:
        text = bot_commands.answer(lines, bot=NAME, now=datetime.now(UTC), chance=Random())
    await ctx.run_mutation(reply, question=question, text=text)


@internal_mutation
def reply(ctx: MutationCtx, question: Id[Message], text: str) -> None:
    """Post the answer, unless it comes too late."""
    typing = forget(ctx, question=question)
    if typing is not None:
        _say(ctx, typing.channel, text)


@internal_mutation
def give_up(ctx: MutationCtx, question: Id[Message]) -> None:
    """Say that there is no answer, unless there was one."""
    typing = _stop_typing(ctx, question)
    if typing is not None:
        _say(ctx, typing.channel, GAVE_UP)


def _say(ctx: MutationCtx, channel: Id[Channel], text: str) -> None:
    body = text if len(text) <= REPLY_LENGTH_MAX else text[: REPLY_LENGTH_MAX - 1] + "…"
    ctx.db.insert(Message(channel=channel, author=NAME, body=body))


def _stop_typing(ctx: MutationCtx, question: Id[Message]) -> Typing | None:
    typing = _typing(ctx, question)
    if typing is not None:
        ctx.db.delete(typing.id)
    return typing


def _typing(ctx: QueryCtx, question: Id[Message]) -> Typing | None:
    return ctx.db.query(Typing).with_index(Typing.by_question, question=question).unique()
