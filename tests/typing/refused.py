"""Mistakes that pyright (strict) and mypy (strict) find: each line marked `error`, and no other.

Read by `test_type_checkers.py`, never imported.
"""

from __future__ import annotations

from typing import Literal

from rewake.functions import (
    ActionCtx,
    BlockingActionCtx,
    Crons,
    MutationCtx,
    QueryCtx,
    action,
    mutation,
    query,
)
from rewake.schema import Document, Id, Index, gte, v
from rewake.testing import Backend
from rewake.values import UNSET, Int64, Unset


class Channel(Document, table="channels"):
    name: str


class User(Document, table="users"):
    name: str
    nickname: str | Unset = UNSET


class Message(Document, table="messages"):
    channel: Id[Channel]
    kind: Literal["text", "system"] = "text"
    by_channel = Index("channel")


class NoName(Document, table=5):  # error (pyright)
    name: str


def get(user: Id[User]) -> User: ...  # type: ignore[empty-body] # pyright: ignore


def use(message: Message, channel: Channel, user: User) -> None:
    get(message.channel)  # error
    get(channel.id)  # error
    get("a string")  # error
    get(user.id)
    Message(channel=user.id)  # error
    Message(channel=channel.id, kind="other")  # error
    Message(channel=channel.id, nonsense=1)  # error
    Message(channel.id)  # error
    Message()  # error
    User(name=5)  # error
    User(name="a", _id=user.id)  # error
    user.nickname.upper()  # error
    user.id = user.id  # error
    number: Int64 = 5  # error
    assert number
    Index(5)  # error
    gte(1) & 5  # error
    v.object({"a": str})  # error
    v.array("a")  # error
    text: str = user.id
    assert text


@query
def list_recent(ctx: QueryCtx, channel: Id[Channel]) -> list[Message]:
    return ctx.db.query(Message).with_index(Message.by_channel, channel=channel).collect()


@mutation
def open_channel(ctx: MutationCtx, name: str) -> Id[Channel]:
    return ctx.db.insert(Channel(name=name))


@query
def calls(ctx: QueryCtx, channel: Id[Channel]) -> None:
    ctx.with_limits(documents_written=9)  # error
    ctx.with_limits(documents_read=9).run_mutation(open_channel, name="x")  # error
    ctx.with_limits(documents_read="9")  # error
    ctx.at_begin_snapshot().run_query(list_recent, channel=5)  # error


def test(backend: Backend, user: User, channel: Channel) -> None:
    backend.query(list_recent, channel=user.id)  # error
    backend.query(list_recent)  # error
    backend.query(open_channel, name="x")  # error
    backend.mutation(list_recent, channel=channel.id)  # error
    backend.mutation(open_channel, name=5)  # error
    backend.watch(open_channel, name="x")  # error
    wrong: list[User] = backend.query(list_recent, channel=channel.id)  # error
    assert wrong


@action
async def act(ctx: ActionCtx, channel: Id[Channel]) -> int:
    await ctx.run_query(send_it, n=1)  # error
    await ctx.run_mutation(look, n=1)  # error
    await ctx.run_action(look, n=1)  # error
    await ctx.run_query(look, m=1)  # error
    await ctx.run_query(look, n="x")  # error
    await ctx.run_query(look)  # error
    await ctx.scheduler.run_after(0, look, n=1)  # error
    await ctx.scheduler.run_after("0", send_it, n=1)  # error
    await ctx.scheduler.run_after(0, send_it, n="x")  # error
    ctx.db.get(channel)  # error
    number: str = await ctx.run_query(look, n=1)  # error
    assert number
    return 1


@action
def act_blocking(ctx: BlockingActionCtx) -> None:
    ctx.run_mutation(look, n=1)  # error
    ctx.scheduler.run_at("soon", send_it, n=1)  # error
    ctx.scheduler.cancel(5)  # error


@query
def look(ctx: QueryCtx, n: int) -> int:
    ctx.scheduler.run_after(0, send_it, n=1)  # error
    ctx.run_action(act)  # error
    return n


@mutation
def send_it(ctx: MutationCtx, n: int) -> None:
    ctx.run_action(act)  # error
    ctx.scheduler.run_after(0, look, n=1)  # error
    ctx.scheduler.run_after(0, act, n=1)  # error


crons = Crons()
crons.interval("a").run(send_it, n=1)  # error
crons.interval("b", minutes=5, hours=1).run(send_it, n=1)  # error
crons.weekly("c", day_of_week="Monday", hour_utc=4).run(send_it, n=1)  # error
crons.hourly("d").run(look, n=1)  # error
crons.hourly("e").run(send_it, n="x")  # error
crons.hourly("f").run(send_it)  # error
crons.daily("g").run(send_it, n=1)  # error
