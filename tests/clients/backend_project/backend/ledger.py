"""Which mutations were carried out, and how often."""

from rewake import MutationCtx, QueryCtx, mutation, query

from .schema import Counter, Entry


@query
def numbers(ctx: QueryCtx, source: str) -> list[int]:
    """Every number that `source` recorded, each as often as it was carried out, in order."""
    entries = ctx.db.query(Entry).with_index(Entry.by_source, source=source)
    return [entry.number for entry in entries]


@query
def total(ctx: QueryCtx) -> float:
    """How many entries there must be, counted in the same transactions that wrote them."""
    counter = ctx.db.query(Counter).with_index(Counter.by_name, name="entries").unique()
    return 0.0 if counter is None else counter.value


@mutation
def record(ctx: MutationCtx, source: str, number: int) -> int:
    """Write an entry and count it: two writes that a crash must not part. Returns `number`."""
    ctx.db.insert(Entry(source=source, number=number))
    counter = ctx.db.query(Counter).with_index(Counter.by_name, name="entries").unique()
    if counter is None:
        ctx.db.insert(Counter(name="entries", value=1.0))
    else:
        ctx.db.patch(counter.id, value=counter.value + 1)
    return number
