"""Who calls, and the `users` table, which only webhooks write."""

from rewake import ApplicationError, MutationCtx, QueryCtx, query

from .from_provider import user_from
from .schema import DeletedUser, User
from .webhook_events import UserData


@query
def current(ctx: QueryCtx) -> User | None:
    """The caller; None if nobody is signed in, and until the webhook about a new account has come."""
    return current_user(ctx)


def current_user(ctx: QueryCtx | MutationCtx) -> User | None:
    """The caller's document, if there is one."""
    identity = ctx.auth.get_user_identity()
    return None if identity is None else find_user(ctx, identity.subject)


def current_user_or_throw(ctx: QueryCtx | MutationCtx) -> User:
    """The caller's document. A stranger gets an error that clients can read.

    A token may be good for a minute after its account was deleted, so a token alone is not enough.
    """
    user = current_user(ctx)
    if user is None:
        raise ApplicationError({"code": "no_user", "message": "Sign in first."})
    return user


def find_user(ctx: QueryCtx | MutationCtx, external_id: str) -> User | None:
    """The user whom the provider knows by this id."""
    return ctx.db.query(User).with_index(User.by_external_id, external_id=external_id).unique()


def is_deleted(ctx: QueryCtx | MutationCtx, external_id: str) -> bool:
    """Whether this account was deleted; ids are never given twice."""
    deleted = ctx.db.query(DeletedUser).with_index(DeletedUser.by_external_id, external_id=external_id)
    return deleted.first() is not None


def save_user(ctx: MutationCtx, data: UserData) -> None:
    """Insert or update a user, unless we know something newer."""
    user, known = user_from(data), find_user(ctx, data.id)
    if known is None and not is_deleted(ctx, data.id):
        ctx.db.insert(user)
    elif known is not None and known.updated_at <= user.updated_at:
        ctx.db.replace(known.id, user)


def delete_user(ctx: MutationCtx, external_id: str) -> None:
    """Forget a user, and remember that."""
    known = find_user(ctx, external_id)
    if known is not None:
        ctx.db.delete(known.id)
    if not is_deleted(ctx, external_id):
        ctx.db.insert(DeletedUser(external_id=external_id))
