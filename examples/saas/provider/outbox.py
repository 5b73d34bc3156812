"""Sending webhooks: one after the other, signed by svix as Clerk's are, and again if you say so."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from svix.webhooks import Webhook

SEND_SECONDS_MAX = 10.0


@dataclass
class Delivery:
    """One message and how it went. It keeps its id and its body however often it is sent."""

    type: str
    body: str
    id: str = field(default_factory=lambda: f"msg_{secrets.token_hex(12)}")
    outcome: str = "waiting"
    """A status code or an error, once it was sent."""


class Outbox:
    """Messages in the order in which they came to be. While it is held, they wait."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.is_held = False
        self.deliveries: list[Delivery] = []
        self._signer = Webhook(secret)
        self._turn = asyncio.Lock()

    async def post(self, event: dict[str, Any]) -> Delivery:
        """Send a message, or keep it while the outbox is held."""
        delivery = Delivery(event["type"], json.dumps(event))
        self.deliveries.append(delivery)
        if not self.is_held:
            await self.send(delivery)
        return delivery

    async def release(self) -> None:
        """Send what waits, in order, and hold nothing from now on."""
        self.is_held = False
        for delivery in list(self.deliveries):
            if delivery.outcome == "waiting":
                await self.send(delivery)

    async def send(self, delivery: Delivery) -> None:
        """Send a message now, for the first time or again."""
        async with self._turn, httpx.AsyncClient(timeout=SEND_SECONDS_MAX, trust_env=False) as client:
            headers = self._signed(delivery) | {"content-type": "application/json"}
            try:
                answer = await client.post(self.url, content=delivery.body, headers=headers)
            except httpx.HTTPError as error:
                delivery.outcome = type(error).__name__
            else:
                delivery.outcome = str(answer.status_code)

    def find(self, id: str) -> Delivery | None:
        """The message of this id."""
        return next((each for each in self.deliveries if each.id == id), None)

    def _signed(self, delivery: Delivery) -> dict[str, str]:
        moment = datetime.now(UTC)
        return {
            "svix-id": delivery.id,
            "svix-timestamp": str(int(moment.timestamp())),
            "svix-signature": self._signer.sign(delivery.id, moment, delivery.body),
        }
