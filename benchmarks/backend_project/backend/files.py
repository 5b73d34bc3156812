"""Files, to be sent and fetched."""

from rewake import MutationCtx, mutation


@mutation
def upload_url(ctx: MutationCtx) -> str:
    return ctx.storage.generate_upload_url()


@mutation
def url(ctx: MutationCtx, id: str) -> str | None:
    return ctx.storage.get_url(id)
