"""Where calls came from, as functions are told."""

from typing import Any

from rewake import ActionCtx, MutationCtx, action, mutation


@mutation
def tell(ctx: MutationCtx) -> Any:
    return ctx.meta.get_request_metadata()


@mutation
def tell_nested(ctx: MutationCtx) -> Any:
    return ctx.run_mutation(tell)


@action
async def tell_by_action(ctx: ActionCtx) -> Any:
    return [ctx.meta.get_request_metadata(), await ctx.run_mutation(tell_nested)]
