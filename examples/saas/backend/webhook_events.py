"""What the provider sends, as it sends it. These types are the validators of the internal mutations.

Fields that are not named here are left out when an event is read, so the provider may add some. A field that
is named and missing, or of another type, refuses the event: better a delivery that is tried again after a
fix than half a payment.
"""

from typing import Literal

from msgspec import Struct


class EmailAddress(Struct):
    id: str
    email_address: str


class UserData(Struct):
    id: str
    email_addresses: list[EmailAddress]
    updated_at: int
    primary_email_address_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    image_url: str | None = None


class DeletedData(Struct):
    id: str


class PayerData(Struct):
    """A person; a payer without `user_id` is an organization."""

    user_id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class MoneyData(Struct):
    amount: int
    amount_formatted: str
    currency: str
    currency_symbol: str


class PlanData(Struct):
    id: str
    name: str
    slug: str
    amount: int
    currency: str
    period: str
    interval: int


class SubscriptionItemData(Struct):
    amount: MoneyData
    plan: PlanData
    status: str
    period_start: int
    period_end: int | None = None


class PaymentSourceData(Struct):
    card_type: str
    last4: str


class FailedReasonData(Struct):
    code: str
    decline_code: str | None = None


class TotalsData(Struct):
    grand_total: MoneyData
    subtotal: MoneyData
    tax_total: MoneyData


class PaymentAttemptData(Struct):
    payment_id: str
    invoice_id: str
    statement_id: str
    payer: PayerData
    status: Literal["pending", "paid", "failed"]
    charge_type: Literal["checkout", "recurring"]
    subscription_items: list[SubscriptionItemData]
    totals: TotalsData
    billing_date: int
    created_at: int
    updated_at: int
    payment_source: PaymentSourceData | None = None
    paid_at: int | None = None
    failed_at: int | None = None
    failed_reason: FailedReasonData | None = None


class UserSaved(Struct):
    type: Literal["user.created", "user.updated"]
    data: UserData


class UserDeleted(Struct):
    type: Literal["user.deleted"]
    data: DeletedData


class PaymentAttempted(Struct):
    type: Literal["paymentAttempt.created", "paymentAttempt.updated"]
    data: PaymentAttemptData


Event = UserSaved | UserDeleted | PaymentAttempted

EVENTS: dict[str, type[Event]] = {
    "user.created": UserSaved,
    "user.updated": UserSaved,
    "user.deleted": UserDeleted,
    "paymentAttempt.created": PaymentAttempted,
    "paymentAttempt.updated": PaymentAttempted,
}
"""Which type reads an event, by its name."""
