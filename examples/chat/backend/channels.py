"""Listing and opening channels."""

from rewake import ApplicationError, Id, MutationCtx, QueryCtx, mutation, query

from .schema import Channel

NAME_LENGTH_MAX = 40


@query
def list_all(ctx: QueryCtx) -> list[Channel]:
    """Every channel, by name."""
    return ctx.db.query(Channel).with_index(Channel.by_name).collect()


@mutation
def open(ctx: MutationCtx, name: str) -> Id[Channel]:
    """The channel of this name; made now if nobody has made it before."""
    name = "-".join(name.lower().split())
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        raise ApplicationError({"code": "bad_name", "message": f"1 to {NAME_LENGTH_MAX} characters, please."})
    channel = ctx.db.query(Channel).with_index(Channel.by_name, name=name).unique()
    return channel.id if channel else ctx.db.insert(Channel(name=name))
