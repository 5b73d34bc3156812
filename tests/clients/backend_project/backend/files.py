"""Files: uploads, URLs, and an action that has the bytes."""

from typing import Any

from rewake import ActionCtx, MutationCtx, QueryCtx, action, mutation, query


@mutation
def upload_url(ctx: MutationCtx) -> str:
    return ctx.storage.generate_upload_url()


@query
def url(ctx: QueryCtx, id: str) -> str | None:
    return ctx.storage.get_url(id)


@query
def listed(ctx: QueryCtx) -> list[dict[str, Any]]:
    return ctx.db.system.query("_storage").collect()


@query
def blobs(ctx: QueryCtx) -> list[str]:
    return [blob["state"] for blob in ctx.db.system.query("_blobs")]


@mutation
def remove(ctx: MutationCtx, id: str) -> None:
    ctx.storage.delete(id)


@action
async def shout(ctx: ActionCtx, id: str) -> str:
    file = await ctx.storage.get(id)
    assert file is not None
    return await ctx.storage.store((await file.read()).upper(), content_type=file.content_type)
