"""Our own documents. What the provider sends looks different: see `webhook_events.py`.

Both tables have an `updated_at`, the provider's, in milliseconds: webhooks may come twice and in any order,
and whatever is older than what we know changes nothing.
"""

from dataclasses import dataclass
from typing import Literal

from rewake import Document, Index

PaymentStatus = Literal["pending", "paid", "failed"]
PaymentReason = Literal["checkout", "recurring"]


class User(Document, table="users"):
    """Somebody who has an account with the provider. `external_id` is the subject of their tokens."""

    external_id: str
    name: str
    email: str | None
    image_url: str | None
    updated_at: int
    by_external_id = Index("external_id")


class DeletedUser(Document, table="deleted_users"):
    """That an account is gone for good, so that a webhook which comes late does not bring it back."""

    external_id: str
    by_external_id = Index("external_id")


@dataclass(frozen=True)
class Payer:
    """Who paid. Name and address are None once the account was deleted."""

    user_id: str | None
    name: str | None
    email: str | None


@dataclass(frozen=True)
class Money:
    """An amount in the smallest unit of its currency, and as people read it."""

    amount: int
    currency: str
    text: str


@dataclass(frozen=True)
class Item:
    """A plan, and for how long it was bought; milliseconds."""

    plan: str
    plan_id: str
    price: Money
    begins_at: int
    ends_at: int | None


@dataclass(frozen=True)
class Card:
    """Enough of a card for its owner to know it again."""

    brand: str
    last_digits: str


@dataclass(frozen=True)
class Failure:
    """Why a payment failed, in the provider's words."""

    code: str
    decline_code: str | None


class PaymentAttempt(Document, table="payment_attempts"):
    """One attempt to pay, at checkout or when a subscription goes on."""

    payment_id: str
    payer: Payer
    status: PaymentStatus
    reason: PaymentReason
    items: list[Item]
    total: Money
    card: Card | None
    failure: Failure | None
    billed_at: int
    settled_at: int | None
    updated_at: int
    by_payment_id = Index("payment_id")
    by_payer = Index("payer.user_id", "billed_at")
