"""What authors write in a schema, accepted by pyright (strict) and mypy (strict) as it stands.

Read by `test_type_checkers.py`, never imported.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, assert_type

from rewake.functions import (
    ActionCtx,
    BlockingActionCtx,
    Crons,
    MutationCtx,
    PaginationOptions,
    PaginationResult,
    Query,
    QueryCtx,
    action,
    internal_action,
    mutation,
    query,
)
from rewake.schema import (
    CommitTs,
    Document,
    Id,
    Index,
    Schema,
    SearchIndex,
    Validator,
    VObject,
    define_schema,
    define_table,
    field,
    gte,
    lt,
    v,
)
from rewake.testing import Backend, LiveQuery
from rewake.values import UNSET, Int64, Unset


class Tracked(Document):
    created_by: str = ""
    by_creator = Index("created_by")


class User(Document, table="users"):
    name: str
    external_id: str
    nickname: str | Unset = UNSET
    by_external_id = Index("external_id")


class Message(Tracked, table="messages", rename={"body": "text"}):
    channel: Id[Channel]
    author: Id[User]
    body: str
    kind: Literal["text", "system"] = "text"
    likes: int = 0
    serial: Int64 = Int64(0)
    sent: CommitTs | None = None
    tags: list[str] = field(default_factory=list[str])
    external: str = field(name="externalId", default="")
    by_channel = Index("channel")
    search_body = SearchIndex("body", filter_fields=["channel"])


class Channel(Document, table="channels"):
    name: str


def get(user: Id[User]) -> User:
    return User(name=user, external_id=user.upper())


def use(message: Message, channel: Channel) -> None:
    get(message.author)
    made = Message(channel=channel.id, author=message.author, body="x", kind="system", serial=Int64(5))
    assert_type(made.id, Id[Message])
    assert_type(made.author, Id[User])
    assert_type(made.creation_time, float)
    assert_type(made.kind, Literal["text", "system"])
    assert_type(Message.by_channel, Index)
    made.likes += 1
    nickname = get(message.author).nickname
    if nickname is not UNSET:
        nickname.upper()
    print(made.created_by, Message.by_creator.name)


def ranges(since: float, until: float) -> object:
    return Message.by_channel.bounds(channel="c", creation_time=gte(since) & lt(until))


def shared(document: Tracked) -> str:
    return document.created_by


def in_pages(ctx: QueryCtx, pagination_opts: PaginationOptions) -> PaginationResult[str]:
    found = ctx.db.query(Message).with_index(Message.by_channel, channel="c").paginate(pagination_opts)
    assert_type(found, PaginationResult[Message])
    assert_type(ctx.db.query("notes").paginate(pagination_opts), PaginationResult[dict[str, Any]])
    return found.with_page([message.body for message in found.page])


def filtered(ctx: QueryCtx, since: float) -> None:
    messages = ctx.db.query(Message)
    assert_type(messages.filter(lambda message: message.body != ""), Query[Message])
    assert_type(ctx.db.query(Message).filter(body="x", creation_time=gte(since)), Query[Message])
    assert_type(ctx.db.query("notes").filter({"a.b": 1}).collect(), list[dict[str, Any]])


def by_table(
    ctx: MutationCtx, id: Id[Message], others: list[Id[Message]], channel: Id[Channel], author: Id[User]
) -> None:
    assert_type(ctx.db.get(Message, id), Message | None)
    assert_type(ctx.db.get("messages", id), dict[str, Any] | None)
    assert_type(ctx.db.get_many(others), list[Message | None])
    assert_type(ctx.db.get_many(Message, others), list[Message | None])
    ctx.db.patch(Message, id, body="x")
    ctx.db.patch("messages", id, {"body": "x"})
    ctx.db.patch(id, body="x")
    ctx.db.replace(Message, id, {"body": "x"})
    ctx.db.delete(Message, id)
    assert_type(ctx.db.vars.commit_ts, Int64)
    ctx.db.insert(Message(channel=channel, author=author, body="x", sent=ctx.db.vars.commit_ts))
    ctx.db.patch(id, sent=ctx.db.vars.commit_ts)
    message = ctx.db.get(id)
    if message is not None and message.sent is not None:
        assert_type(message.sent // 10**6, Int64)
    assert_type(ctx.db.table(Message).get(id), Message | None)
    assert_type(ctx.db.table("messages").query().first(), dict[str, Any] | None)
    ctx.db.table(Message).patch(id, body="x")
    assert_type(ctx.db.system.query("_storage").collect(), list[dict[str, Any]])


notes: VObject = v.object({"body": v.string(), "count": v.optional(v.float64())})
table = define_table(notes.extend({"x": v.any()})).index("by_body", ["body"])
schema: Schema = define_schema({"notes": table})
everything: Schema = Schema.from_documents([User, Message, Channel], schema)
validator: Validator = everything.doc("messages")
document: Any = everything.table("notes").decode_document("{}")


@query
def list_recent(ctx: QueryCtx, channel: Id[Channel], limit: int = 50) -> list[Message]:
    return ctx.db.query(Message).with_index(Message.by_channel, channel=channel).take(limit)


@mutation
def open_channel(ctx: MutationCtx, name: str) -> Id[Channel]:
    return ctx.db.insert(Channel(name=name))


def name_of(ctx: MutationCtx) -> str:
    return "x"


@mutation
def calls(ctx: MutationCtx, channel: Id[Channel]) -> None:
    assert_type(ctx.run_query(list_recent, channel=channel), list[Message])
    assert_type(ctx.with_limits(documents_read=9).run_query(list_recent, channel=channel), list[Message])
    assert_type(ctx.with_limits(documents_written=9).run_mutation(open_channel, name="x"), Id[Channel])
    assert_type(ctx.at_begin_snapshot().run_query(list_recent, channel=channel), list[Message])
    assert_type(ctx.meta.get_deployment_metadata().region, str | None)


@action
async def act(ctx: ActionCtx, channel: Id[Channel]) -> int:
    assert_type(await ctx.run_query(list_recent, channel=channel), list[Message])
    assert_type(await ctx.run_mutation(open_channel, name="x"), Id[Channel])
    one, two = await asyncio.gather(
        ctx.run_action(act, channel=channel), ctx.run_action(act_blocking, channel=channel)
    )
    assert_type((one, two), tuple[int, str])
    assert_type(await ctx.scheduler.run_after(0, act_blocking, channel=channel), str)
    await ctx.scheduler.run_at(datetime.now(UTC), open_channel, name="x")
    return 1


@internal_action
def act_blocking(ctx: BlockingActionCtx, channel: Id[Channel]) -> str:
    assert_type(ctx.run_query(list_recent, channel=channel), list[Message])
    assert_type(ctx.run_mutation(open_channel, name="x"), Id[Channel])
    assert_type(ctx.run_action(act, channel=channel), int)
    assert_type(ctx.run_action("m:act", channel=channel), Any)
    ctx.scheduler.cancel(ctx.scheduler.run_after(timedelta(minutes=1), act, channel=channel))
    return "x"


@mutation
def plans(ctx: MutationCtx, channel: Id[Channel]) -> str:
    ctx.scheduler.run_after(0.5, "m:act", channel=channel)
    return ctx.scheduler.run_at(ctx.now + 1000, act, channel=channel)


crons = Crons()
crons.interval("a", minutes=5).run(open_channel, name="x")
crons.interval("b", timedelta(minutes=5)).run(act, channel=Id[Channel]("x"))
crons.hourly("c").run(act_blocking, channel=Id[Channel]("x"))
crons.daily("d", hour_utc=4, minute_utc=30).run("m:open_channel", name="x")
crons.weekly("e", day_of_week="monday", hour_utc=4).run(open_channel, name="x")
crons.monthly("f", day=31, hour_utc=4).run(open_channel, name="x")
crons.cron("g", "0 9 * * MON-FRI").run(open_channel, name="x")


def test_later(backend: Backend, channel: Id[Channel]) -> None:
    assert_type(backend.action(act, channel=channel), int)
    assert_type(backend.action(act_blocking, channel=channel), str)
    assert_type(backend.scheduled()[0].at, datetime)
    assert_type(backend.finish_scheduled(at_most=9), int)


def test(backend: Backend) -> None:
    channel = backend.mutation(open_channel, name="x")
    assert_type(channel, Id[Channel])
    assert_type(backend.query(list_recent, channel=channel), list[Message])
    backend.as_user("ann", email="a@x.test").query(list_recent, channel=channel, limit=1)
    anything: Any = backend.query("messages:list_recent", channel=channel)
    print(anything)
    with backend.watch(list_recent, channel=channel) as live:
        assert_type(live, LiveQuery[list[Message]])
        assert_type(live.value, list[Message])
    with backend.run() as ctx:
        assert_type(ctx.db.insert(Channel(name="y")), Id[Channel])
    assert_type(backend.run(lambda ctx: ctx.db.get(channel)), Channel | None)
    assert_type(backend.run(name_of), str)
    assert_type(backend.query(lambda ctx: ctx.db.get(channel)), Channel | None)
    assert_type(backend.mutation(name_of), str)


class DraftNext(Document):
    title: str


class Draft(Document, table="drafts", staged=DraftNext):
    title: str | None
