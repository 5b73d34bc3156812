"""From what the provider sends to what we keep: another shape, fewer fields."""

from .schema import Card, Failure, Item, Money, Payer, PaymentAttempt, User
from .webhook_events import MoneyData, PayerData, PaymentAttemptData, SubscriptionItemData, UserData


def user_from(data: UserData) -> User:
    """Our user. Where there is no name, the user name or the address stands in for it."""
    email = _primary_email(data)
    return User(
        external_id=data.id,
        name=_full_name(data.first_name, data.last_name) or data.username or email or "Nameless",
        email=email,
        image_url=data.image_url or None,
        updated_at=data.updated_at,
    )


def payment_from(data: PaymentAttemptData) -> PaymentAttempt:
    """Our payment attempt."""
    source, failed = data.payment_source, data.failed_reason
    return PaymentAttempt(
        payment_id=data.payment_id,
        payer=_payer(data.payer),
        status=data.status,
        reason=data.charge_type,
        items=[_item(each) for each in data.subscription_items],
        total=_money(data.totals.grand_total),
        card=Card(source.card_type, source.last4) if source else None,
        failure=Failure(failed.code, failed.decline_code) if failed else None,
        billed_at=data.billing_date,
        settled_at=data.paid_at if data.paid_at is not None else data.failed_at,
        updated_at=data.updated_at,
    )


def _payer(data: PayerData) -> Payer:
    return Payer(data.user_id, _full_name(data.first_name, data.last_name), data.email)


def _item(data: SubscriptionItemData) -> Item:
    return Item(data.plan.name, data.plan.id, _money(data.amount), data.period_start, data.period_end)


def _money(data: MoneyData) -> Money:
    return Money(data.amount, data.currency, f"{data.currency_symbol}{data.amount_formatted}")


def _full_name(first: str | None, last: str | None) -> str | None:
    return " ".join(part for part in (first, last) if part) or None


def _primary_email(data: UserData) -> str | None:
    by_id = {each.id: each.email_address for each in data.email_addresses}
    return by_id.get(data.primary_email_address_id or "")
