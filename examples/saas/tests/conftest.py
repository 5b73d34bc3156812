"""Deliveries to the backend, signed as the provider signs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from svix.webhooks import Webhook

from rewake.testing import Backend

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Deliver = Callable[..., int]


def signed(
    body: bytes, *, id: str = "msg_1", secret: str = SECRET, age: timedelta = timedelta()
) -> dict[str, str]:
    """The headers of a delivery."""
    moment = datetime.now(UTC) - age
    return {
        "svix-id": id,
        "svix-timestamp": str(int(moment.timestamp())),
        "svix-signature": Webhook(secret).sign(id, moment, body.decode()),
    }


@pytest.fixture
def backend(rewake_backend: Backend) -> Backend:
    """The backend, with the secret that it shares with the provider."""
    rewake_backend.env["CLERK_WEBHOOK_SECRET"] = SECRET
    return rewake_backend


@pytest.fixture
def sign() -> Callable[..., dict[str, str]]:
    """See `signed`."""
    return signed


@pytest.fixture
def deliver(backend: Backend) -> Deliver:
    """Deliver an event, or with `body` and `headers` whatever a test makes up; returns the status."""

    def send(event: Any = None, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
        content = json.dumps(event).encode() if body is None else body
        headers = signed(content) if headers is None else headers
        answer = backend.fetch("/webhooks/clerk", method="POST", content=content, headers=headers)
        assert answer.content == b"", "why it was refused is nobody's business"
        return answer.status_code

    return send
