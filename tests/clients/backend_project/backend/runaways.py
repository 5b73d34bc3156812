"""Functions that never end, or that take all there is."""

from rewake import MutationCtx, QueryCtx, mutation, query

from .schema import Message


def _endless() -> None:
    while True:
        turns = 0
        try:
            while True:
                turns += 1
        except BaseException:
            turns = 0


@query
def endless_query(ctx: QueryCtx) -> None:
    _endless()


@mutation
def endless_mutation(ctx: MutationCtx) -> None:
    """Never end after a write; the write must not be seen."""
    ctx.db.insert(Message(author="runaway", body="never seen"))
    _endless()


@query
def doubling_query(ctx: QueryCtx) -> int:
    held = bytes(2**20)
    while True:
        held = held + held


@mutation
def doubling_mutation(ctx: MutationCtx) -> None:
    ctx.db.insert(Message(author="runaway", body="never seen"))
    held = bytes(2**20)
    while True:
        held = held + held
