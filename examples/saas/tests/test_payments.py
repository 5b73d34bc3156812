"""Payments come by webhooks, are shown to who paid, and outlive their payer's account."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from backend import payments
from backend.schema import Card, Failure, PaymentAttempt
from provider import events
from provider.accounts import Account

from rewake import ApplicationError, PaginationOptions
from rewake.testing import Backend

ADA, EVE = Account("Ada", "Lovelace"), Account("Eve", "")
TEAM = events.PLANS["team"]

Deliver = Callable[..., int]


@pytest.fixture(autouse=True)
def known(deliver: Deliver) -> None:
    for account in (ADA, EVE):
        assert deliver(events.user_saved("user.created", account)) == 200


def pay(deliver: Deliver, account: Account, *, billed_at: int) -> None:
    pending = events.payment_pending(account, TEAM, billed_at=billed_at)
    assert deliver(events.event("paymentAttempt.updated", events.payment_paid(pending))) == 200


def mine(backend: Backend, account: Account, *, count: int = 10, cursor: str | None = None) -> list[int]:
    page = PaginationOptions(num_items=count, cursor=cursor)
    found = backend.as_user(account.id).query(payments.mine, pagination_opts=page)
    return [payment.billed_at for payment in found.page]


def stored(backend: Backend) -> list[PaymentAttempt]:
    return backend.run(lambda ctx: ctx.db.query(PaymentAttempt).collect())


def test_a_payment_is_pending_and_then_paid(backend: Backend, deliver: Deliver) -> None:
    pending = events.payment_pending(ADA, TEAM)
    with backend.as_user(ADA.id).watch(payments.summary) as live:
        deliver(events.event("paymentAttempt.created", pending))
        assert (live.value.pending, live.value.paid, live.value.latest) == (1, {}, None)
        deliver(events.event("paymentAttempt.updated", events.payment_paid(pending)))
        assert (live.value.pending, live.value.paid) == (0, {"USD": 2900})
        assert live.value.latest is not None
        assert live.value.latest.plan == "Team"
    (payment,) = stored(backend)
    assert payment.payer.name == "Ada Lovelace"
    assert payment.card == Card("visa", "4242")
    assert payment.total.text == "$29.00"
    assert payment.settled_at is not None


def test_a_payment_that_fails_says_why(backend: Backend, deliver: Deliver) -> None:
    pending = events.payment_pending(ADA, TEAM)
    deliver(events.event("paymentAttempt.updated", events.payment_failed(pending)))
    # Late, and older than what is known.
    assert deliver(events.event("paymentAttempt.created", pending)) == 200
    (payment,) = stored(backend)
    assert (payment.status, payment.failure) == ("failed", Failure("card_declined", "insufficient_funds"))
    summary = backend.as_user(ADA.id).query(payments.summary)
    assert (summary.attempts, summary.failed, summary.paid, summary.latest) == (1, 1, {}, None)


def test_each_sees_their_own_payments_latest_first_in_pages(backend: Backend, deliver: Deliver) -> None:
    for moment in (3_000, 1_000, 2_000, 5_000, 4_000):
        pay(deliver, ADA, billed_at=moment)
    pay(deliver, EVE, billed_at=9_000)
    assert mine(backend, ADA) == [5_000, 4_000, 3_000, 2_000, 1_000]
    assert mine(backend, EVE) == [9_000]
    first = backend.as_user(ADA.id).query(
        payments.mine, pagination_opts=PaginationOptions(num_items=3, cursor=None)
    )
    assert not first.is_done
    assert mine(backend, ADA, cursor=first.continue_cursor) == [2_000, 1_000]
    # The cursor of one is worth nothing to another.
    with pytest.raises(ApplicationError, match="InvalidCursor"):
        mine(backend, EVE, cursor=first.continue_cursor)


def test_a_payment_of_one_does_not_wake_the_other(backend: Backend, deliver: Deliver) -> None:
    with backend.as_user(EVE.id).watch(payments.summary) as live:
        pay(deliver, ADA, billed_at=1_000)
        assert live.wakes == 0
        pay(deliver, EVE, billed_at=1_000)
        assert live.wakes == 1


def test_a_payment_may_come_before_its_user(backend: Backend, deliver: Deliver) -> None:
    new = Account("Grace", "Hopper")
    pay(deliver, new, billed_at=1_000)
    deliver(events.user_saved("user.created", new))
    assert mine(backend, new) == [1_000]


def test_a_payment_without_a_user_is_kept_and_shown_to_nobody(backend: Backend, deliver: Deliver) -> None:
    data = events.payment_pending(ADA, TEAM)
    data["payer"] = {"organization_id": "org_1", "user_id": None, "email": None}
    data["payment_source"] = None
    assert deliver(events.event("paymentAttempt.created", data)) == 200
    assert len(stored(backend)) == 1
    assert mine(backend, ADA) == []


def test_payments_outlive_the_account_without_the_payers_name(
    backend: Backend, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "FORGOTTEN_AT_ONCE", 2)
    for moment in range(1_000, 6_000, 1_000):
        pay(deliver, ADA, billed_at=moment)
    pay(deliver, EVE, billed_at=1_000)
    deliver(events.user_deleted(ADA))
    assert backend.finish_scheduled() == 3
    late = events.payment_pending(ADA, TEAM)
    deliver(events.event("paymentAttempt.created", late))
    kept = [payment.payer for payment in stored(backend) if payment.payer.user_id == ADA.id]
    assert [(payer.name, payer.email) for payer in kept] == [(None, None)] * 6
    assert [payment.payer.name for payment in stored(backend) if payment.payer.user_id == EVE.id] == ["Eve"]
