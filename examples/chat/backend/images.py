"""Pictures: a page asks for a URL, posts the file there, and sends a message that shows it."""

from typing import Literal

from rewake import ApplicationError, Id, MutationCtx, QueryCtx, mutation, query

from .schema import Channel, Message

BYTES_MAX = 5_000_000


@mutation
def upload_url(ctx: MutationCtx) -> str:
    """Where to post a picture."""
    return ctx.storage.generate_upload_url(max_bytes=BYTES_MAX)


@mutation
def send(ctx: MutationCtx, channel: Id[Channel], author: str, image: Id[Literal["_storage"]]) -> Id[Message]:
    """Write a message that is a picture."""
    file = ctx.db.system.get(image)
    if file is None or not file.get("contentType", "").startswith("image/"):
        raise ApplicationError({"code": "no_image", "message": "Only pictures can be sent."})
    if ctx.db.get(channel) is None:
        raise ApplicationError({"code": "no_channel", "message": "This channel is gone."})
    return ctx.db.insert(Message(channel=channel, author=author, body="", image=image))


@query
def url(ctx: QueryCtx, image: Id[Literal["_storage"]]) -> str | None:
    """Where a picture can be seen, or None where it is gone."""
    return ctx.storage.get_url(image)
