"""The door for the provider: `POST /webhooks/clerk`, signed by svix.

    who signed is not the provider, or too long ago    400, and nothing is told about why
    an event that we do not know                       200, so that it is not sent again
    an event that we know, in a shape that we do not   400, so that it is sent again after a fix
    else                                               200, and our documents say what the event says

The library refuses what is older than five minutes. What is sent again within these is harmless: see
`webhooks.take`.
"""

import logging

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from svix.webhooks import Webhook, WebhookVerificationError

from rewake import ActionCtx, HttpRouter

from .webhook_events import EVENTS, Event
from .webhooks import take

logger = logging.getLogger(__name__)
http = HttpRouter()


class _Head(msgspec.Struct):
    type: str


@http.route("/webhooks/clerk", methods=["POST"])
async def receive(ctx: ActionCtx, request: Request) -> Response:
    """Take one event."""
    body = await request.body()
    if not _is_genuine(body, dict(request.headers), secret=ctx.env.get("CLERK_WEBHOOK_SECRET")):
        return Response(status_code=400)
    try:
        event = _read(body)
    except msgspec.MsgspecError as error:
        logger.error("An event of the provider is not what we expect: %s", error)
        return Response(status_code=400)
    if event is not None:
        await ctx.run_mutation(take, event=event)
    return Response(status_code=200)


def _is_genuine(body: bytes, headers: dict[str, str], *, secret: str | None) -> bool:
    if not secret:
        logger.error("CLERK_WEBHOOK_SECRET is not set, so no event can be taken.")
        return False
    try:
        Webhook(secret).verify(body, headers)
    except (WebhookVerificationError, ValueError):  # A header or a body that is no text is a ValueError.
        return False
    return True


def _read(body: bytes) -> Event | None:
    """The event, or None if it is none of ours."""
    name = msgspec.json.decode(body, type=_Head).type
    if name not in EVENTS:
        logger.info("An event that nobody waits for: %s", name)
        return None
    return msgspec.json.decode(body, type=EVENTS[name])
