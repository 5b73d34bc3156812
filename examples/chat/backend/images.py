"""Pictures: a page asks for a URL, posts the file there, and sends a message that shows it."""

from typing import Literal

from rewake import UNSET, ApplicationError, Id, MutationCtx, QueryCtx, Unset, mutation, query

from . import messages
from .schema import Channel, Message

BYTES_MAX = 5_000_000


@mutation
def upload_url(ctx: MutationCtx) -> str:
    """Where to post a picture."""
    return ctx.storage.generate_upload_url(max_bytes=BYTES_MAX)


@mutation
def send(
    ctx: MutationCtx,
    channel: Id[Channel],
    author: str,
    image: Id[Literal["_storage"]],
    disappear_after: float | Unset = UNSET,
) -> Id[Message]:
    """Write a message that is a picture. When it disappears, the file goes too."""
    file = ctx.db.system.get(image)
    if file is None or not file.get("contentType", "").startswith("image/"):
        raise ApplicationError({"code": "no_image", "message": "Only pictures can be sent."})
    # Otherwise anybody could make somebody else's picture disappear.
    if ctx.db.query(Message).with_index(Message.by_image, image=image).first() is not None:
        raise ApplicationError({"code": "image_taken", "message": "Another message shows this picture."})
    return messages.post(ctx, Message(channel=channel, author=author, body="", image=image), disappear_after)


@query
def url(ctx: QueryCtx, image: Id[Literal["_storage"]]) -> str | None:
    """Where a picture can be seen, or None where it is gone."""
    return ctx.storage.get_url(image)
