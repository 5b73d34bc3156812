"""What webhooks say: the shape of Clerk's `user.*` and `paymentAttempt.*` events.

There is more in them than the example reads, as in the real ones.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from .accounts import Account, now_ms

DAY_MS = 86_400_000

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Something to buy; the price is in cents."""

    slug: str
    name: str
    price: int


PLANS = {
    plan.slug: plan
    for plan in (Plan("starter", "Starter", 900), Plan("team", "Team", 2900), Plan("studio", "Studio", 9900))
}


def event(type: str, data: Json) -> Json:
    """One webhook's body."""
    return {"type": type, "object": "event", "data": data, "timestamp": now_ms(), "instance_id": "ins_local"}


def user_saved(type: str, account: Account) -> Json:
    """`user.created` or `user.updated`."""
    address = {"id": f"idn_{account.id}", "object": "email_address", "email_address": account.email}
    data: Json = {
        "id": account.id,
        "object": "user",
        "first_name": account.first_name,
        "last_name": account.last_name or None,
        "username": None,
        "image_url": "",
        "has_image": False,
        "primary_email_address_id": address["id"],
        "email_addresses": [address | {"verification": {"status": "verified"}}],
        "phone_numbers": [],
        "public_metadata": {},
        "two_factor_enabled": False,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }
    return event(type, data)


def user_deleted(account: Account) -> Json:
    """`user.deleted`."""
    return event("user.deleted", {"id": account.id, "object": "user", "deleted": True})


def payment_pending(account: Account, plan: Plan, *, billed_at: int | None = None) -> Json:
    """The data of `paymentAttempt.created`."""
    billed_at = billed_at or now_ms()
    number = secrets.token_hex(8)
    return {
        "object": "commerce_payment",
        "payment_id": f"pay_{number}",
        "invoice_id": f"inv_{number}",
        "statement_id": f"stmt_{number}",
        "payer": {
            "id": f"cpayer_{account.id}",
            "user_id": account.id,
            "email": account.email,
            "first_name": account.first_name,
            "last_name": account.last_name,
        },
        "status": "pending",
        "charge_type": "checkout",
        "payment_source": {"card_type": "visa", "last4": "4242"},
        "subscription_items": [
            {
                "amount": _money(plan.price),
                "plan": {
                    "id": f"cplan_{plan.slug}",
                    "name": plan.name,
                    "slug": plan.slug,
                    "amount": plan.price,
                    "currency": "USD",
                    "period": "month",
                    "interval": 1,
                    "is_default": False,
                },
                "status": "active",
                "period_start": billed_at,
                "period_end": billed_at + 30 * DAY_MS,
            }
        ],
        "totals": {"grand_total": _money(plan.price), "subtotal": _money(plan.price), "tax_total": _money(0)},
        "billing_date": billed_at,
        "created_at": billed_at,
        "updated_at": billed_at,
    }


def payment_paid(data: Json, *, at: int | None = None) -> Json:
    """The same payment once the money has come."""
    at = at or max(now_ms(), data["updated_at"] + 1)
    return data | {"status": "paid", "paid_at": at, "updated_at": at}


def payment_failed(data: Json) -> Json:
    """The same payment once the card was declined."""
    at = max(now_ms(), data["updated_at"] + 1)
    reason = {"code": "card_declined", "decline_code": "insufficient_funds"}
    return data | {"status": "failed", "failed_at": at, "updated_at": at, "failed_reason": reason}


def _money(amount: int) -> Json:
    text = f"{amount / 100:.2f}"
    return {"amount": amount, "amount_formatted": text, "currency": "USD", "currency_symbol": "$"}
