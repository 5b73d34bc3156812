"""One-document inserts."""

from rewake import Id, MutationCtx, mutation

from .schema import Note


@mutation
def add(ctx: MutationCtx, channel: str, body: str) -> Id[Note]:
    """Insert one note."""
    return ctx.db.insert(Note(channel=channel, body=body))
