"""The door for the provider: what is genuine and known is taken, all else is refused without a word.

genuine -> 200, taken            sent again -> 200, nothing new, nobody woken
unknown event -> 200, logged     known event of another shape -> 400, logged
stale, early, tampered, replayed under another id, unsigned, foreign, nonsense, no secret -> 400
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from backend import users
from backend.http import BODY_BYTES_MAX
from backend.schema import DeletedUser, PaymentAttempt, User
from provider import events
from provider.accounts import Account

from rewake.testing import Backend

ADA = Account("Ada", "Lovelace")
BODY = json.dumps(events.user_saved("user.created", ADA)).encode()
LONG = BODY + b" " * BODY_BYTES_MAX
FOREIGN = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

Sign = Callable[..., dict[str, str]]

REFUSED: dict[str, Callable[[Sign], tuple[bytes, dict[str, str]]]] = {
    "stale": lambda sign: (BODY, sign(BODY, age=timedelta(minutes=6))),
    "early": lambda sign: (BODY, sign(BODY, age=timedelta(minutes=-6))),
    "tampered": lambda sign: (BODY.replace(b"Ada", b"Eve"), sign(BODY)),
    "shortened": lambda sign: (b"", sign(BODY)),
    "replayed under another id": lambda sign: (BODY, sign(BODY) | {"svix-id": "msg_2"}),
    "replayed at another time": lambda sign: (BODY, sign(BODY) | {"svix-timestamp": "1700000000"}),
    "foreign": lambda sign: (BODY, sign(BODY, secret=FOREIGN)),
    "unsigned": lambda sign: (BODY, {}),
    "without an id": lambda sign: (BODY, sign(BODY) | {"svix-id": ""}),
    "a signature without a version": lambda sign: (BODY, sign(BODY) | {"svix-signature": "nonsense"}),
    "a signature that is no base64": lambda sign: (BODY, sign(BODY) | {"svix-signature": "v1,a"}),
    "a time that is none": lambda sign: (BODY, sign(BODY) | {"svix-timestamp": "nan"}),
    "too long": lambda sign: (LONG, sign(LONG)),
    "a body that is no text": lambda sign: (b"\xff", sign(BODY)),
}


def documents(backend: Backend) -> int:
    tables = (User, DeletedUser, PaymentAttempt)
    return backend.run(lambda ctx: sum(len(ctx.db.query(table).collect()) for table in tables))


def test_a_genuine_event_is_taken(backend: Backend, deliver: Callable[..., int]) -> None:
    assert deliver(body=BODY) == 200
    with backend.run() as ctx:
        (user,) = ctx.db.query(User).collect()
    assert (user.external_id, user.name, user.email) == (ADA.id, "Ada Lovelace", "ada@example.com")


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_genuine_is_refused(
    backend: Backend, deliver: Callable[..., int], sign: Sign, why: str
) -> None:
    body, headers = REFUSED[why](sign)
    assert deliver(body=body, headers=headers) == 400
    assert documents(backend) == 0


@pytest.mark.parametrize("secret", [None, "", "whsec_", "whsec_a", "whsec_%"])
def test_without_a_secret_everything_is_refused(
    backend: Backend,
    deliver: Callable[..., int],
    caplog: pytest.LogCaptureFixture,
    secret: str | None,
) -> None:
    if secret is None:
        del backend.env["CLERK_WEBHOOK_SECRET"]
    else:
        backend.env["CLERK_WEBHOOK_SECRET"] = secret
    assert deliver(body=BODY) == 400
    assert "CLERK_WEBHOOK_SECRET" in caplog.text
    assert documents(backend) == 0


def test_what_is_sent_again_changes_nothing_and_wakes_nobody(
    backend: Backend, deliver: Callable[..., int], sign: Sign
) -> None:
    headers = sign(BODY)
    assert deliver(body=BODY, headers=headers) == 200
    with backend.as_user(ADA.id).watch(users.current) as live:
        before = live.value
        # The same bytes, as somebody who listened would send them; and a second try of the provider.
        assert deliver(body=BODY, headers=headers) == 200
        assert deliver(body=BODY, headers=sign(BODY, age=timedelta(seconds=-1))) == 200
        assert live.value == before
        assert live.wakes == 0
    assert documents(backend) == 1


def test_an_event_that_nobody_waits_for_is_answered_and_left(
    backend: Backend, deliver: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert deliver(events.event("session.created", {"id": "sess_1"})) == 200
    assert "session.created" in caplog.text
    assert documents(backend) == 0


MISSHAPEN: dict[str, Any] = {
    "no object": [],
    "no type": {"data": {}},
    "no data": {"type": "user.created"},
    "a user without an id": {"type": "user.created", "data": {"email_addresses": [], "updated_at": 1}},
    "a payment of an unknown status": events.event(
        "paymentAttempt.updated", events.payment_pending(ADA, events.PLANS["team"]) | {"status": "lost"}
    ),
    "an amount that is no number": events.event(
        "paymentAttempt.updated",
        events.payment_pending(ADA, events.PLANS["team"]) | {"totals": {"grand_total": {"amount": "9"}}},
    ),
}


@pytest.mark.parametrize("what", MISSHAPEN)
def test_a_genuine_event_of_another_shape_is_refused_so_that_it_comes_again(
    backend: Backend, deliver: Callable[..., int], caplog: pytest.LogCaptureFixture, what: str
) -> None:
    assert deliver(MISSHAPEN[what]) == 400
    assert "not what we expect" in caplog.text
    assert documents(backend) == 0


def test_a_genuine_body_that_is_no_json_is_refused(backend: Backend, deliver: Callable[..., int]) -> None:
    assert deliver(body=b"{") == 400


def test_only_posts_to_the_one_address_are_answered(backend: Backend) -> None:
    assert backend.fetch("/webhooks/clerk").status_code == 404
    assert backend.fetch("/webhooks/other", method="POST").status_code == 404


def test_clients_cannot_call_what_webhooks_call(backend: Backend) -> None:
    with pytest.raises(Exception, match="Could not find public function"):
        backend.as_user("ada").mutation("webhooks:take", event={"type": "user.deleted", "data": {"id": "x"}})
