"""What the caller has paid, and the `payment_attempts` table, which only webhooks write.

Payments belong to a user by `payer.user_id` and by nothing else. So a payment may arrive before its user,
and stays in the books when the user is deleted, without the name and the address of who paid.
"""

from dataclasses import dataclass, replace

from rewake import (
    MutationCtx,
    PaginationOptions,
    PaginationResult,
    Query,
    QueryCtx,
    internal_mutation,
    query,
)

from .from_provider import payment_from
from .schema import Item, Payer, PaymentAttempt
from .users import current_user_or_throw, is_deleted
from .webhook_events import PaymentAttemptData

FORGOTTEN_AT_ONCE = 200


@dataclass(frozen=True)
class Summary:
    """A user's payments at a glance. `paid` has one sum for each currency, in its smallest unit."""

    attempts: int
    pending: int
    failed: int
    paid: dict[str, int]
    latest: Item | None
    """What the latest successful payment was for."""


@query
def mine(ctx: QueryCtx, pagination_opts: PaginationOptions) -> PaginationResult[PaymentAttempt]:
    """The caller's payment attempts, latest first."""
    user = current_user_or_throw(ctx)
    return _of_payer(ctx, user.external_id).order("desc").paginate(pagination_opts)


@query
def summary(ctx: QueryCtx) -> Summary:
    """The caller's payments at a glance."""
    user = current_user_or_throw(ctx)
    attempts = _of_payer(ctx, user.external_id).order("desc").collect()
    settled = [attempt for attempt in attempts if attempt.status == "paid"]
    paid: dict[str, int] = {}
    for attempt in settled:
        paid[attempt.total.currency] = paid.get(attempt.total.currency, 0) + attempt.total.amount
    items = [item for attempt in settled for item in attempt.items]
    return Summary(
        attempts=len(attempts),
        pending=sum(attempt.status == "pending" for attempt in attempts),
        failed=sum(attempt.status == "failed" for attempt in attempts),
        paid=paid,
        latest=items[0] if items else None,
    )


def save_payment(ctx: MutationCtx, data: PaymentAttemptData) -> None:
    """Insert or update a payment attempt, unless we know something newer."""
    payment = payment_from(data)
    if payment.payer.user_id is not None and is_deleted(ctx, payment.payer.user_id):
        payment.payer = _anonymous(payment.payer)
    found = ctx.db.query(PaymentAttempt).with_index(PaymentAttempt.by_payment_id, payment_id=data.payment_id)
    known = found.unique()
    if known is None:
        ctx.db.insert(payment)
    elif known.updated_at <= payment.updated_at:
        ctx.db.replace(known.id, payment)


@internal_mutation
def forget_payer(ctx: MutationCtx, user_id: str, cursor: str | None = None) -> None:
    """Take name and address out of a user's payments, some hundred at a time."""
    page = _of_payer(ctx, user_id).paginate(PaginationOptions(num_items=FORGOTTEN_AT_ONCE, cursor=cursor))
    for payment in page.page:
        ctx.db.patch(payment.id, payer=_anonymous(payment.payer))
    if not page.is_done:
        ctx.scheduler.run_after(0, forget_payer, user_id=user_id, cursor=page.continue_cursor)


def _anonymous(payer: Payer) -> Payer:
    return replace(payer, name=None, email=None)


def _of_payer(ctx: QueryCtx | MutationCtx, user_id: str) -> Query[PaymentAttempt]:
    payments = ctx.db.query(PaymentAttempt)
    return payments.with_index(PaymentAttempt.by_payer, {"payer.user_id": user_id})
