"""Who is here.

A query may not look at a moving clock: nothing would wake it when time has passed. So time is kept by
those who are here. Every window says so now and then, and while at it clears away the windows that have
gone quiet. Whoever looks at a list is also beating, so the list is never older than one heartbeat.
"""

from rewake import Id, MutationCtx, QueryCtx, lt, mutation, query

from .schema import Channel, Heartbeat, Presence

QUIET_MS = 75_000
"""Browsers let the timers of a hidden window run once a minute, and such a window is still here."""

CLEARED_MAX = 100


@query
def who_is_here(ctx: QueryCtx, channel: Id[Channel]) -> list[Presence]:
    """The windows that show this channel, by name."""
    return ctx.db.query(Presence).with_index(Presence.by_channel, channel=channel).collect()


@mutation
def heartbeat(ctx: MutationCtx, channel: Id[Channel], client: str, name: str) -> None:
    """Say that window `client`, with `name` before it, shows `channel` now."""
    presence = _find(ctx, client)
    if presence is None:
        presence_id = ctx.db.insert(Presence(channel=channel, client=client, name=name))
        ctx.db.insert(Heartbeat(presence=presence_id, last_seen=ctx.now))
    else:
        ctx.db.patch(presence.id, channel=channel, name=name)  # writes, and wakes, only if it differs
        beat = ctx.db.query(Heartbeat).with_index(Heartbeat.by_presence, presence=presence.id).unique()
        if beat is not None:
            ctx.db.patch(beat.id, last_seen=ctx.now)
    quiet = ctx.db.query(Heartbeat).with_index(Heartbeat.by_last_seen, last_seen=lt(ctx.now - QUIET_MS))
    for beat in quiet.take(CLEARED_MAX):
        ctx.db.delete(beat.presence)
        ctx.db.delete(beat.id)


@mutation
def leave(ctx: MutationCtx, client: str) -> None:
    """Say that window `client` is closing. Nothing happens if it is not known."""
    presence = _find(ctx, client)
    if presence is not None:
        beat = ctx.db.query(Heartbeat).with_index(Heartbeat.by_presence, presence=presence.id).unique()
        if beat is not None:
            ctx.db.delete(beat.id)
        ctx.db.delete(presence.id)


def _find(ctx: MutationCtx, client: str) -> Presence | None:
    return ctx.db.query(Presence).with_index(Presence.by_client, client=client).unique()
