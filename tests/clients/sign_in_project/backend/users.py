"""Who calls, and what is theirs. `auth_config.py` is written by the test, which knows where its issuer is."""

from typing import Any

from rewake import ActionCtx, Document, Index, MutationCtx, QueryCtx, action, mutation, query


class Thought(Document, table="thoughts"):
    owner: str
    text: str
    by_owner = Index("owner")


@query
def who(ctx: QueryCtx) -> str | None:
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity.subject


@query
def claims(ctx: QueryCtx) -> dict[str, Any] | None:
    identity = ctx.auth.get_user_identity()
    return None if identity is None else dict(identity.attributes)


@query
def mine(ctx: QueryCtx) -> list[str]:
    identity = ctx.auth.get_user_identity()
    owner = "nobody" if identity is None else identity.subject
    found = ctx.db.query(Thought).with_index(Thought.by_owner, owner=owner).collect()
    return [f"{owner}: {thought.text}" for thought in found]


@query
def count(ctx: QueryCtx) -> int:
    """What everybody may see."""
    return len(ctx.db.query(Thought).collect())


@mutation
def think(ctx: MutationCtx, text: str) -> str:
    owner = ctx.auth.require_identity().subject
    ctx.db.insert(Thought(owner=owner, text=text))
    return owner


@action
async def ask(ctx: ActionCtx) -> str | None:
    return await ctx.run_query(who)
