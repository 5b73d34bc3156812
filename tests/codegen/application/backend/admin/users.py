"""Users, for those who look after them: `api.admin.users`."""

from __future__ import annotations

from backend.schema import Mood, User

from rewake import Id, MutationCtx, QueryCtx, mutation, query


@mutation
def create(ctx: MutationCtx, name: str, mood: Mood = Mood.GLAD) -> Id[User]:
    return ctx.db.insert(User(name=name, mood=mood))


@query
def find(ctx: QueryCtx, name: str) -> User | None:
    return ctx.db.query(User).with_index(User.by_name, name=name).first()


@mutation
def delete(ctx: MutationCtx, user_id: Id[User]) -> None:
    ctx.db.delete(user_id)
