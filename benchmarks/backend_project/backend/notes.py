"""Notes: inserted one by one and by the thousand, read by id, and as the latest of a channel."""

from rewake import Id, MutationCtx, QueryCtx, mutation, query

from .schema import Note

LATEST = 50


@mutation
def add(ctx: MutationCtx, channel: str, body: str) -> Id[Note]:
    """Insert one note."""
    return ctx.db.insert(Note(channel=channel, body=body))


@mutation
def add_considered(ctx: MutationCtx, channel: str, body: str) -> Id[Note]:
    """Insert one note after some milliseconds of thought: a mutation that keeps the writer busy."""
    sum(number % 7 for number in range(60_000))
    return ctx.db.insert(Note(channel=channel, body=body))


@mutation
def add_many(ctx: MutationCtx, first: int, count: int, channels: int, body: str) -> list[Id[Note]]:
    """Insert `count` notes, the one numbered n into channel n modulo `channels`."""
    return [
        ctx.db.insert(Note(channel=f"channel-{number % channels}", body=body))
        for number in range(first, first + count)
    ]


@query
def by_id(ctx: QueryCtx, id: Id[Note]) -> Note | None:
    """One note."""
    return ctx.db.get(id)


@query
def latest(ctx: QueryCtx, channel: str) -> list[Note]:
    """The latest notes of a channel, the newest first."""
    return ctx.db.query(Note).with_index(Note.by_channel, channel=channel).order("desc").take(LATEST)


@query
def count(ctx: QueryCtx, first: int, channels: int) -> int:
    """How many notes there are in `channels` channels, numbered from `first`."""
    return sum(
        len(ctx.db.query(Note).with_index(Note.by_channel, channel=f"channel-{number}").collect())
        for number in range(first, first + channels)
    )
