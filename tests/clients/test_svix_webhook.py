"""A webhook, signed by svix's own signer: what is genuine is taken once, all else is refused.

genuine -> 204, written          sent again -> 204, written once
stale, tampered, unsigned, of another secret -> 400, nothing written
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from starlette.requests import Request
from starlette.responses import Response
from svix.webhooks import Webhook, WebhookVerificationError

from rewake import ActionCtx, Document, HttpRouter, Index, MutationCtx, QueryCtx, mutation, query
from rewake.testing import Backend

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Delivery(Document, table="deliveries"):
    message: str
    event: str
    by_message = Index("message")


@mutation
def take(ctx: MutationCtx, message: str, event: str) -> None:
    """Write a delivery down, once however often it is sent."""
    if ctx.db.query(Delivery).with_index(Delivery.by_message, message=message).first() is None:
        ctx.db.insert(Delivery(message=message, event=event))


@query
def events(ctx: QueryCtx) -> list[str]:
    return [delivery.event for delivery in ctx.db.query(Delivery).collect()]


router = HttpRouter()


@router.route("/webhooks/svix", methods=["POST"])
async def receive(ctx: ActionCtx, request: Request) -> Response:
    try:
        Webhook(SECRET).verify(await request.body(), dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=400)
    await ctx.run_mutation(take, message=request.headers["svix-id"], event=(await request.json())["type"])
    return Response(status_code=204)


@pytest.fixture
def backend() -> Iterator[Backend]:
    http = ModuleType("http")
    http.__dict__["http"] = router
    with Backend.from_modules(sys.modules[__name__], http) as opened:
        yield opened


def signed(
    body: str, *, secret: str = SECRET, message: str = "msg_1", age: timedelta = timedelta()
) -> dict[str, str]:
    moment = datetime.now(UTC) - age
    return {
        "svix-id": message,
        "svix-timestamp": str(int(moment.timestamp())),
        "svix-signature": Webhook(secret).sign(message, moment, body),
    }


BODY = json.dumps({"type": "invoice.paid", "amount": 5})


def send(backend: Backend, body: str, headers: dict[str, str]) -> int:
    return backend.fetch("/webhooks/svix", method="POST", content=body.encode(), headers=headers).status_code


def test_a_genuine_delivery_is_taken(backend: Backend) -> None:
    assert send(backend, BODY, signed(BODY)) == 204
    assert backend.query(events) == ["invoice.paid"]


def test_a_delivery_that_is_sent_again_is_taken_once(backend: Backend) -> None:
    headers = signed(BODY)
    assert [send(backend, BODY, headers) for _ in range(3)] == [204] * 3
    assert backend.query(events) == ["invoice.paid"]


# Made in the test, since a moment is stale some minutes after the tests were collected.
REFUSED: dict[str, Callable[[], tuple[str, dict[str, str]]]] = {
    "stale": lambda: (BODY, signed(BODY, age=timedelta(minutes=10))),
    "from the future": lambda: (BODY, signed(BODY, age=timedelta(minutes=-10))),
    "tampered": lambda: (BODY.replace("5", "6"), signed(BODY)),
    "another secret": lambda: (BODY, signed(BODY, secret=OTHER_SECRET)),
    "replayed under another id": lambda: (BODY, signed(BODY) | {"svix-id": "msg_2"}),
    "unsigned": lambda: (BODY, {}),
    "nonsense": lambda: (BODY, signed(BODY) | {"svix-signature": "v1,nonsense"}),
}


@pytest.mark.parametrize("why", REFUSED)
def test_anything_else_is_refused(backend: Backend, why: str) -> None:
    body, headers = REFUSED[why]()
    assert send(backend, body, headers) == 400
    assert backend.query(events) == []
