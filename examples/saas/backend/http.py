"""The door for the provider: `POST /webhooks/clerk`, signed by svix.

    too long, not signed by the provider, or long ago    400, and nothing is told about why
    an event that we do not know                         200, so that it is not sent again
    an event that we know, in a shape that we do not     400, so that it is sent again after a fix
    else                                                 200, and our documents say what the event says

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


BODY_BYTES_MAX = 1_000_000
"""Many times what an event takes; strangers may send anything."""


class _Head(msgspec.Struct):
    type: str


@http.route("/webhooks/clerk", methods=["POST"])
async def receive(ctx: ActionCtx, request: Request) -> Response:
    """Take one event."""
    body = await _body(request)
    if body is None or not _is_genuine(
        body, dict(request.headers), secret=ctx.env.get("CLERK_WEBHOOK_SECRET")
    ):
        return Response(status_code=400)
    try:
        event = _read(body)
    except msgspec.MsgspecError as error:
        logger.error("An event of the provider is not what we expect: %s", error)
        return Response(status_code=400)
    if event is not None:
        await ctx.run_mutation(take, event=event)
    return Response(status_code=200)


async def _body(request: Request) -> bytes | None:
    """The body, or None if it is too long."""
    body = bytearray()
    async for portion in request.stream():
        body += portion
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _is_genuine(body: bytes, headers: dict[str, str], *, secret: str | None) -> bool:
    if not secret:
        logger.error("CLERK_WEBHOOK_SECRET is not set, so no event can be taken.")
        return False
    try:
        signer = Webhook(secret)
    except Exception as error:  # The library has several ways to say it; none may reach who asks.
        logger.error("CLERK_WEBHOOK_SECRET is no secret of a webhook: %s", error)
        return False
    try:
        signer.verify(body, headers)
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
