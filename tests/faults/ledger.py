"""The application of the worlds of faults: numbers, recorded and counted, and handlers that resist."""

from __future__ import annotations

from rewake import Document, Index, MutationCtx, QueryCtx, mutation, query


class Entry(Document, table="entries"):
    number: int
    body: str
    by_number = Index("number")


class Total(Document, table="totals"):
    value: int


def _count(ctx: MutationCtx, step: int) -> None:
    total = ctx.db.query(Total).first()
    if total is None:
        ctx.db.insert(Total(value=step))
    else:
        ctx.db.patch(total.id, value=total.value + step)


@mutation
def record(ctx: MutationCtx, number: int, size: int = 10) -> int:
    """Two writes that nothing may part."""
    ctx.db.insert(Entry(number=number, body="x" * size))
    _count(ctx, 1)
    return number


@mutation
def forget(ctx: MutationCtx, number: int) -> int:
    """Remove every entry of a number; returns how many there were."""
    entries = ctx.db.query(Entry).with_index(Entry.by_number, number=number).collect()
    for entry in entries:
        ctx.db.delete(entry.id)
    _count(ctx, -len(entries))
    return len(entries)


@mutation
def record_stubbornly(ctx: MutationCtx, number: int) -> int:
    """A handler that takes no error for an answer, and goes on writing."""
    for step in (
        lambda: ctx.db.query(Entry).collect(),
        lambda: ctx.db.insert(Entry(number=number, body="stubborn" * 2_500)),
        lambda: _count(ctx, 1),
    ):
        try:
            step()
        except BaseException:
            continue
    return number


@query
def numbers(ctx: QueryCtx) -> list[int]:
    """Every number that is recorded, as often as it is."""
    return [entry.number for entry in ctx.db.query(Entry).with_index(Entry.by_number)]


@query
def numbers_whatever_happens(ctx: QueryCtx) -> list[int]:
    """The same by a handler that takes no error for an answer."""
    try:
        return [entry.number for entry in ctx.db.query(Entry)]
    except Exception:
        return []


@query
def total(ctx: QueryCtx) -> int:
    """How many entries there must be, by the count kept with them."""
    total = ctx.db.query(Total).first()
    return 0 if total is None else total.value
