"""One event, one transaction: whatever the provider tells is taken whole or not at all."""

from rewake import MutationCtx, internal_mutation

from .payments import forget_payer, save_payment
from .users import delete_user, save_user
from .webhook_events import Event, PaymentAttempted, UserDeleted, UserSaved


@internal_mutation
def take(ctx: MutationCtx, event: Event) -> None:
    """Bring our documents up to what an event tells. Taking it again changes nothing."""
    match event:
        case UserSaved(data=user):
            save_user(ctx, user)
        case UserDeleted(data=deleted):
            delete_user(ctx, deleted.id)
            ctx.scheduler.run_after(0, forget_payer, user_id=deleted.id)
        case PaymentAttempted(data=payment):
            save_payment(ctx, payment)
