"""Functions that run later: what is planned, what ran, and what became of it."""

import asyncio
from typing import Any

from rewake import ActionCtx, MutationCtx, QueryCtx, internal_action, mutation, query

from .ledger import record


@mutation
def plan(ctx: MutationCtx, source: str, count: int, seconds: float) -> list[str]:
    """Schedule `count` mutations and as many actions, each of which records its number."""
    planned = []
    for number in range(count):
        planned.append(ctx.scheduler.run_after(seconds, record, source=source, number=number))
        planned.append(ctx.scheduler.run_after(seconds, act, source=f"{source} by action", number=number))
    return planned


@mutation
def plan_hold(ctx: MutationCtx, source: str) -> str:
    return ctx.scheduler.run_after(0, hold, source=source)


@internal_action
async def act(ctx: ActionCtx, source: str, number: int) -> None:
    await ctx.run_mutation(record, source=source, number=number)


@internal_action
async def hold(ctx: ActionCtx, source: str) -> None:
    """Record 0 and go on for longer than anybody waits."""
    await ctx.run_mutation(record, source=source, number=0)
    await asyncio.Event().wait()


@query
def states(ctx: QueryCtx) -> dict[str, Any]:
    """Each job's state by its id."""
    jobs = ctx.db.system.query("_scheduled_functions").collect()
    return {job["_id"]: [job["name"], job["state"]] for job in jobs}


@query
def open_count(ctx: QueryCtx) -> int:
    """How many jobs are not over."""
    jobs = ctx.db.system.query("_scheduled_functions").collect()
    return sum(job["state"]["kind"] in ("pending", "inProgress") for job in jobs)
