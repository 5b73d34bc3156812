"""Scheduled functions: many of them, and how late each one began."""

from rewake import MutationCtx, QueryCtx, internal_mutation, mutation, query


@internal_mutation
def nothing(ctx: MutationCtx, number: int) -> None:
    """A job that does nothing of its own."""


@mutation
def plan(ctx: MutationCtx, moments: list[float]) -> None:
    """Have a job run at each of `moments`, milliseconds since the epoch."""
    for number, moment in enumerate(moments):
        ctx.scheduler.run_at(moment, nothing, number=number)


@query
def lateness(ctx: QueryCtx, first: float, last: float) -> list[float | None]:
    """How many milliseconds after their time the jobs between two moments began; None where it has not."""
    return [
        job["completedTime"] - job["scheduledTime"] if "completedTime" in job else None
        for job in ctx.db.system.query("_scheduled_functions").collect()
        if first <= job["scheduledTime"] <= last
    ]
