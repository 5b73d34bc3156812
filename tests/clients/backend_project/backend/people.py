"""Who calls."""

from rewake import QueryCtx, internal_query, query


@query
def who_am_i(ctx: QueryCtx) -> str | None:
    """The subject of whoever calls."""
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity.subject


@internal_query
def secret(ctx: QueryCtx) -> str:
    return "for the administrator"
