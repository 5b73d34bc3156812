"""Named numbers: each is read by its own query, through an index."""

from rewake import MutationCtx, QueryCtx, mutation, query

from .schema import Counter


@query
def get(ctx: QueryCtx, name: str) -> float:
    """The value, 0 for a counter that nobody has touched."""
    counter = ctx.db.query(Counter).with_index(Counter.by_name, name=name).unique()
    return 0.0 if counter is None else counter.value


@mutation
def increment(ctx: MutationCtx, name: str, by: float = 1.0) -> float:
    """Add to a counter and return what it is now."""
    counter = ctx.db.query(Counter).with_index(Counter.by_name, name=name).unique()
    if counter is None:
        ctx.db.insert(Counter(name=name, value=by))
        return by
    ctx.db.patch(counter.id, value=counter.value + by)
    return counter.value + by
